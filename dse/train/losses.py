"""Losses and correct answers of class scores, image by image."""

import jax
import jax.numpy as jnp
import optax
from jax import Array
from jaxtyping import Float, Int


def cross_entropy(
    scores: Float[Array, "n classes"], labels: Int[Array, " n"], smoothing: float
) -> Float[Array, " n"]:
    """Cross-entropy; `smoothing` of each label's weight is spread over all classes."""
    losses: Array = optax.softmax_cross_entropy_with_integer_labels(scores, labels)
    if smoothing:
        evenly = -jax.nn.log_softmax(scores).mean(axis=-1)
        losses = (1 - smoothing) * losses + smoothing * evenly
    return losses


def correct(
    scores: Float[Array, "n classes"], labels: Int[Array, " n"]
) -> Float[Array, " n"]:
    """1 where the likeliest class is the label, else 0; a score of NaN is wrong."""
    likeliest = jnp.argmax(scores, axis=-1) == labels
    return (likeliest & ~jnp.isnan(scores).any(axis=-1)).astype(jnp.float32)


def among_five(
    scores: Float[Array, "n classes"], labels: Int[Array, " n"]
) -> Float[Array, " n"]:
    """1 where the label is among the five likeliest, else 0.

    Of equal scores the first counts as the likelier.
    """
    own = jnp.take_along_axis(scores, labels[:, None], axis=1)
    classes = jnp.arange(scores.shape[1])
    ahead = (scores > own) | ((scores == own) & (classes < labels[:, None]))
    among = (ahead.sum(axis=1) < 5) & jnp.isfinite(scores).all(axis=1)
    return among.astype(jnp.float32)
