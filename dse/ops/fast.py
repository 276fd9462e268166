"""The fast forms, mainly for CPUs, where XLA's own choices are slow.

1x1 convolutions are matrix products. A first layer with few channels is a product with
patches. Max pooling has its own gradient, because XLA's select-and-scatter takes up to
a third of a training step.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Int8, Num

from dse.ops import reference
from dse.ops.interface import Padding

PATCHED_CHANNELS = 4
"""Most input channels with which a convolution runs as patches times matrix."""


def convolution(
    x: Float[Array, "n h w c"],
    kernel: Float[Array, "k k g f"],
    bias: Float[Array, " f"] | None,
    *,
    stride: int,
    padding: int,
    groups: int = 1,
) -> Float[Array, "n oh ow f"]:
    """Compute `reference.convolution`, by matrix products where they are faster."""
    size, channels = kernel.shape[0], kernel.shape[2]
    pointwise = size == 1 and stride == 1
    form = (
        product_convolution
        if pointwise or channels <= PATCHED_CHANNELS
        else reference.convolution
    )
    return form(x, kernel, bias, stride=stride, padding=padding, groups=groups)


def product_convolution(
    x: Float[Array, "n h w c"],
    kernel: Float[Array, "k k g f"],
    bias: Float[Array, " f"] | None,
    *,
    stride: int,
    padding: int,
    groups: int = 1,
) -> Float[Array, "n oh ow f"]:
    """Compute `reference.convolution` as patches times a matrix, group by group."""
    size = kernel.shape[0]
    if groups > 1:
        parts = zip(jnp.split(x, groups, 3), jnp.split(kernel, groups, 3), strict=True)
        products = [
            product_convolution(part, own, None, stride=stride, padding=padding)
            for part, own in parts
        ]
        product = jnp.concatenate(products, axis=3)
    elif size == 1 and stride == 1:
        product = _product(_padded(x, padding), kernel)
    else:
        product = _product(_patches(_padded(x, padding), size, stride), kernel)
    return product if bias is None else product + bias


def _padded(x: Float[Array, "n h w c"], padding: int) -> Float[Array, "n ph pw c"]:
    around = (padding, padding)
    return jnp.pad(x, ((0, 0), around, around, (0, 0))) if padding else x


def _patches(
    x: Float[Array, "n h w c"], size: int, stride: int
) -> Float[Array, "n oh ow p"]:
    """Elements of every window side by side, in the order of an HWIO kernel."""
    return jnp.concatenate(
        [x[:, rows, columns] for rows, columns in _windows(x.shape, size, stride)],
        axis=-1,
    )


def _windows(
    shape: tuple[int, ...], size: int, stride: int
) -> list[tuple[slice, slice]]:
    """Slices that pick one offset from all windows, for each offset in a window."""
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
    """Compute `reference.max_pool` (ties too), with a gradient made of comparisons."""
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
    first, *others = _windows(framed.shape, window, stride)
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
    """Sum, for each pixel, the gradients of the windows whose maximum it is.

    Rows of the padded input form blocks of `stride`, and so do columns. A pixel of
    block b lies in window b - a at offset phase + a·stride, for every a that keeps the
    offset inside the window.
    """
    x, place = residuals
    n, height, width, channels = x.shape
    (top, _), (left, _) = padding
    rows = -(-(top + height) // stride)
    columns = -(-(left + width) // stride)
    reach = (window - 1) // stride
    total = jnp.zeros((n, rows, stride, columns, stride, channels), x.dtype)
    for up in range(reach + 1):
        for across in range(reach + 1):
            chosen = _blocks(place, up, across, rows, columns, fill=-1)
            share = _blocks(gradient, up, across, rows, columns, fill=0)
            here = _places(window, stride, up, across)
            total += jnp.where(chosen == here, share, 0)
    framed = total.reshape(n, rows * stride, columns * stride, channels)
    return (framed[:, top : top + height, left : left + width],)


def _blocks(
    windows: Num[Array, "n oh ow c"],
    up: int,
    across: int,
    rows: int,
    columns: int,
    fill: int,
) -> Num[Array, "n r 1 q 1 c"]:
    """Value of the window `up` and `across` before each block, or `fill`."""
    n, oh, ow, channels = windows.shape
    moved = jax.lax.pad(
        windows,
        jnp.array(fill, windows.dtype),
        (
            (0, 0, 0),
            (up, rows - oh - up, 0),
            (across, columns - ow - across, 0),
            (0, 0, 0),
        ),
    )
    return moved.reshape(n, rows, 1, columns, 1, channels)


def _places(
    window: int, stride: int, up: int, across: int
) -> Int8[np.ndarray, "1 1 s 1 s 1"]:
    """Place of each pixel of a block in that window; -2 if outside."""
    down = np.arange(stride)[:, None] + up * stride
    right = np.arange(stride)[None, :] + across * stride
    inside = (down < window) & (right < window)
    places = np.where(inside, down * window + right, -2).astype(np.int8)
    return places.reshape(1, 1, stride, 1, stride, 1)


max_pool.defvjp(_max_pool_forward, _max_pool_backward)
