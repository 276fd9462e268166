"""SqueezeNet's cost in closed form, over whole arrays of metaparameters at once.

It takes the place of building a graph where a sampler or a user asks for the cost of
a million points. Tests hold it equal to the fold over the graph (`dse.arch.cost`).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64
from numpy.typing import ArrayLike, NDArray

from dse.arch.cost import BYTES_FP32
from dse.arch.graph import MaxPool, Shape
from dse.families.squeezenet import (
    CONV1_FILTERS,
    FIRE_MODULES,
    IMAGENET_INPUT,
    Bypass,
    Metaparameters,
    Version,
    stem,
)

Reals = NDArray[np.float64]
"""Whole numbers in 64-bit floats, exact below 2^53 and faster than integers."""

BLOCK = 8192
"""Points worked on at a time: what is in between stays in the processor's cache."""


@dataclass(frozen=True)
class CostArrays:
    """Whole costs of many points, each an array of the points' common shape."""

    params: Int64[np.ndarray, "..."]
    macs: Int64[np.ndarray, "..."]
    activations: Int64[np.ndarray, "..."]

    @property
    def bytes_fp32(self) -> Int64[np.ndarray, "..."]:
        """Bytes of the parameters at 32 bits each."""
        return BYTES_FP32 * self.params


def squeezenet_cost(
    base_e: ArrayLike,
    incr_e: ArrayLike,
    freq: ArrayLike,
    sr: ArrayLike,
    pct_3x3: ArrayLike,
    bypass: Bypass = "none",
    version: Version = "1.0",
    pools: str = "version",
    input_shape: Shape = (227, 227, 3),
    classes: int = 1000,
) -> CostArrays:
    """Costs of every point of the broadcast arrays of metaparameters.

    Args:
        base_e: whole numbers, expand filters of fire2.
        incr_e: whole numbers, their increment.
        freq: whole numbers, Fire modules per increment.
        sr: squeeze ratios in [0, 1].
        pct_3x3: shares of 3x3 filters in [0, 1].
        bypass: one macroarchitecture for all points.
        version: one version for all points.
        pools: places of the max pools, for all points.
        input_shape: height, width, channels of one image.
        classes: class scores.

    Raises:
        DseError: the input is too small, or `pools` are no places.
    """
    macroarchitecture = Metaparameters(version=version, pools=pools)
    points = np.broadcast_arrays(base_e, incr_e, freq, sr, pct_3x3)
    shape = points[0].shape
    flat = [np.asarray(x, np.float64).reshape(-1) for x in points]
    totals = np.empty((3, flat[0].size), np.int64)
    places = _positions(macroarchitecture, input_shape)
    small = min(input_shape[:2]) < IMAGENET_INPUT
    outer = stem(macroarchitecture, min(input_shape[:2]))
    conv1 = outer.conv1_kernel**2 * input_shape[2]
    for start in range(0, totals.shape[1], BLOCK):
        block = slice(start, start + BLOCK)
        base, increment, every, ratio, share = (x[block] for x in flat)
        channels = np.full(base.shape, float(CONV1_FILTERS[version]))
        if small:
            channels = np.maximum(1, _round_half_up(channels * base / 128))
        total = _Total(base.size)
        total.add(conv1 * channels, channels, places[0])
        for i in range(FIRE_MODULES):
            e = base + increment * np.floor(i / every) if i else base
            e3x3 = _round_half_up(share * e)
            s1x1 = np.maximum(1, _round_half_up(ratio * e))
            weights = s1x1 * (channels + e + 8 * e3x3)
            biases = s1x1 + e
            if bypass == "complex":
                widened = channels != e
                weights += widened * (channels * e)
                biases += widened * e
            total.add(weights, biases, places[1 + i])
            channels = e
        classifier = np.full(base.shape, float(classes))
        total.add(channels * classes, classifier, places[-1])
        total.close()
        totals[:, block] = total.params, total.macs, total.activations
    return CostArrays(*(values.reshape(shape) for values in totals))


def _positions(macroarchitecture: Metaparameters, input_shape: Shape) -> list[int]:
    """Output positions of conv1, of each Fire module, and of conv10."""
    outer = stem(macroarchitecture, min(input_shape[:2]))
    pool = MaxPool("", ("",), 3, 2, outer.rounding)

    def after_conv1(size: int) -> int:
        overhang = size + 2 * outer.conv1_padding - outer.conv1_kernel
        return overhang // outer.conv1_stride + 1

    height, width = (after_conv1(size) for size in input_shape[:2])
    positions = [height * width]
    for layer in range(1, FIRE_MODULES + 2):
        if layer in macroarchitecture.pool_places:
            height, width, _ = pool.output_shape((height, width, 1))
        positions.append(height * width)
    around = 2 * outer.conv10_padding
    return [*positions[:-1], (height + around) * (width + around)]


class _Total:
    """Sums convolutions of `weights` and `biases` over their output positions.

    Layers of equal positions follow one another, and are multiplied by them once.
    """

    def __init__(self, size: int) -> None:
        self.params, self.macs, self.activations = (np.zeros(size) for _ in range(3))
        self._weights, self._biases = np.zeros(size), np.zeros(size)
        self._positions = 0

    def add(self, weights: Reals, biases: Reals, positions: int) -> None:
        if positions != self._positions:
            self.close()
            self._positions = positions
        self._weights += weights
        self._biases += biases

    def close(self) -> None:
        """Count what was added since the positions last changed."""
        self.params += self._weights
        self.params += self._biases
        self.macs += self._weights * self._positions
        self.activations += self._biases * self._positions
        self._weights[:] = self._biases[:] = 0


def _round_half_up(values: Reals) -> Reals:
    return np.floor(values + 0.5)
