"""Paired differences by hand, against SciPy, and by simulation."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from dse.analysis.comparison import compare, front_probability
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
    assert comparison.means == pytest.approx([0.55, 0.8])
    # Differences 0.2 and 0.3: mean 0.25, deviation 0.1/√2, error 0.05, freedom 1.
    found = comparison.difference("c1", "c0")
    assert (found.estimate, found.error, found.freedom) == (
        pytest.approx(0.25),
        pytest.approx(0.05),
        1,
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
    missing=st.sets(st.tuples(st.integers(0, 2), st.integers(0, 3)), max_size=3),
)
def test_what_moves_a_replicate_of_all_cells_moves_no_difference(shifts, missing):
    generator = np.random.default_rng(2)
    scores = generator.normal(0.7, 0.05, (3, 4))
    before = compare(frame(scores, missing))
    after = compare(frame(scores + np.array(shifts), missing))
    assert after.deviation == pytest.approx(before.deviation, abs=1e-9)
    for better, worse in (("c1", "c0"), ("c2", "c1")):
        one, other = (c.difference(better, worse) for c in (before, after))
        assert other.estimate == pytest.approx(one.estimate, abs=1e-9)
        assert other.error == pytest.approx(one.error, abs=1e-9)


def test_a_missing_run_costs_freedom_and_is_not_made_up():
    scores = [[0.5, 0.6, 0.7], [0.6, 0.7, 0.8]]
    whole, less = compare(frame(scores)), compare(frame(scores, {(1, 2)}))
    assert (whole.freedom, less.freedom) == (2, 1)
    # The cell without replicate 2 is taken to have lost an easy one.
    assert less.means == pytest.approx([0.6, 0.7])
    assert (whole.replicates, less.replicates) == (3, 3)


def test_an_alias_counts_once():
    runs = frame([[0.5, 0.6], [0.7, 0.9]])
    assert compare(pd.concat([runs, runs])).freedom == 1


def test_the_interval_covers_as_often_as_it_says():
    """Of four cells, three replicates and one missing run, 2,000 times."""
    generator = np.random.default_rng(3)
    truth = np.array([0.6, 0.7, 0.72, 0.75])
    covered = 0
    for _ in range(2000):
        shared = generator.normal(0, 0.05, 3)
        scores = truth[:, None] + shared + generator.normal(0, 0.02, (4, 3))
        found = compare(frame(scores, {(2, 1)})).difference("c2", "c0")
        low, high = found.interval(0.05)
        covered += low <= truth[2] - truth[0] <= high
    assert abs(covered - 1800) < 5 * math.sqrt(2000 * 0.9 * 0.1)


def test_replicates_needed_are_the_fewest_that_decide():
    generator = np.random.default_rng(4)
    comparison = compare(frame(generator.normal(0, 0.01, (3, 2)) + 0.8))
    found = comparison.difference("c1", "c0")
    bound = found.estimate - 0.008
    needed = comparison.replicates_needed(found, bound, 0.05)

    def decides(count):
        quantile = stats.t.ppf(0.95, (3 - 1) * (count - 1))
        return quantile * comparison.deviation * math.sqrt(2 / count) < 0.008

    assert needed > 2
    assert decides(needed)
    assert needed == 3 or not decides(needed - 1)
    assert comparison.replicates_needed(found, found.estimate, 0.05) is None


def test_the_chance_to_be_on_the_front():
    generator = np.random.default_rng(5)
    scores = np.array([[0.70], [0.71], [0.60]]) + generator.normal(0, 0.01, (3, 4))
    comparison = compare(frame(scores))
    chances = front_probability(comparison, np.array([1.0, 2.0, 3.0]), draws=20_000)
    # The smallest is always there; the next where it is the more accurate.
    assert chances[0] == 1
    found = comparison.difference("c1", "c0")
    expected = stats.t.cdf(found.estimate / found.error, found.freedom)
    assert chances[1] == pytest.approx(expected, abs=0.02)
    assert chances[2] < 0.01


def test_without_a_second_replicate_or_cell_nothing_is_compared():
    with pytest.raises(DseError, match="each cell has one replicate, so no interval"):
        compare(frame([[0.5], [0.6]]))
    with pytest.raises(DseError, match="too few replicates are complete in more"):
        compare(frame([[0.5, 0.6], [0.6, 0.7]], missing={(1, 1)}))
    with pytest.raises(DseError, match=r"too few .* --seeds 4 or more"):
        # The third cell shares no replicate with the others.
        scores = [[0.60, 0.61, 0.0], [0.70, 0.711, 0.0], [0.0, 0.0, 0.50]]
        compare(frame(scores, missing={(0, 2), (1, 2), (2, 0), (2, 1)}))
    with pytest.raises(DseError, match="there is 1 cell with results"):
        compare(frame([[0.5, 0.6]]))
