"""Named design spaces over the five metaparameters, and hard budgets on cost."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool
from numpy.typing import ArrayLike

from dse.arch.cost import BYTES_FP32
from dse.arch.graph import Shape
from dse.bounds import MOST, check_number
from dse.errors import DseError
from dse.families.closed_form import CostArrays, squeezenet_cost


@dataclass(frozen=True)
class Grid:
    """Evenly spaced values from `low` to `high`, whole numbers or fractions."""

    low: float
    high: float
    step: float

    @property
    def values(self) -> tuple[float, ...]:
        """All values, ascending."""
        steps = round((self.high - self.low) / self.step)
        return tuple(self.low + self.step * i for i in range(steps + 1))


@dataclass(frozen=True)
class Space:
    """The values that each metaparameter of section 5.1 may take."""

    base_e: Grid
    incr_e: Grid
    freq: Grid
    sr: Grid
    pct_3x3: Grid

    @property
    def grids(self) -> Mapping[str, Grid]:
        """The grids by name."""
        return {
            "base_e": self.base_e,
            "incr_e": self.incr_e,
            "freq": self.freq,
            "sr": self.sr,
            "pct_3x3": self.pct_3x3,
        }

    @property
    def cheapest(self) -> Mapping[str, float]:
        """The corner of least cost: all low, but increments as rare as can be."""
        corner = {name: grid.low for name, grid in self.grids.items()}
        return {**corner, "freq": self.freq.high}


_EIGHTHS = Grid(0.125, 1.0, 0.125)
_EIGHTHS_AND_ZERO = Grid(0.0, 1.0, 0.125)

SPACES: Mapping[str, Space] = {
    "narrow": Space(
        base_e=Grid(4, 32, 4),
        incr_e=Grid(0, 32, 4),
        freq=Grid(1, 4, 1),
        sr=_EIGHTHS,
        pct_3x3=_EIGHTHS_AND_ZERO,
    ),
    "paper": Space(
        base_e=Grid(16, 256, 16),
        incr_e=Grid(0, 256, 16),
        freq=Grid(1, 4, 1),
        sr=_EIGHTHS,
        pct_3x3=_EIGHTHS_AND_ZERO,
    ),
}
"""`narrow` trains on two cores in seconds a point; `paper` spans section 5's widths."""


def named_space(name: str) -> Space:
    """The space called `name`.

    Raises:
        DseError: there is none.
    """
    if name not in SPACES:
        raise DseError(f"no space is called {name!r}; expected {' or '.join(SPACES)}")
    return SPACES[name]


COSTS = {"params": "params", "bytes": "bytes_fp32", "macs": "macs"}
"""The cost that each kind of limit is about."""


@dataclass(frozen=True)
class Budget:
    """Hard upper limits on cost; None where there is none.

    Raises:
        DseError: one is under 1, or no finite number.
    """

    max_params: int | None = None
    max_bytes: int | None = None
    max_macs: int | None = None

    def __post_init__(self) -> None:
        for name, limit in self.limits.items():
            if limit is not None:
                check_number(f"max_{name}", limit, 1, MOST)

    @property
    def limits(self) -> Mapping[str, int | None]:
        """The limits by the name of the cost."""
        return {
            "params": self.max_params,
            "bytes": self.max_bytes,
            "macs": self.max_macs,
        }

    def excess(self, params: int, macs: int) -> dict[str, float]:
        """Share of each limit by which the cost exceeds it; at most 0 when feasible."""
        costs = {"params": params, "bytes": BYTES_FP32 * params, "macs": macs}
        return {
            name: costs[name] / limit - 1
            for name, limit in self.limits.items()
            if limit is not None
        }

    def admits(self, costs: CostArrays) -> Bool[np.ndarray, "..."]:
        """Where the costs stay within every limit."""
        admitted = np.ones(np.shape(costs.params), bool)
        for name, limit in self.limits.items():
            if limit is not None:
                admitted &= getattr(costs, COSTS[name]) <= limit
        return admitted


def narrowed(space: Space, budget: Budget, input_shape: Shape, classes: int) -> Space:
    """`space` less the values that no point within `budget` can have.

    Cost rises with every metaparameter but `freq`, with which it falls: a value is of
    use when it fits the budget with all others at their cheapest.

    Raises:
        DseError: not even the cheapest point fits; the line gives its cost.
    """
    cheapest = space.cheapest

    def costs_with(**values: ArrayLike) -> CostArrays:
        point: dict[str, Any] = {**cheapest, **values}
        return squeezenet_cost(**point, input_shape=input_shape, classes=classes)

    least = costs_with()
    if not budget.admits(least):
        named = ", ".join(f"{name}={value:g}" for name, value in cheapest.items())
        raise DseError(
            f"no point of the space meets the budget: the smallest ({named}) has "
            f"{least.params:,} parameters, {least.bytes_fp32:,} bytes, "
            f"{least.macs:,} MACs; raise the budget or take a narrower space"
        )
    grids = {}
    for name, grid in space.grids.items():
        values = np.asarray(grid.values)
        useful = values[budget.admits(costs_with(**{name: values}))]
        grids[name] = replace(grid, low=float(useful[0]), high=float(useful[-1]))
    return Space(**grids)
