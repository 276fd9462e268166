import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dse.analysis.figures import (
    MACS,
    SIZE,
    draw_measured,
    draw_published,
    marks,
    published_marks,
)
from dse.analysis.fronts import SHADES, draw_all_cells
from dse.analysis.pareto import on_front
from dse.analysis.plotting import new_figure
from dse.analysis.statistics import mean_interval, summarise
from dse.families.squeezenet import SqueezeNet

FIELDS = {"squeezenet": SqueezeNet.fields}


def odds_interval(mean, half):
    """Where the odds of `mean` are exp(±half) times as large."""
    odds = [mean / (1 - mean) * math.exp(sign * half) for sign in (-1, 1)]
    return tuple(x / (1 + x) for x in odds)


def test_the_interval_of_a_mean_by_hand():
    # Mean 0.3; squares 0.04, 0.01, 0.09; t(0.975; 2) = 4.302653; 0.3 x 0.7 = 0.21.
    half = 4.302653 * math.sqrt(0.14 / 2) / math.sqrt(3) / 0.21
    found = mean_interval(np.array([0.1, 0.2, 0.6]))
    assert found == pytest.approx(odds_interval(0.3, half), rel=1e-6)
    # Where deviations are small it is Student's: 0.8 ± 4.302653 x 0.001 / sqrt(3).
    found = mean_interval(np.array([0.799, 0.8, 0.801]))
    half = 4.302653 * 0.001 / math.sqrt(3)
    assert found == pytest.approx((0.8 - half, 0.8 + half), abs=2e-5)


def test_with_too_few_replicates_there_is_no_interval():
    assert np.isnan(mean_interval(np.array([0.1]))).all()
    assert np.isnan(mean_interval(np.array([0.1, 0.3]))).all()


@given(st.lists(st.integers(0, 60), min_size=3, max_size=6))
def test_an_interval_stays_within_the_range_and_holds_the_mean(right):
    """There is none where runs agree: of 60 images they may by chance."""
    runs, cells = frames([[count / 60 for count in right]])
    [row] = summarise(runs, cells, FIELDS).to_dict("records")
    if len(set(right)) == 1:
        assert np.isnan([row["test_low"], row["test_high"]]).all()
        return
    assert 0 <= row["test_low"] <= row["test_accuracy"] <= row["test_high"] <= 1


@pytest.mark.parametrize(("mean", "deviation"), [(0.5, 0.1), (0.1, 0.06), (0.97, 0.02)])
def test_the_interval_covers_as_often_as_it_says(mean, deviation):
    """95 % of intervals hold the true mean, here of three replicates, skewed or not."""
    generator = np.random.default_rng(0)
    both = mean * (1 - mean) / deviation**2 - 1
    groups = generator.beta(mean * both, (1 - mean) * both, (2000, 3))
    ends = [mean_interval(group) for group in groups]
    covered = sum(low <= mean <= high for low, high in ends)
    # Five deviations of a binomial count around 1900.
    assert abs(covered - 1900) < 5 * math.sqrt(2000 * 0.95 * 0.05)


def frames(scores):
    """The views of a study with these test accuracies by cell; None stays at chance."""
    cells = pd.DataFrame(
        [
            {
                "study": "s",
                "position": i,
                "cell_id": f"c{i}",
                "arch_id": f"a{i}",
                "family": "squeezenet",
                "base_e": 16,
                "incr_e": 16,
                "freq": 2,
                "sr": 0.5,
                "pct_3x3": 0.25 * i,
                "bypass": "none",
                "version": "1.0",
                "pools": "version",
                "norm": "none",
                "resolved_pct_3x3": 0.25 * i,
                "note": "",
                "params": 1000 * (i + 1),
                "bytes_fp32": 4000 * (i + 1),
                "macs": 10 - i,
                "activations": 1,
                "failed": sum(score is None for score in listed),
            }
            for i, listed in enumerate(scores)
        ]
    )
    runs = pd.DataFrame(
        [
            {
                "cell_id": f"c{i}",
                "replicate": r,
                "status": "failed" if score is None else "complete",
                "reason": "untrained" if score is None else None,
                "val_accuracy": score,
                "test_accuracy": score,
                "test_top5": None,
            }
            for i, listed in enumerate(scores)
            for r, score in enumerate(listed)
        ]
    ).astype(dict.fromkeys(("val_accuracy", "test_accuracy", "test_top5"), "float64"))
    return runs, cells


