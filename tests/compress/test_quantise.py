"""Codebooks: by hand, against all groupings, and the three starts."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dse.compress.quantise import cluster, nearest, on_grid
from dse.compress.tensors import Linear

STARTS = ("linear", "density", "random")


def error(weights, codebook):
    return float(((weights - codebook[nearest(weights, codebook)]) ** 2).sum())


@pytest.mark.parametrize("start", STARTS)
def test_two_heaps_by_hand(start):
    weights = np.array([1, 1.5, -2, -3, 0.5, -4], np.float32)
    codebook = cluster(weights, 2, start)
    assert codebook.tolist() == [-3, 1]
    assert nearest(weights, codebook).tolist() == [1, 1, 0, 0, 1, 0]


@pytest.mark.parametrize("start", STARTS)
def test_no_weight_is_nearer_to_another_value_and_each_value_is_a_mean(start):
    weights = np.random.default_rng(3).standard_normal(5000).astype(np.float32)
    codebook = cluster(weights, 32, start, seed=1)
    codes = nearest(weights, codebook)
    distances = np.abs(weights[:, None] - codebook)
    assert (codes == distances.argmin(1)).mean() > 0.999  # but for ties by rounding
    for code in range(32):
        mean = weights[codes == code].mean(dtype=np.float64)
        assert codebook[code] == pytest.approx(mean, abs=1e-3)


def test_the_best_of_the_starts_is_near_the_best_of_all_groupings():
    weights = np.sort(np.random.default_rng(5).standard_normal(12)).astype(np.float32)
    best = min(
        sum(part.var() * len(part) for part in np.split(weights, cuts))
        for cuts in combinations(range(1, 12), 2)
    )
    found = min(error(weights, cluster(weights, 3, start)) for start in STARTS)
    assert best - 1e-5 <= found <= 1.2 * best


@given(
    st.lists(st.floats(-9, 9, width=32), min_size=1, max_size=40),
    st.integers(2, 256),
    st.sampled_from(STARTS),
)
def test_any_weights_have_a_codebook(listed, values, start):
    weights = np.array(listed, np.float32)
    codebook = cluster(weights, values, start)
    assert len(codebook) == min(values, len(weights))
    assert (np.diff(codebook) >= 0).all()
    assert np.isfinite(codebook).all()
    assert (
        error(weights, codebook) <= error(weights, weights.mean(keepdims=True)) + 1e-6
    )


def test_the_starts_are_what_they_are_called():
    weights = np.array([0, 1, 2, 3, 10], np.float32)
    # From 0, 2.5, 5, 7.5 and 10: no weight is nearest to 5 and 7.5, which stay.
    assert cluster(weights, 5, "linear").tolist() == [0.5, 2.5, 5, 7.5, 10]
    # From quantiles 0.4, 1.2, 2, 2.8 and 7.2, or from all of them: one each.
    assert cluster(weights, 5, "density").tolist() == [0, 1, 2, 3, 10]
    assert cluster(weights, 5, "random", seed=7).tolist() == [0, 1, 2, 3, 10]


def test_a_grid_of_eight_bits_by_hand():
    weights = np.array([-1.0, 0.0, 1.55, 0.51], np.float32)
    codes, lowest, step = on_grid(weights)
    # 255 steps over 2.55 are of 0.01.
    assert lowest == -1
    assert step == pytest.approx(0.01, rel=1e-6)
    assert codes.tolist() == [0, 100, 255, 151]
    grid = Linear((4,), np.arange(4), codes, lowest, step)
    np.testing.assert_allclose(grid.array(), weights, atol=1e-6)


@given(st.lists(st.floats(-1e3, 1e3, width=32), min_size=1, max_size=40))
def test_a_grid_is_at_most_half_a_step_away(listed):
    weights = np.array(listed, np.float32)
    codes, lowest, step = on_grid(weights)
    grid = Linear((len(weights),), np.arange(len(weights)), codes, lowest, step)
    away = np.abs(grid.array().astype(float) - weights).max()
    assert away <= 0.5 * step * 1.01 + 1e-4
