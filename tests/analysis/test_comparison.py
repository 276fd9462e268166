"""Paired differences by hand, against SciPy, and by simulation."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from dse.analysis.comparison import (
    Difference,
    compare,
    error_of_each_end,
    front_probability,
)
from dse.errors import DseError


def frame(scores, missing=()):
    """Runs of these accuracies, cells by replicates."""
    return pd.DataFrame(
        [
            {
                "cell_id": f"c{cell}",
                "replicate": replicate,
                "status": "failed" if (cell, replicate) in missing else "complete",
                "test_accuracy": accuracy,
            }
            for cell, row in enumerate(scores)
            for replicate, accuracy in enumerate(row)
        ]
    )


def test_two_cells_of_two_replicates_by_hand():
    comparison = compare(frame([[0.5, 0.6], [0.7, 0.9]]))
    assert comparison.subjects == ("c0", "c1")
    # Differences 0.2 and 0.3: mean 0.25, deviation 0.1/√2, error 0.05, freedom 1.
    found = comparison.difference("c1", "c0")
    assert (found.estimate, found.deviation, found.pairs) == (
        pytest.approx(0.25),
        pytest.approx(0.1 / math.sqrt(2)),
        2,
    )
    # t(0.975; 1) = 12.7062.
    low, high = found.interval(0.025)
    assert (low, high) == pytest.approx(
        (0.25 - 12.7062 * 0.05, 0.25 + 12.7062 * 0.05), rel=1e-5
    )


def test_two_cells_are_the_paired_t_test():
    generator = np.random.default_rng(1)
    scores = generator.normal(0.8, 0.02, (2, 7))
    found = compare(frame(scores)).difference("c1", "c0")
    low, high = found.interval(0.05)
    expected = stats.ttest_rel(scores[1], scores[0]).confidence_interval(0.9)
    assert (low, high) == pytest.approx(tuple(expected))


@given(
    shifts=st.lists(st.floats(-0.2, 0.2), min_size=4, max_size=4),
    missing=st.sets(st.tuples(st.integers(0, 2), st.integers(0, 3)), max_size=2),
)
def test_what_moves_a_replicate_of_all_cells_moves_no_difference(shifts, missing):
    generator = np.random.default_rng(2)
    scores = generator.normal(0.7, 0.05, (3, 4))
    before = compare(frame(scores, missing))
    after = compare(frame(scores + np.array(shifts), missing))
    for better, worse in (("c1", "c0"), ("c2", "c1")):
        one, other = (c.difference(better, worse) for c in (before, after))
        assert other.estimate == pytest.approx(one.estimate, abs=1e-9)
        assert other.deviation == pytest.approx(one.deviation, abs=1e-9)


def test_a_missing_run_costs_a_pair_and_is_not_made_up():
    scores = [[0.5, 0.6, 0.7], [0.6, 0.7, 0.9]]
    found = compare(frame(scores, {(1, 2)})).difference("c1", "c0")
    assert (found.pairs, found.estimate) == (2, pytest.approx(0.1))
    with pytest.raises(DseError, match="have 1 complete replicate in common"):
        compare(frame([*scores, scores[0]], {(1, 2), (1, 0)})).difference("c1", "c0")


def test_an_alias_counts_once():
    runs = frame([[0.5, 0.6], [0.7, 0.9]])
    assert compare(pd.concat([runs, runs])).difference("c1", "c0").pairs == 2


@pytest.mark.parametrize("better", ["c1", "c2"])
def test_the_interval_covers_as_often_as_it_says(better):
    """Of cells that scatter by 1, 1 and 4 points, five replicates, one run missing."""
    generator = np.random.default_rng(3)
    truth = np.array([0.6, 0.7, 0.72])
    spread = np.array([[0.01], [0.01], [0.04]])
    gain = truth[int(better[1])] - truth[0]
    covered = 0
    for _ in range(2000):
        shared = generator.normal(0, 0.05, 5)
        scores = truth[:, None] + shared + spread * generator.normal(0, 1, (3, 5))
        found = compare(frame(scores, {(2, 1)})).difference(better, "c0")
        low, high = found.interval(0.05)
        covered += low <= gain <= high
    assert abs(covered - 1800) < 5 * math.sqrt(2000 * 0.9 * 0.1)


def test_no_difference_is_beyond_a_hundred_points():
    # 0.9 ± 12.7 x 0.1 would reach to 2.17.
    assert Difference(0.9, 0.1 * math.sqrt(2), 2).interval(0.025)[1] == 1
    assert Difference(-0.8, 0.1 * math.sqrt(2), 2).interval(0.025)[0] == -1


def test_an_interval_that_tells_nothing_is_none():
    assert np.isnan(Difference(-0.2, 0.5, 2).interval(0.025)).all()
    # 0.7 - 0.6 and 0.8 - 0.7 are equal but for rounding.
    differences = np.array([0.7 - 0.6, 0.8 - 0.7])
    assert differences.std(ddof=1) > 0
    equal = Difference(differences.mean(), differences.std(ddof=1), 2)
    assert np.isnan(equal.interval(0.05)).all()


def test_what_is_told_together_is_right_together():
    """Of three true differences of 0, 0 and 5 points a wrong side is named in 5 %."""
    generator = np.random.default_rng(4)
    error = error_of_each_end(3)
    assert error == pytest.approx(0.05 / 3)
    studies, truth = 2000, np.array([0.0, 0.0, 0.05])
    sided = both = 0
    for _ in range(studies):
        drawn = truth[:, None] + generator.normal(0, 0.05, (3, 4))
        found = [Difference(d.mean(), d.std(ddof=1), 4).interval(error) for d in drawn]
        lows, highs = np.array(found).T
        # "Above" a bound that was set beforehand, the differences themselves.
        sided += (lows > truth).any()
        both += ((lows > truth) | (highs < truth)).any()
    # 1 - (1 - 0.05 / 3)^3 = 4.9 %, and 9.7 % for both ends.
    assert abs(sided / studies - 0.049) < 5 * math.sqrt(0.05 / studies)
    assert abs(both / studies - 0.097) < 5 * math.sqrt(0.1 / studies)


def test_the_chance_to_be_on_the_front():
    scores = np.array(
        [[0.70, 0.71, 0.69, 0.70], [0.71, 0.71, 0.70, 0.70], [0.60, 0.61, 0.60, 0.62]]
    )
    comparison = compare(frame(scores))
    cost = np.array([1.0, 2.0, 3.0])
    chances = front_probability(comparison, cost, draws=20_000)
    # The smallest is always there, the largest hardly ever. The one between gains 1, 0,
    # 1 and 0 points over it: a paired t-test's chance that the gain is one.
    assert chances[0] == 1
    assert chances[2] < 0.001
    found = comparison.difference("c1", "c0")
    error = found.deviation / math.sqrt(found.pairs)
    expected = stats.t.cdf(found.estimate / error, found.pairs - 1)
    assert chances[1] == pytest.approx(expected, abs=0.03)
    even = np.array([[0.70, 0.70, 0.70, 0.70], [0.71, 0.69, 0.71, 0.69]])
    half = front_probability(compare(frame(even)), cost[:2], draws=20_000)
    assert half[1] == pytest.approx(0.5, abs=0.02)


def test_draws_have_the_variance_of_a_mean():
    """A rival that is exact at mean + 1 standard error is beaten as a normal is."""
    generator = np.random.default_rng(6)
    own = generator.normal(0.7, 0.01, 20)
    error = own.std(ddof=1) / math.sqrt(20)
    rival = np.full(20, own.mean() + error)
    chances = front_probability(
        compare(frame([rival, own])), np.array([1.0, 2.0]), draws=20_000
    )
    assert chances[1] == pytest.approx(stats.norm.sf(1), abs=0.02)


def test_without_a_second_replicate_or_cell_nothing_is_compared():
    with pytest.raises(DseError, match="each cell has one replicate, so no interval"):
        compare(frame([[0.5], [0.6]]))
    with pytest.raises(DseError, match="too few replicates are complete in more"):
        compare(frame([[0.5, 0.6], [0.6, 0.7]], missing={(1, 1)}))
    with pytest.raises(DseError, match=r"too few .* --seeds 4 or more"):
        # No two cells share two replicates.
        scores = [[0.60, 0.61, 0.0], [0.70, 0.0, 0.71], [0.0, 0.0, 0.50]]
        compare(frame(scores, missing={(0, 2), (1, 1), (2, 0), (2, 1)}))
    with pytest.raises(DseError, match="there is 1 cell with results"):
        compare(frame([[0.5, 0.6]]))