def test_summary():
    summary = summarise(*frames([[0.5, 0.7], [0.9, None], [None, None]]), FIELDS)
    assert summary["replicates"].tolist() == [2, 1, 0]
    assert summary["untrained"].tolist() == [0, 1, 2]
    assert summary["test_accuracy"].tolist()[:2] == pytest.approx([0.6, 0.9])
    assert np.isnan(summary["test_accuracy"].iloc[2])
    # Two replicates or fewer have means, and no interval.
    assert summary[["test_low", "test_high"]].isna().all(axis=None)
    assert summary["test_deviation"].iloc[0] == pytest.approx(math.sqrt(0.02))
    # No replicate of two cells but one is shared: no residual is left.
    assert summary["bytes_front_probability"].isna().all()


def test_the_front_probability_of_a_summary():
    near = [[0.5, 0.6], [0.8, 0.9], [0.7, 0.81]]
    summary = summarise(*frames(near), FIELDS)
    first, second, third = summary["bytes_front_probability"]
    assert first == 1
    # The largest is 0.09 to 0.1 less accurate in either replicate.
    assert second > 0.95
    assert third < 0.05
    # The last takes the least work, the first is beaten in both.
    first, second, third = summary["macs_front_probability"]
    assert third == 1
    assert second > 0.95
    assert first < 0.05


def test_a_summary_of_nothing():
    runs, cells = frames([[None], [None]])
    summary = summarise(runs, cells, FIELDS)
    assert summary["replicates"].tolist() == [0, 0]
    assert marks(summary, runs, ["a", "b"], SIZE) == []


def test_front_by_hand():
    cost = np.array([1, 2, 3, 3, 4, 1])
    accuracy = np.array([0.5, 0.4, 0.8, 0.8, 0.8, np.nan])
    assert on_front(cost, accuracy).tolist() == [True, False, True, True, False, False]


@given(
    st.lists(st.tuples(st.integers(0, 5), st.sampled_from([0.1, 0.2, 0.3])), min_size=1)
)
def test_front_by_definition(points):
    cost, accuracy = (np.array(x, float) for x in zip(*points, strict=True))

    def dominated(j):
        return any(
            cost[i] <= cost[j]
            and accuracy[i] >= accuracy[j]
            and (cost[i] < cost[j] or accuracy[i] > accuracy[j])
            for i in range(len(points))
        )

    expected = [not dominated(j) for j in range(len(points))]
    assert on_front(cost, accuracy).tolist() == expected


def test_a_figure_holds_what_it_is_given():
    runs, cells = frames([[0.5, 0.7], [0.8, 0.9]])
    summary = summarise(runs, cells, FIELDS)
    figure, [ours, paper] = new_figure(2, "Title", "caption")
    drawn = marks(summary, runs, ["x", "y"], SIZE)
    draw_measured(ours, drawn, SIZE, joined=True)
    printed = SqueezeNet.published()["figure 3(b)"].points
    names = [str(p.point.pct_3x3) for p in printed]
    draw_published(paper, published_marks(printed, names), joined=True)
    line = ours.lines[-1]
    np.testing.assert_allclose(
        np.array(line.get_xdata(), float), [4000 / 2**20, 8000 / 2**20]
    )
    np.testing.assert_allclose(np.array(line.get_ydata(), float), [60, 85])
    published = paper.lines[-1]
    assert list(published.get_ydata()) == [
        76.3,
        80.9,
        84.0,
        84.7,
        85.3,
        85.6,
        85.4,
        85.5,
        85.3,
    ]
    assert {text.get_text() for text in ours.texts} == {"x", "y"}
    assert "MiB" in ours.get_xlabel() and "%" in ours.get_ylabel()
    figure.canvas.draw()


