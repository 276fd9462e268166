"""Stochastic gradient descent of a recipe: learning rate, decay, momentum, clipping."""

import optax

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


def optimiser(recipe: Recipe, steps: int) -> optax.GradientTransformation:
    """Clip, add the decay, then descend with momentum (as Caffe does the last two).

    All parameters are updated as one vector: separate updates would be a quarter of the
    compilation.
    """
    return optax.flatten(
        optax.chain(
            optax.clip_by_global_norm(recipe.clip_norm)
            if recipe.clip_norm is not None
            else optax.identity(),
            optax.add_decayed_weights(recipe.weight_decay),
            optax.sgd(learning_rate(recipe, steps), momentum=recipe.momentum),
        )
    )
