"""Costs in closed form, for whole arrays of metaparameters at once.

A family with closed forms builds no graph when a sampler or a user asks for the costs
of a million points. Tests check that they equal the costs of the graph
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
"""Points computed at a time: their intermediate arrays fit the processor's cache."""


@dataclass(frozen=True)
class CostArrays:
    """Costs of many points, each an array of the points' common shape."""

    params: Int64[np.ndarray, "..."]
    macs: Int64[np.ndarray, "..."]
    activations: Int64[np.ndarray, "..."]

    @property
    def bytes_fp32(self) -> Int64[np.ndarray, "..."]:
        """Bytes of the parameters at 32 bits each."""
        return BYTES_FP32 * self.params


class CostSum:
    """Running sum of the costs of convolutions.

    Consecutive layers with the same number of output positions are first added up, then
    multiplied by that number once.
    """

    def __init__(self, size: int) -> None:
        self.params, self.macs, self.activations = (np.zeros(size) for _ in range(3))
        self._weights, self._outputs = np.zeros(size), np.zeros(size)
        self._positions = 0

    def add(
        self, weights: Reals, outputs: Reals, positions: int, learnt: int = 1
    ) -> None:
        """Add a layer, with its numbers of weights and output channels at each point.

        Args:
            weights: weights of its kernel.
            outputs: output channels.
            positions: output positions.
            learnt: other parameters of a channel: 1 for a bias, 2 for a batch norm.
        """
        if positions != self._positions:
            self.close()
            self._positions = positions
        self._weights += weights
        self._outputs += outputs
        self.params += learnt * outputs

    def close(self) -> None:
        """Add the layers since the last change of positions to the totals."""
        self.params += self._weights
        self.macs += self._weights * self._positions
        self.activations += self._outputs * self._positions
        self._weights[:] = self._outputs[:] = 0


def in_blocks(
    points: Mapping[str, ArrayLike], add_up: Callable[[Mapping[str, Reals]], CostSum]
) -> CostArrays:
    """Compute the costs of every point of the broadcast arrays, block by block.

    `add_up` returns the costs of a block, given its metaparameters as flat arrays.
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