def test_an_interval_is_drawn_from_three_replicates_on():
    runs, cells = frames([[0.5, 0.7], [0.8, 0.9, 0.85]])
    two, three = marks(summarise(runs, cells, FIELDS), runs, ["x", "y"], SIZE)
    assert (two.ends, two.runs) == ((), (50, 70))
    half = 4.302653 * 0.05 / math.sqrt(3) / (0.85 * 0.15)
    ends = [100 * end for end in odds_interval(0.85, half)]
    assert three.ends == pytest.approx(ends, rel=1e-6)
    _, [ax] = new_figure(1, "Title", "caption")
    draw_measured(ax, [two, three], SIZE, joined=True)
    dots, line = ax.lines[-2:]
    assert sorted(dots.get_ydata()) == pytest.approx([50, 70, 80, 85, 90])
    assert list(line.get_ydata()) == pytest.approx([60, 85])


def test_work_is_drawn_in_millions():
    runs, cells = frames([[0.5, 0.7], [0.8, 0.9]])
    drawn = marks(summarise(runs, cells, FIELDS), runs, ["x", "y"], MACS)
    _, [ax] = new_figure(1, "Title", "caption")
    draw_measured(ax, drawn, MACS, joined=True)
    np.testing.assert_allclose(np.array(ax.lines[-1].get_xdata(), float), [1e-5, 9e-6])
    assert ax.get_xlabel() == "multiply-accumulates an image, millions"


def test_all_cells_have_a_marker_for_their_study_and_a_shade():
    summary = summarise(*frames([[0.5, 0.6], [0.8, 0.9], [0.7, 0.81]]), FIELDS)
    summary["experiment"] = ["a", "b", "a"]
    _, [ax] = new_figure(1, "Title", "caption")
    draw_all_cells(ax, summary, SIZE, "bytes_front_probability")
    first, second = ax.collections[1], ax.collections[3]
    assert (first.get_label(), second.get_label()) == ("a", "b")
    sure, not_at_all = first.get_facecolors()
    np.testing.assert_array_equal(sure, SHADES.to_rgba(1.0))
    assert sure.sum() < not_at_all.sum()  # dark where the front is near


def drawn(scores, *, joined):
    """Two cells as a study's figure has them, and as that of a front."""
    runs, cells = frames(scores)
    summary = summarise(runs, cells, FIELDS)
    summary["experiment"] = "a"
    _, [ours, every] = new_figure(2, "Title", "caption")
    draw_measured(ours, marks(summary, runs, ["x", "y"], SIZE), SIZE, joined=joined)
    draw_all_cells(every, summary, SIZE, "bytes_front_probability")
    return ours, every


def test_axes_keep_to_what_an_accuracy_can_be():
    """Student's interval of these would go from -10 % to 76 %."""
    ours, every = drawn([[0.12, 0.5, 0.37], [0.8, 0.9, 0.85]], joined=False)
    for ax in (ours, every):
        for bars in ax.collections[:1]:
            ends = np.concatenate([path.vertices[:, 1] for path in bars.get_paths()])
            assert 0 < ends.min() < 12
            assert ends.max() < 100
    assert ours.get_ylim()[0] > -15


def test_no_tick_is_beyond_100_percent():
    for ax in drawn([[1.0, 1.0], [0.97, 1.0]], joined=True):
        assert ax.get_ylim()[1] > 100
        assert max(ax.get_yticks()) == 100


def test_captions_keep_to_the_figure():
    figure, _ = new_figure(1, "Title", "word " * 80)
    lines = figure.get_supxlabel().splitlines()
    assert len(lines) > 3
    assert max(map(len, lines)) <= 19 * 5.1
