"""Square windows over a map: the elements that they hold, and the way back."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Int, Num

from dse.ops.interface import Padding


def offsets(
    shape: tuple[int, ...], window: int, stride: int
) -> list[tuple[slice, slice]]:
    """Slices that pick one offset from all windows, for each offset in a window."""
    ends = [(extent - window) // stride * stride + 1 for extent in shape[1:3]]
    return [
        (slice(i, i + ends[0], stride), slice(j, j + ends[1], stride))
        for i in range(window)
        for j in range(window)
    ]


def from_windows(
    given: Num[Array, "n oh ow c"],
    shape: tuple[int, ...],
    window: int,
    stride: int,
    padding: Padding,
    place: Num[Array, "n oh ow c"] | None = None,
) -> Num[Array, "n h w c"]:
    """Sum, for each pixel, what its windows give it; the gradient of pools.

    Rows of the padded map form blocks of `stride`, and so do columns. A pixel of block
    b lies in window b - a at offset phase + a·stride, for every a that keeps the offset
    inside the window.

    Args:
        given: a value of each window.
        shape: shape of the map.
        window: rows and columns of a window.
        stride: rows between windows.
        padding: of the map.
        place: the one place in each window that gets its value, in row order; None if
            all do.
    """
    n, height, width, channels = shape
    (top, _), (left, _) = padding
    rows, columns = -(-(top + height) // stride), -(-(left + width) // stride)
    reach = (window - 1) // stride
    values = _framed(given, reach, rows, columns, fill=0)
    if place is not None:
        # XLA compares few channels faster as numbers of the kind that it selects,
        # and slices one frame faster than it makes a frame for each term.
        place = _framed(place.astype(given.dtype), reach, rows, columns, fill=-1)
    total = jnp.zeros((n, rows, stride, columns, stride, channels), given.dtype)
    for up in range(reach + 1):
        for across in range(reach + 1):
            block = (
                slice(None),
                slice(reach - up, reach - up + rows),
                None,
                slice(reach - across, reach - across + columns),
                None,
            )
            here = _places(window, stride, up, across)
            gets = here >= 0 if place is None else place[block] == here
            total += jnp.where(gets, values[block], 0)
    framed = total.reshape(n, rows * stride, columns * stride, channels)
    return framed[:, top : top + height, left : left + width]


def _framed(
    windows: Num[Array, "n oh ow c"], reach: int, rows: int, columns: int, fill: int
) -> Num[Array, "n fh fw c"]:
    """`reach` rows and columns of `fill` before, and as many as the blocks after."""
    after = rows - windows.shape[1], columns - windows.shape[2]
    framed: Array = jax.lax.pad(
        windows,
        jnp.array(fill, windows.dtype),
        ((0, 0, 0), (reach, after[0], 0), (reach, after[1], 0), (0, 0, 0)),
    )
    return framed


def _places(
    window: int, stride: int, up: int, across: int
) -> Int[np.ndarray, "1 1 s 1 s 1"]:
    """Place of each pixel of a block in that window; -2 if outside."""
    down = np.arange(stride)[:, None] + up * stride
    right = np.arange(stride)[None, :] + across * stride
    inside = (down < window) & (right < window)
    places = np.where(inside, down * window + right, -2)
    return places.reshape(1, 1, stride, 1, stride, 1)
