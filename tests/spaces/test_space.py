import itertools

import numpy as np
import pytest

from dse.arch.cost import cost
from dse.errors import DseError
from dse.families.nin import Nin
from dse.families.squeezenet import SqueezeNet
from dse.fields import Grid
from dse.spaces.budget import Budget
from dse.spaces.space import Space, named_space, narrowed

SMALL = Space(
    SqueezeNet(),
    {
        "base_e": Grid(4, 20, 4),
        "incr_e": Grid(0, 12, 4),
        "freq": Grid(1, 3, 1),
        "sr": Grid(0.25, 1.0, 0.25),
        "pct_3x3": Grid(0.0, 1.0, 0.5),
    },
)
MNIST = (28, 28, 1), 10


def test_grid_values():
    assert Grid(0.125, 0.5, 0.125).values == (0.125, 0.25, 0.375, 0.5)
    assert Grid(4, 4, 4).values == (4,)
    assert Grid(0.1, 0.4, 0.1).values == (0.1, 0.2, 0.3, 0.4)


def test_a_space_and_a_sweep_name_the_same_point():
    """Samplers add up steps, and would name 0.3 as 0.30000000000000004."""
    space = Space(SqueezeNet(), {"sr": Grid(0.1, 0.9, 0.1)})
    assert space.listed("sr") == tuple(round(i / 10, 1) for i in range(1, 10))
    assert space.point({"sr": 0.1 + 0.1 + 0.1}) == SqueezeNet(sr=0.3)
    # A value that was written is meant to the last digit.
    written = Space(SqueezeNet(), {"sr": (1 / 3, 0.5)})
    assert written.point({"sr": 1 / 3}) == SqueezeNet(sr=1 / 3)


def test_what_a_space_lists():
    # 5 base_e, 4 incr_e, 3 freq, 4 sr and 3 pct_3x3.
    assert SMALL.settings == 5 * 4 * 3 * 4 * 3
    assert SMALL.listed("base_e") == (4, 8, 12, 16, 20)
    assert {type(value) for value in SMALL.listed("base_e")} == {int}
    assert SMALL.listed("pct_3x3") == (0.0, 0.5, 1.0)
    assert SMALL.cheapest == {
        "base_e": 4,
        "incr_e": 0,
        "freq": 3,  # the later wider, the cheaper
        "sr": 0.25,
        "pct_3x3": 0.0,
    }


def test_a_space_of_words_and_numbers():
    space = Space(SqueezeNet(8, 8), {"bypass": ("none", "complex"), "sr": (0.5, 1.0)})
    assert space.settings == 4
    assert space.point({"bypass": "complex", "sr": 1.0}) == SqueezeNet(
        8, 8, sr=1.0, bypass="complex"
    )
    # A bypass does not say how cost moves with it: each is tried with the cheapest.
    assert space.cheapest == {"sr": 0.5}
    assert space.corners == [
        {"sr": 0.5, "bypass": "none"},
        {"sr": 0.5, "bypass": "complex"},
    ]
    with pytest.raises(DseError, match=r"the smallest \(sr=0.5, bypass=none\) has"):
        narrowed(space, Budget(max_params=1), *MNIST)
    plain = cost(SqueezeNet(8, 8, sr=0.5).architecture(*MNIST)).params
    left = narrowed(space, Budget(max_params=plain), *MNIST)
    assert left.values == {"bypass": ("none",), "sr": (0.5,)}


