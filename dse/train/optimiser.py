"""Stochastic gradient descent of a recipe: learning rate, decay, momentum, clipping."""

import jax
import optax
from jax import Array
from jaxtyping import Float, Int

from dse.runs.recipe import Recipe


def learning_rate(recipe: Recipe, steps: int) -> optax.Schedule:
    """η(t): linear from 0 to the peak in the warm-up, then down to 0 at `steps`."""
    warmup = max(1, round(recipe.warmup_share * steps))
    peak, left = recipe.peak_learning_rate, steps - warmup
    rise = optax.linear_schedule(0.0, peak, warmup)
    fall = (
        optax.cosine_decay_schedule(peak, max(1, left))
        if recipe.schedule == "cosine"
        else optax.linear_schedule(peak, 0.0, left)
    )
    return optax.join_schedules([rise, fall], [warmup])


def optimiser(
    recipe: Recipe, steps: int, groups: Int[Array, " parameters"] | None = None
) -> optax.GradientTransformation:
    """Clip, add the decay, then descend with momentum (as Caffe does the last two).

    All parameters are updated as one vector: separate updates would be a quarter of the
    compilation.

    Args:
        recipe: the recipe.
        steps: all steps of the training.
        groups: number of each parameter's group. Parameters of a group get the sum of
            their gradients, so those that begin equal stay equal: the gradient of a
            value that weights share is the sum of theirs (Deep Compression, 3.3).
    """
    clipping = (
        optax.clip_by_global_norm(recipe.clip_norm)
        if recipe.clip_norm is not None
        else optax.identity()
    )
    return optax.flatten(
        optax.chain(
            clipping if groups is None else _summed(clipping, groups),
            optax.add_decayed_weights(recipe.weight_decay),
            optax.sgd(learning_rate(recipe, steps), momentum=recipe.momentum),
        )
    )


def _summed(
    clipping: optax.GradientTransformation, groups: Int[Array, " parameters"]
) -> optax.GradientTransformation:
    """Clip, then give each parameter the sum over its group."""

    def update(
        gradients: Float[Array, " parameters"],
        state: optax.OptState,
        parameters: Float[Array, " parameters"] | None = None,
    ) -> tuple[Float[Array, " parameters"], optax.OptState]:
        clipped, after = clipping.update(gradients, state, parameters)
        sums = jax.ops.segment_sum(clipped, groups, num_segments=len(groups))
        return sums[groups], after

    return optax.GradientTransformation(clipping.init, update)
