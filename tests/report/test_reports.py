"""Reports of runs that were never trained: their events are made up."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from dse.errors import DseError
from dse.families.squeezenet import Metaparameters
from dse.report import report_experiment, report_front
from dse.runs.events import Done, EpochEnded, Failed, Started
from dse.runs.recipe import Recipe
from dse.store.append import (
    add_epoch,
    begin_run,
    complete_run,
    fail_run,
    register_points,
    register_study,
)
from dse.store.database import open_store
from dse.study.experiment import Experiment, Preset
from dse.study.plan import make_plans

FIRST = Experiment(
    "Shares",
    Metaparameters(),
    {"quick": Preset(4, 3, Recipe(2, 0.1))},
    varied="pct_3x3",
    values=(0.25, 0.5, 0.75),
)
SECOND = replace(FIRST, varied="pools", values=("1,2,3", "1,4,8"), shows="macs")
RECIPES = replace(
    FIRST,
    arms={"first": {}, "better": {"dropout": 0.0}, "dead": {"peak_learning_rate": 9.0}},
)


def accuracy_of(arm, cell, replicate):
    """Each cell gains 5 points on the one before, the better recipe 2, plus noise."""
    gain = {"better": 0.02}.get(arm, 0.0)
    noise = np.random.default_rng([cell, replicate]).normal(0, 0.002)
    return 0.6 + 0.05 * cell + gain + 0.01 * replicate + noise


@pytest.fixture
def store(workplace):
    return open_store("sqlite:///results/dse.db")


def fill(store, name, experiment, dataset):
    """The studies of `experiment` with all runs in; those of the arm `dead` failed."""
    plans = make_plans(name, experiment, "quick", dataset)
    for arm, plan in zip(experiment.arms or [""], plans, strict=True):
        register_study(store, plan.study)
        register_points(store, plan.study.name, plan.points, only=True)
        for place, cell_id in enumerate(plan.cells):
            for replicate in range(3):
                enter(store, arm, cell_id, place, replicate)
    return [plan.study for plan in plans]


def enter(store, arm, cell_id, place, replicate):
    begin_run(store, Started(cell_id, replicate, "cpu"))
    if arm == "dead":
        fail_run(store, Failed(cell_id, replicate, "untrained", "at chance"))
        return
    last = {"loss": 1.0, "accuracy": accuracy_of(arm, place, replicate)}
    half = {"loss": 2.0, "accuracy": last["accuracy"] / 2}
    for epoch, scored in ((1, half), (2, last)):
        metrics = {"train": scored, "validation": scored}
        add_epoch(store, EpochEnded(cell_id, replicate, epoch, metrics, 100, 1.0))
    splits = dict.fromkeys(("train", "validation", "test"), last)
    done = Done(cell_id, replicate, splits, 10.0, 2.0, 9.0, weights={})
    complete_run(store, done, keep_weights=False)


def test_a_study_has_its_curves_and_its_time(store, tiny):
    [study] = fill(store, "shares", FIRST, tiny)
    report = report_experiment(store, "shares", FIRST, [study], tiny)
    assert {file.name for file in report.folder.glob("*.png")} == {
        "curves.png",
        "figure.png",
    }
    epochs = pd.read_csv(report.folder / "epochs.csv")
    assert len(epochs) == 3 * 3 * 2
    config = pd.read_json(report.folder / "config.json", typ="series")
    assert config["worker_seconds"] == {"train_seconds": 90, "compile_seconds": 18}
    assert config["studies"]["shares/tiny-quick"]["replicates"] == 3
    assert (report.folder / "curves.svg").stat().st_size > 10_000


def test_a_report_says_which_widths_the_preset_chose(store, tiny):
    own = replace(FIRST, anchor=Metaparameters(base_e=8))
    [study] = fill(store, "shares", own, tiny)
    report = report_experiment(store, "shares", own, [study], tiny)
    assert report.widths == (
        "incr_e = 4 by the preset quick; base_e = 8 as the experiment states"
    )
    assert set(report.summary["base_e"]) == {8}
    config = json.loads((report.folder / "config.json").read_text())
    assert config["widths_by_preset"] == {"incr_e": 4}
    [study] = fill(store, "anew", FIRST, tiny)
    report = report_experiment(store, "anew", FIRST, [study], tiny)
    config = json.loads((report.folder / "config.json").read_text())
    assert config["widths_by_preset"] == {"base_e": 4, "incr_e": 4}


def test_aliases_and_failed_cells_have_no_curve_of_their_own(store, tiny):
    # Neither 0 nor 1 % of four filters is a filter; every run of the last one fails.
    experiment = replace(FIRST, values=(0.0, 0.01, 0.5, 0.75))
    [study] = fill(store, "shares", experiment, tiny)
    [plan] = make_plans("shares", experiment, "quick", tiny)
    last = list(plan.cells)[-1]
    for replicate in range(3):
        fail_run(store, Failed(last, replicate, "untrained", "at chance"))
    report = report_experiment(store, "shares", experiment, [study], tiny)
    assert report.summary["replicates"].tolist() == [3, 3, 3, 0]
    assert report.summary["untrained"].tolist() == [0, 0, 0, 3]
    assert (report.folder / "curves.png").is_file()


def test_pools_have_a_report(store, tiny):
    [study] = fill(store, "pools", SECOND, tiny)
    report = report_experiment(store, "pools", SECOND, [study], tiny)
    assert list(report.labels) == ["pools 1,2,3", "pools 1,4,8"]


def test_the_front_of_several_studies(store, tiny):
    studies = fill(store, "shares", FIRST, tiny) + fill(store, "pools", SECOND, tiny)
    report = report_front(store, studies, tiny, store.artifacts.parent / "front")
    summary = report.summary
    # 50 % of 3x3 with the pools of version 1.0 is in both studies: one cell.
    assert len(summary) == 4
    assert summary["replicates"].tolist() == [3] * 4
    assert summary["bytes_fp32"].is_monotonic_increasing
    best = summary["test_accuracy"].idxmax()
    assert summary["bytes_front_probability"][best] == 1
    assert set(summary["experiment"]) == {"shares", "pools"}
    assert report.figure.stat().st_size > 10_000


def test_recipes_beside_each_other(store, tiny):
    studies = fill(store, "recipes", RECIPES, tiny)
    report = report_experiment(store, "recipes", RECIPES, studies, tiny)
    first, better, dead = report.summary.to_dict("records")
    assert (first["arm"], first["changes"]) == ("first", "")
    assert better["changes"] == "dropout 0.0"
    # The noise is the same under both recipes: the gain is exact.
    assert better["difference"] == pytest.approx(0.02)
    assert np.isnan([better["low"], better["high"]]).all()
    assert (dead["untrained"], dead["runs"]) == (9, 9)
    assert np.isnan(dead["difference"])
    assert report.figure.stat().st_size > 10_000
    runs = pd.read_parquet(report.folder / "runs.parquet")
    assert runs.groupby("arm").size().to_dict() == {"first": 9, "better": 9, "dead": 9}


def test_recipes_none_of_which_trained(store, tiny):
    dead = replace(FIRST, arms={"dead": {"peak_learning_rate": 9.0}})
    studies = fill(store, "dead", dead, tiny)
    with pytest.raises(DseError, match="no run of Shares was trained to the end"):
        report_experiment(store, "dead", dead, studies, tiny)
