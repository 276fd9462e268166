"""The forms in which a compressed network keeps an array of weights."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import numpy as np
from jaxtyping import Float32, Int64, UInt8
from numpy.typing import NDArray

from dse.errors import DseError

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Dense:
    """All weights as 32-bit floats."""

    values: Array

    @property
    def shape(self) -> tuple[int, ...]:
        """Axes of the array."""
        return self.values.shape

    def array(self) -> Array:
        """The weights."""
        return self.values


@dataclass(frozen=True)
class _Pruned:
    """An array of which some weights are kept; the others are 0.

    Attributes:
        shape: axes of the array.
        positions: ascending positions of kept weights in the flattened array.

    Raises:
        DseError: positions are not ascending within the array.
    """

    shape: tuple[int, ...]
    positions: Int64[np.ndarray, " kept"]

    def __post_init__(self) -> None:
        size, places = prod(self.shape), self.positions
        if not len(places):
            return
        if places[0] < 0 or places[-1] >= size or (np.diff(places) <= 0).any():
            raise DseError(
                f"positions of weights are not ascending from 0 to {size - 1:,}, where "
                f"an array of {self.shape} has its weights"
            )

    def _with_zeros(self, values: Float32[np.ndarray, " kept"]) -> Array:
        """The array of these kept weights."""
        if len(self.positions) == prod(self.shape):
            return values.reshape(self.shape)
        flat = np.zeros(prod(self.shape), np.float32)
        flat[self.positions] = values
        return flat.reshape(self.shape)


@dataclass(frozen=True)
class Sparse(_Pruned):
    """The kept weights of a pruned array.

    Attributes:
        values: the kept weights.
    """

    values: Float32[np.ndarray, " kept"]

    def array(self) -> Array:
        """The weights, zeros among them."""
        return self._with_zeros(self.values)


@dataclass(frozen=True)
class Shared(_Pruned):
    """Kept weights that share the values of a codebook.

    Attributes:
        codes: of each kept weight, its value's place in the codebook.
        codebook: at most 256 values.

    Raises:
        DseError: a code is beyond the codebook.
    """

    codes: UInt8[np.ndarray, " kept"]
    codebook: Float32[np.ndarray, " values"]

    def __post_init__(self) -> None:
        super().__post_init__()
        highest = int(self.codes.max(initial=0))
        if len(self.codes) and highest >= len(self.codebook):
            raise DseError(
                f"a weight has the code {highest}; the codebook has "
                f"{len(self.codebook)} values"
            )

    def array(self) -> Array:
        """The weights, zeros among them."""
        return self._with_zeros(self.codebook[self.codes])


@dataclass(frozen=True)
class Linear(_Pruned):
    """Kept weights on a grid of 256 equal steps.

    Attributes:
        codes: of each kept weight, its place in the grid.
        lowest: weight of code 0.
        step: distance of neighbours.
    """

    codes: UInt8[np.ndarray, " kept"]
    lowest: float
    step: float

    @property
    def codebook(self) -> Float32[np.ndarray, " values"]:
        """The values of the grid."""
        grid = np.float32(self.lowest) + np.float32(self.step) * np.arange(256)
        return grid.astype(np.float32)

    def array(self) -> Array:
        """The weights, zeros among them."""
        return self._with_zeros(self.codebook[self.codes])


@dataclass(frozen=True)
class Factors:
    """A kernel as the product of two matrices (Denton et al. 2014).

    Attributes:
        shape: axes of the kernel; its last axis is the outputs.
        left: inputs of one output x rank.
        right: rank x outputs.
    """

    shape: tuple[int, ...]
    left: Float32[np.ndarray, "inputs rank"]
    right: Float32[np.ndarray, "rank outputs"]

    def array(self) -> Array:
        """The product."""
        product: Array = (self.left @ self.right).reshape(self.shape)
        return product


Tensor = Dense | Sparse | Shared | Linear | Factors
"""An array of weights in some form."""
Tensors = Mapping[str, Mapping[str, Tensor]]
"""Tensors by layer name, then by parameter name."""
