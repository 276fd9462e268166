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
from dse.arch.squeezenet import (
    CONV1_FILTERS,
    FIRE_MODULES,
    IMAGENET_INPUT,
    POOL_PLACES,
    Bypass,
    Metaparameters,
    Version,
    stem,
)

Integers = NDArray[np.int64]


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
        input_shape: height, width, channels of one image.
        classes: class scores.

    Raises:
        DseError: the input is too small.
    """
    points = np.broadcast_arrays(base_e, incr_e, freq, sr, pct_3x3)
    base, increment, every = (np.asarray(x, np.int64) for x in points[:3])
    ratio, share = (np.asarray(x, np.float64) for x in points[3:])
    small = min(input_shape[:2]) < IMAGENET_INPUT
    outer = stem(Metaparameters(version=version), min(input_shape[:2]))
    channels = np.full(base.shape, CONV1_FILTERS[version], np.int64)
    if small:
        channels = np.maximum(1, _round_half_up(channels * base / 128))

    def size_after_conv1(size: int) -> int:
        overhang = size + 2 * outer.conv1_padding - outer.conv1_kernel
        return overhang // outer.conv1_stride + 1

    height, width = (size_after_conv1(size) for size in input_shape[:2])
    weights = outer.conv1_kernel**2 * input_shape[2] * channels
    total = _Total(base.shape)
    total.add(weights, channels, height * width)
    pool = MaxPool("", ("",), 3, 2, outer.rounding)
    for i in range(FIRE_MODULES):
        if i + 1 in POOL_PLACES[version]:
            height, width, _ = pool.output_shape((height, width, 1))
        e = base + increment * (i // every)
        e3x3 = _round_half_up(share * e)
        s1x1: Integers = np.maximum(1, _round_half_up(ratio * e))
        total.add(channels * s1x1, s1x1, height * width)
        total.add(s1x1 * (e - e3x3) + 9 * s1x1 * e3x3, e, height * width)
        if bypass == "complex":
            widened = (channels != e).astype(np.int64)
            total.add(widened * channels * e, widened * e, height * width)
        channels = e
    if FIRE_MODULES + 1 in POOL_PLACES[version]:
        height, width, _ = pool.output_shape((height, width, 1))
    height, width = (size + 2 * outer.conv10_padding for size in (height, width))
    total.add(channels * classes, np.full_like(channels, classes), height * width)
    return CostArrays(total.params, total.macs, total.activations)


class _Total:
    """Sums convolutions of `weights` and `biases` over their output positions."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.params, self.macs, self.activations = (
            np.zeros(shape, np.int64) for _ in range(3)
        )

    def add(self, weights: Integers, biases: Integers, positions: int) -> None:
        self.params += weights + biases
        self.macs += weights * positions
        self.activations += biases * positions


def _round_half_up(values: NDArray[np.float64]) -> Integers:
    return np.floor(values + 0.5).astype(np.int64)
