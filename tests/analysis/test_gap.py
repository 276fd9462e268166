"""Overfitting: train less test accuracy, from the last epoch of each run."""

import pandas as pd
import pytest

from dse.analysis.gap import draw_gap, with_gap
from dse.analysis.plotting import Figure
from dse.analysis.verdicts import judge
from dse.errors import DseError
from dse.families.alexnet import AlexNet
from dse.families.nin import Nin
from dse.families.squeezenet import SqueezeNet
from dse.study.claim import OverfitsLess, TimesFewer
from dse.study.experiment import Experiment
from dse.study.presets import PRESETS

RUNS = pd.DataFrame(
    {
        "run_id": [7, 8, 9],
        "cell_id": ["a", "a", "b"],
        "status": ["complete", "complete", "failed"],
        "test_accuracy": [0.5, 0.6, None],
    }
)
EPOCHS = pd.DataFrame(
    {
        "run_id": [7, 8, 7, 8, 9],
        "epoch": [2, 1, 1, 2, 1],
        "train_accuracy": [0.9, 0.1, 0.2, 0.8, 0.3],
    }
)


def test_the_gap_is_that_of_the_last_epoch():
    found = with_gap(RUNS, EPOCHS)
    assert found["train_accuracy"].tolist() == [0.9, 0.8, 0.3]
    assert found["gap"].tolist()[:2] == pytest.approx([0.4, 0.2])
    assert found["gap"].isna().tolist() == [False, False, True]


def test_what_is_drawn():
    ax = Figure().subplots()
    draw_gap(ax, with_gap(RUNS, EPOCHS), ["a"], ["NIN, dense"])
    assert [text.get_text() for text in ax.texts] == ["+30.0"]
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["NIN,\ndense"]
    means = {line.get_label(): line.get_ydata()[0] for line in ax.lines}
    assert means["train, as trained on"] == pytest.approx(85)
    assert means["test"] == pytest.approx(55)


def experiment(*claims):
    points = {"a": Nin(), "b": Nin(head="dense")}
    return Experiment("Heads", presets=PRESETS, points=points, claims=claims)


def runs(gaps):
    return pd.DataFrame(
        [
            {
                "study": "heads/set-quick",
                "cell_id": cell,
                "replicate": replicate,
                "status": "complete",
                "reason": None,
                "test_accuracy": 0.5,
                "gap": gap,
                "numerics_version": 3,
            }
            for cell, row in gaps.items()
            for replicate, gap in enumerate(row)
        ]
    )


@pytest.mark.parametrize(
    ("more", "verdict"),
    [
        ([0.31, 0.30, 0.29], "PASS"),
        ([0.01, 0.02, 0.00], "FAIL"),
        ([0.40, 0.02, 0.10], "INCONCLUSIVE"),
    ],
)
def test_who_overfits_less(more, verdict):
    claim = OverfitsLess("it does", "3.2", less="a", more="b")
    frame = runs({"a": [0.10, 0.11, 0.10], "b": more})
    [found] = judge(experiment(claim), {"a": "a", "b": "b"}, frame)
    assert found.verdict == verdict
    assert found.estimate == pytest.approx(sum(more) / 3 - 0.31 / 3)
    assert "a to b: " in found.finding
    assert "points of train less test accuracy" in found.finding


@pytest.mark.parametrize(
    ("factor", "verdict"),
    # 60,965,224 over 1,248,424 is 48.83.
    [(50, "PASS"), (49, "PASS"), (48.8, "PASS"), (48, "FAIL"), (500, "FAIL")],
)
def test_so_many_times_fewer_parameters(factor, verdict):
    claim = TimesFewer("fewer", "abstract", float(factor), SqueezeNet(), AlexNet())
    [found] = judge(experiment(claim), {}, runs({"a": [0.1]}))
    assert found.verdict == verdict
    assert found.finding == "48.8 times: 1,248,424 and 60,965,224 parameters"


def test_only_networks_have_so_many_parameters():
    with pytest.raises(DseError, match="a claim compares the point 'nin'; expected a"):
        TimesFewer("fewer", "abstract", 50.0, "nin", AlexNet())