def test_a_space_is_known_by_what_it_is():
    same = Space(SqueezeNet(), {name: SMALL.listed(name) for name in SMALL.values})
    assert same.digest == SMALL.digest
    assert len(same.digest) == 8
    for other in (
        Space(SqueezeNet(version="1.1"), SMALL.values),
        Space(SqueezeNet(), {**SMALL.values, "freq": Grid(1, 2, 1)}),
        Space(Nin(), {"width": (0.5, 1.0)}),
    ):
        assert other.digest != SMALL.digest


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({}, "a space varies nothing; expected values of some fields"),
        ({"squeeze": (1, 2)}, "squeezenet has no 'squeeze'; expected some of base_e"),
        ({"bypass": Grid(0, 1, 1)}, "a grid of bypass; expected a tuple of values"),
        ({"base_e": Grid(0, 8, 4)}, "base_e is 0; expected a whole number from 1"),
        (
            {"base_e": Grid(16, 18, 0.5)},
            "grid of base_e from 16 by 0.5; expected whole",
        ),
        ({"sr": Grid(0.5, 1.5, 0.5)}, "sr is 1.5; expected a number from 0 to 1"),
        ({"bypass": ("none", "double")}, "bypass is 'double'; expected one of none"),
    ],
)
def test_a_space_that_cannot_be(values, complaint):
    with pytest.raises(DseError, match=complaint):
        Space(SqueezeNet(), values)


@pytest.mark.parametrize("limit", [6_000, 15_000, 60_000])
def test_narrowing_loses_no_point_within_budget(limit):
    budget = Budget(max_bytes=limit)
    space = narrowed(SMALL, budget, *MNIST)
    points = list(itertools.product(*(SMALL.listed(name) for name in SMALL.values)))
    columns = dict(zip(SMALL.values, np.array(points).T, strict=True))
    costs = SqueezeNet.costs(columns, *MNIST)
    within = [p for p, b in zip(points, costs.bytes_fp32, strict=True) if b <= limit]
    assert within
    for column, name in enumerate(SMALL.values):
        used = sorted({point[column] for point in within})
        # Exact: every value that is left has a point, and no value is missing.
        assert list(space.listed(name)) == used


def test_narrowing_values_that_are_listed():
    space = Space(Nin(), {"width": (0.125, 0.25, 0.5, 1.0)})
    # 32x32x3 and 10 classes: of the published widths 966,986 parameters.
    params = [cost(Nin(width=w).architecture((32, 32, 3), 10)).params for w in (0.5, 1)]
    assert params[1] == 966_986
    kept = narrowed(space, Budget(max_params=params[0]), (32, 32, 3), 10)
    assert kept.listed("width") == (0.125, 0.25, 0.5)


def test_a_budget_that_no_point_meets_names_the_smallest():
    smallest = SqueezeNet(4, 0, 3, 0.25, 0.0)
    params = cost(smallest.architecture(*MNIST)).params
    with pytest.raises(DseError, match=f"{params:,} parameters") as error:
        narrowed(SMALL, Budget(max_params=params - 1), *MNIST)
    assert "base_e=4, incr_e=0, freq=3, sr=0.25, pct_3x3=0" in str(error.value)
    assert narrowed(SMALL, Budget(max_params=params), *MNIST)


def test_excess_is_the_share_beyond_each_limit():
    budget = Budget(max_params=100, max_bytes=800, max_macs=None)
    assert budget.excess(params=150, macs=9) == {"params": 0.5, "bytes": -0.25}


@pytest.mark.parametrize("limit", [0, -5])
def test_a_limit_is_positive(limit):
    with pytest.raises(DseError, match=f"max_macs is {limit}"):
        Budget(max_macs=limit)


def test_spaces_by_name():
    """A narrow width has the first one, the published width the last."""
    name, space = named_space(None, 1 / 8)
    assert (name, space.listed("base_e")[-1]) == ("narrow", 32)
    name, space = named_space(None, 1.0)
    assert (name, space.listed("base_e")[-1]) == ("paper", 256)
    assert named_space("narrow", 1.0)[1] == named_space(None, 1 / 8)[1]
    name, space = named_space("squeezenet.paper", 1 / 8)
    assert name == "squeezenet.paper"
    assert space.anchor == SqueezeNet()


def test_unknown_space():
    with pytest.raises(DseError, match="called 'wide'; expected some of narrow, paper"):
        named_space("wide", 1.0)
    with pytest.raises(DseError, match="nin has no named spaces; say what varies"):
        named_space("nin.narrow", 1.0)
    with pytest.raises(DseError, match="no family is called 'vggg'"):
        named_space("vggg.narrow", 1.0)
