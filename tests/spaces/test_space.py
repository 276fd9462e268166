import itertools

import numpy as np
import pytest

from dse.arch.cost import cost
from dse.errors import DseError
from dse.families.closed_form import squeezenet_cost
from dse.families.squeezenet import Metaparameters, squeezenet
from dse.spaces.space import SPACES, Budget, Grid, Space, named_space, narrowed

SMALL = Space(
    base_e=Grid(4, 20, 4),
    incr_e=Grid(0, 12, 4),
    freq=Grid(1, 3, 1),
    sr=Grid(0.25, 1.0, 0.25),
    pct_3x3=Grid(0.0, 1.0, 0.5),
)


def test_grid_values():
    assert Grid(0.125, 0.5, 0.125).values == (0.125, 0.25, 0.375, 0.5)
    assert Grid(4, 4, 4).values == (4,)


@pytest.mark.parametrize("limit", [6_000, 15_000, 60_000])
def test_narrowing_loses_no_point_within_budget(limit):
    budget = Budget(max_bytes=limit)
    space = narrowed(SMALL, budget, (28, 28, 1), 10)
    points = list(itertools.product(*(g.values for g in SMALL.grids.values())))
    costs = squeezenet_cost(*np.array(points).T, input_shape=(28, 28, 1), classes=10)
    within = [p for p, b in zip(points, costs.bytes_fp32, strict=True) if b <= limit]
    assert within
    for column, grid in enumerate(space.grids.values()):
        used = sorted({point[column] for point in within})
        # Exact: every value that is left has a point, and no value is missing.
        assert list(grid.values) == used


def test_a_budget_that_no_point_meets_names_the_smallest():
    smallest = Metaparameters(4, 0, 3, 0.25, 0.0)
    params = cost(squeezenet(smallest, (28, 28, 1), 10)).params
    with pytest.raises(DseError, match=f"{params:,} parameters") as error:
        narrowed(SMALL, Budget(max_params=params - 1), (28, 28, 1), 10)
    assert "base_e=4, incr_e=0, freq=3, sr=0.25, pct_3x3=0" in str(error.value)
    assert narrowed(SMALL, Budget(max_params=params), (28, 28, 1), 10)


def test_excess_is_the_share_beyond_each_limit():
    budget = Budget(max_params=100, max_bytes=800, max_macs=None)
    assert budget.excess(params=150, macs=9) == {"params": 0.5, "bytes": -0.25}


@pytest.mark.parametrize("limit", [0, -5])
def test_a_limit_is_positive(limit):
    with pytest.raises(DseError, match=f"max_macs is {limit}"):
        Budget(max_macs=limit)


def test_unknown_space():
    with pytest.raises(DseError, match="narrow or paper"):
        named_space("wide")
    assert set(SPACES) == {"narrow", "paper"}
