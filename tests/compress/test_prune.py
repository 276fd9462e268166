"""Which weights are kept: by hand, and at the edges."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dse.compress.prune import above_deviation, density_after, largest
from dse.errors import DseError


def test_the_largest_magnitudes_by_hand():
    weights = np.array([[0.1, -0.5], [0.3, 0.2]], np.float32)
    assert largest(weights, 0.5).tolist() == [[False, True], [True, False]]
    # A third of four is rounded up to two.
    assert largest(weights, 0.33).sum() == 2
    assert largest(weights, 1.0).all()


def test_of_equal_magnitudes_the_first_are_kept():
    mask = largest(np.array([1, -1, 1, -1], np.float32), 0.5)
    assert mask.tolist() == [True, True, False, False]


@given(st.integers(1, 500), st.floats(0.001, 1), st.integers(0, 99))
def test_no_pruned_weight_is_larger_than_a_kept_one(size, density, seed):
    weights = np.random.default_rng(seed).standard_normal(size).astype(np.float32)
    mask = largest(weights, density)
    magnitudes = np.abs(weights)
    assert mask.sum() == int(np.ceil(density * size))
    assert magnitudes[mask].min() >= magnitudes[~mask].max(initial=0)


def test_beyond_the_deviation_by_hand():
    # Mean 0, variance (4 + 4 + 1 + 1) / 4, deviation 1.58.
    weights = np.array([2, -2, 1, -1], np.float32)
    assert above_deviation(weights, 1.0).tolist() == [True, True, False, False]
    assert above_deviation(weights, 0.5).all()


def test_pruning_to_nothing_is_refused():
    weights = np.array([2, -2, 1, -1], np.float32)
    with pytest.raises(DseError, match="a density of 0 keeps none of 4 weights"):
        largest(weights, 0.0)
    with pytest.raises(DseError, match="none of 4 weights is more than 3 standard dev"):
        above_deviation(weights, 3.0)


def test_the_densities_on_the_way_by_hand():
    # Half way, an eighth of what is to go is left.
    assert density_after(0, 2, 0.2) == 1
    assert density_after(1, 2, 0.2) == pytest.approx(0.2 + 0.8 / 8)
    assert density_after(2, 2, 0.2) == 0.2
