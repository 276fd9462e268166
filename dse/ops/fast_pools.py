"""Fast forms of the pools: XLA's own gradients of windows that overlap are slow.

Its select-and-scatter takes up to a third of a training step, and its window sum with
the gradient up to 31 times as long as sums of slices (experiments/benchmarks/pools.py).
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Int8

from dse.ops import reference
from dse.ops.interface import Padding
from dse.ops.windows import from_windows, offsets

MOST_PLACES = 127
"""Places in a window that eight bits count."""


def max_pool(
    x: Float[Array, "n h w c"], window: int, stride: int, padding: Padding
) -> Float[Array, "n oh ow c"]:
    """Compute `reference.max_pool` (ties too), with a gradient made of comparisons."""
    few = window * window <= MOST_PLACES
    form = _max_pool if few else reference.max_pool
    return form(x, window, stride, padding)


def average_pool(
    x: Float[Array, "n h w c"], window: int, stride: int, padding: Padding
) -> Float[Array, "n oh ow c"]:
    """Compute `reference.average_pool` by sums of slices where windows are small."""
    few = window * window <= MOST_PLACES and window < max(x.shape[1:3])
    form = _average_pool if few else reference.average_pool
    return form(x, window, stride, padding)


@partial(jax.custom_vjp, nondiff_argnums=(1, 2, 3))
def _max_pool(
    x: Float[Array, "n h w c"], window: int, stride: int, padding: Padding
) -> Float[Array, "n oh ow c"]:
    return _max_and_place(x, window, stride, padding)[0]


def _max_and_place(
    x: Float[Array, "n h w c"], window: int, stride: int, padding: Padding
) -> tuple[Float[Array, "n oh ow c"], Int8[Array, "n oh ow c"]]:
    """Maximum of each window, and the first place in the window that has it.

    The remainder at the end changes no value. XLA repeats cheap elementwise work in
    every fusion that reads it: here all comparisons, for each pixel of the gradient. It
    considers a remainder too expensive to repeat.
    """
    framed = jnp.pad(x, ((0, 0), *padding, (0, 0)), constant_values=-jnp.inf)
    first, *others = offsets(framed.shape, window, stride)
    largest = framed[:, *first]
    place = jnp.zeros(largest.shape, jnp.int8)
    for number, (rows, columns) in enumerate(others, start=1):
        candidate = framed[:, rows, columns]
        larger = candidate > largest
        largest = jnp.where(larger, candidate, largest)
        place = jnp.where(larger, jnp.int8(number), place)
    return largest, jax.lax.rem(place, jnp.int8(window * window))


def _max_pool_forward(
    x: Float[Array, "n h w c"], window: int, stride: int, padding: Padding
) -> tuple[Array, tuple[Array, Array]]:
    largest, place = _max_and_place(x, window, stride, padding)
    return largest, (x, place)


def _max_pool_backward(
    window: int,
    stride: int,
    padding: Padding,
    residuals: tuple[Array, Array],
    gradient: Float[Array, "n oh ow c"],
) -> tuple[Float[Array, "n h w c"]]:
    """Sum, for each pixel, the gradients of the windows whose maximum it is."""
    x, place = residuals
    return (from_windows(gradient, x.shape, window, stride, padding, place),)


_max_pool.defvjp(_max_pool_forward, _max_pool_backward)


@partial(jax.custom_vjp, nondiff_argnums=(1, 2, 3))
def _average_pool(
    x: Float[Array, "n h w c"], window: int, stride: int, padding: Padding
) -> Float[Array, "n oh ow c"]:
    framed = jnp.pad(x, ((0, 0), *padding, (0, 0)))
    first, *others = offsets(framed.shape, window, stride)
    total = framed[:, *first]
    for place in others:
        total += framed[:, *place]
    return total / _elements(x, window, stride, padding)


def _elements(
    x: Float[Array, "n h w c"], window: int, stride: int, padding: Padding
) -> Float[np.ndarray, "1 oh ow 1"]:
    """How many elements of each window lie inside the input."""
    inside = np.pad(np.ones((1, *x.shape[1:3], 1), x.dtype), ((0, 0), *padding, (0, 0)))
    places = offsets(inside.shape, window, stride)
    count: np.ndarray = np.sum([inside[:, *place] for place in places], axis=0)
    return count


def _average_pool_forward(
    x: Float[Array, "n h w c"], window: int, stride: int, padding: Padding
) -> tuple[Array, Array]:
    return _average_pool(x, window, stride, padding), x


def _average_pool_backward(
    window: int,
    stride: int,
    padding: Padding,
    x: Float[Array, "n h w c"],
    gradient: Float[Array, "n oh ow c"],
) -> tuple[Float[Array, "n h w c"]]:
    """Sum, for each pixel, the shares of its windows."""
    share = gradient / _elements(x, window, stride, padding)
    return (from_windows(share, x.shape, window, stride, padding),)


_average_pool.defvjp(_average_pool_forward, _average_pool_backward)
