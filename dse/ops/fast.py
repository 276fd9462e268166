"""The fast form on CPUs, where XLA's own choices are slow.

1x1 convolutions are matrix products, a stem of few channels is a product with
patches, and max pooling has a gradient of its own: XLA's select-and-scatter takes up
to a third of a training step.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from dse.ops import reference
from dse.ops.interface import Padding

PATCHED_CHANNELS = 4
"""Up to this many input channels a convolution runs as patches times matrix."""


def convolution(
    x: Float[Array, "n h w c"],
    kernel: Float[Array, "k k c f"],
    bias: Float[Array, " f"],
    *,
    stride: int,
    padding: int,
) -> Float[Array, "n oh ow f"]:
    """As `reference.convolution`, through matrix products where they are faster."""
    size, channels = kernel.shape[0], kernel.shape[2]
    if size == 1 and stride == 1:
        return _product(_padded(x, padding), kernel) + bias
    if channels <= PATCHED_CHANNELS:
        return _product(_patches(_padded(x, padding), size, stride), kernel) + bias
    return reference.convolution(x, kernel, bias, stride=stride, padding=padding)


def _padded(x: Float[Array, "n h w c"], padding: int) -> Float[Array, "n ph pw c"]:
    around = (padding, padding)
    return jnp.pad(x, ((0, 0), around, around, (0, 0))) if padding else x


def _patches(
    x: Float[Array, "n h w c"], size: int, stride: int
) -> Float[Array, "n oh ow p"]:
    """Every window's elements side by side, in the order of an HWIO kernel."""
    return jnp.concatenate(
        [x[:, rows, columns] for rows, columns in _windows(x.shape, size, stride)],
        axis=-1,
    )


def _windows(
    shape: tuple[int, ...], size: int, stride: int
) -> list[tuple[slice, slice]]:
    """For each offset within the window, the slices that pick it from all windows."""
    ends = [(extent - size) // stride * stride + 1 for extent in shape[1:3]]
    return [
        (slice(i, i + ends[0], stride), slice(j, j + ends[1], stride))
        for i in range(size)
        for j in range(size)
    ]


def _product(
    x: Float[Array, "n h w c"], kernel: Float[Array, "..."]
) -> Float[Array, "n h w f"]:
    matrix = kernel.reshape(-1, kernel.shape[-1])
    product = x.reshape(-1, x.shape[-1]) @ matrix
    return product.reshape(*x.shape[:-1], matrix.shape[-1])


@partial(jax.custom_vjp, nondiff_argnums=(1, 2, 3))
def max_pool(
    x: Float[Array, "n h w c"], window: int, stride: int, padding: Padding
) -> Float[Array, "n oh ow c"]:
    """As `reference.max_pool`, ties included, with a gradient made of slices."""
    padded = _padded_below(x, padding)
    slices = _windows(padded.shape, window, stride)
    pooled = padded[:, *slices[0]]
    for rows, columns in slices[1:]:
        pooled = jnp.maximum(pooled, padded[:, rows, columns])
    return pooled


def _padded_below(
    x: Float[Array, "n h w c"], padding: Padding
) -> Float[Array, "n ph pw c"]:
    return jnp.pad(x, ((0, 0), *padding, (0, 0)), constant_values=-jnp.inf)


def _max_pool_forward(
    x: Float[Array, "n h w c"], window: int, stride: int, padding: Padding
) -> tuple[Array, tuple[Array, Array]]:
    pooled = max_pool(x, window, stride, padding)
    return pooled, (x, pooled)


def _max_pool_backward(
    window: int,
    stride: int,
    padding: Padding,
    residuals: tuple[Array, Array],
    gradient: Float[Array, "n oh ow c"],
) -> tuple[Float[Array, "n h w c"]]:
    """Each window's gradient goes to its first maximum, in row order.

    The offsets within a window fall into stride x stride phases of the padded input.
    Within one phase every offset is a whole number of windows away, so its share is a
    plain shift; the phases interleave at the end.
    """
    x, pooled = residuals
    n, height, width, channels = x.shape
    padded = _padded_below(x, padding)
    slices = _windows(padded.shape, window, stride)
    rows, columns = pooled.shape[1:3]
    reach = (window - 1) // stride
    phases = [
        [
            jnp.zeros((n, rows + reach, columns + reach, channels), x.dtype)
            for _ in range(stride)
        ]
        for _ in range(stride)
    ]
    free = jnp.ones(pooled.shape, bool)
    for offset, place in enumerate(slices):
        wins = free & (padded[:, *place] == pooled)
        free = free & ~wins
        (down, row_phase), (right, column_phase) = (
            divmod(steps, stride) for steps in divmod(offset, window)
        )
        share = jnp.pad(
            jnp.where(wins, gradient, 0),
            ((0, 0), (down, reach - down), (right, reach - right), (0, 0)),
        )
        phases[row_phase][column_phase] += share
    interleaved = jnp.stack([jnp.stack(row, axis=3) for row in phases], axis=2)
    whole = interleaved.reshape(
        n, stride * (rows + reach), stride * (columns + reach), channels
    )
    (top, _), (left, _) = padding
    bottom = max(0, top + height - whole.shape[1])
    beyond = max(0, left + width - whole.shape[2])
    whole = jnp.pad(whole, ((0, 0), (0, bottom), (0, beyond), (0, 0)))
    return (whole[:, top : top + height, left : left + width],)


max_pool.defvjp(_max_pool_forward, _max_pool_backward)
