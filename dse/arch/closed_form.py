"""Costs in closed form, over whole arrays of metaparameters at once.

A family that has them takes the place of building a graph where a sampler or a person
asks for the cost of a million points. Tests hold them equal to the fold over the graph
(`dse.arch.cost`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int64
from numpy.typing import ArrayLike, NDArray

from dse.arch.cost import BYTES_FP32

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


class CostSum:
    """The sum over convolutions with `weights` and `biases` at their output positions.

    Layers of equal positions follow one another, and are multiplied by them once.
    """

    def __init__(self, size: int) -> None:
        self.params, self.macs, self.activations = (np.zeros(size) for _ in range(3))
        self._weights, self._biases = np.zeros(size), np.zeros(size)
        self._positions = 0

    def add(self, weights: Reals, biases: Reals, positions: int) -> None:
        """Add a layer, an array over the points each."""
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


def in_blocks(
    points: Mapping[str, ArrayLike], add_up: Callable[[Mapping[str, Reals]], CostSum]
) -> CostArrays:
    """Costs of every point of the broadcast arrays, block by block.

    Args:
        points: the metaparameters by name.
        add_up: the costs of a block of points, each metaparameter a flat array.
    """
    arrays = np.broadcast_arrays(*points.values())
    shape: tuple[int, ...] = arrays[0].shape
    flat = [np.asarray(array, np.float64).reshape(-1) for array in arrays]
    totals: NDArray[Any] = np.empty((3, flat[0].size), np.int64)
    for start in range(0, totals.shape[1], BLOCK):
        block = slice(start, start + BLOCK)
        values = [array[block] for array in flat]
        total = add_up(dict(zip(points, values, strict=True)))
        total.close()
        totals[:, block] = total.params, total.macs, total.activations
    return CostArrays(*(values.reshape(shape) for values in totals))
