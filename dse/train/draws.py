"""What is drawn at random in a training: the order of images, and a key for each."""

import jax
from jax import Array
from jaxtyping import Int, Key


def epoch_order(
    key: Key[Array, ""],
    epoch: Int[Array, ""],
    train: Int[Array, " t"],
    *,
    steps: int,
    batch_size: int,
) -> Int[Array, "steps batch"]:
    """Draw the images of each step of an epoch, in whole batches only."""
    order = jax.random.permutation(jax.random.fold_in(key, epoch), train)
    return order[: steps * batch_size].reshape(steps, batch_size)


def image_keys(
    key: Key[Array, ""], step: Int[Array, ""], places: Int[Array, " n"]
) -> Key[Array, " n"]:
    """Make a key for each image of a step."""
    return jax.vmap(jax.random.fold_in, (None, 0))(
        jax.random.fold_in(key, step), places
    )
