"""Pools: the maximum or the mean of square windows."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from dse.arch.layer import PADDING, PIXELS, Layer, Shape, later
from dse.errors import DseError
from dse.fields import Field

Rounding = Literal["ceil", "same", "floor"]
"""How the size of a pool's output is rounded; see `Pool`."""


@dataclass(frozen=True)
class Pool(Layer):
    """Pooling over square windows.

    `ceil` is Caffe's rule: no padding, and the last window may extend beyond the input.
    `same` pads so that the output has ceil(size / stride) rows. `floor` is PyTorch's:
    `margin` pixels of padding on each side; pixels that fill no window are left out.
    """

    ranges: ClassVar[Mapping[str, Field]] = {
        "window": PIXELS,
        "stride": PIXELS,
        "rounding": Field("choice", "a rule", options=get_args(Rounding)),
        "margin": PADDING,
    }
    window: int
    stride: int
    rounding: Rounding
    margin: int = later(0)

    def padding(self, size: int) -> tuple[int, int]:
        """Pixels of padding before and after an axis of `size` pixels."""
        total = (self._windows(size) - 1) * self.stride + self.window - size
        if self.rounding == "floor":
            return self.margin, max(total - self.margin, 0)
        if self.rounding == "ceil":
            return 0, max(total, 0)
        return max(total, 0) // 2, max(total, 0) - max(total, 0) // 2

    def output_shape(self, *inputs: Shape) -> Shape:
        height, width, channels = inputs[0]
        if self.margin and (self.rounding != "floor" or 2 * self.margin > self.window):
            raise DseError(
                f"layer {self.name!r} pools with a margin of {self.margin} pixels; "
                f"expected rounding 'floor' and at most half the window, {self.window}"
            )
        return self._windows(height), self._windows(width), channels

    def _windows(self, size: int) -> int:
        if self.rounding == "floor":
            return (size + 2 * self.margin - self.window) // self.stride + 1
        if self.rounding == "same":
            return math.ceil(size / self.stride)
        windows = math.ceil((size - self.window) / self.stride) + 1
        return min(windows, math.ceil(size / self.stride))  # no window wholly outside

    @property
    def filter_text(self) -> str:
        return f"{self.window}x{self.window}/{self.stride}"


@dataclass(frozen=True)
class MaxPool(Pool):
    """The maximum of each window."""

    kind = "max_pool"


@dataclass(frozen=True)
class AveragePool(Pool):
    """The mean of each window's elements that lie inside the input."""

    kind = "average_pool"
