"""Reports of runs that were never trained: their events are made up."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from dse.console.tables import print_report
from dse.errors import DseError
from dse.families.nin import Nin
from dse.families.squeezenet import SqueezeNet
from dse.report import report_experiment, report_front
from dse.report.folder import write_report
from dse.runs.events import Done, EpochEnded, Failed, Started
from dse.runs.recipe import Recipe
from dse.store.append import add_epoch, begin_run, complete_run, fail_run
from dse.store.database import open_store
from dse.store.enter import register_points, register_study
from dse.study.experiment import Experiment
from dse.study.plan import make_plans
from dse.study.preset import Preset

FIRST = Experiment(
    "Shares",
    SqueezeNet(),
    {"quick": Preset(width=1 / 32, replicates=3, recipe=Recipe(2, 0.1))},
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


@pytest.fixture
def axes(monkeypatch):
    """The axes of the main figure of the last report."""
    kept = []

    def write(folder, studies, dataset, tables, figures, *more):
        kept[:] = figures["figure"].axes
        return write_report(folder, studies, dataset, tables, figures, *more)

    monkeypatch.setattr("dse.report.study.write_report", write)
    return kept


def fill(store, name, experiment, dataset):
    """The plans of `experiment` with all runs in; those of the arm `dead` failed."""
    plans = make_plans(name, experiment, "quick", dataset)
    for arm, plan in zip(experiment.recipes_changed, plans, strict=True):
        register_study(store, plan.study)
        register_points(store, plan.study.name, plan.points, only=True)
        for place, cell_id in enumerate(plan.cells):
            for replicate in range(3):
                enter(store, arm, cell_id, place, replicate)
    return plans


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
    complete_run(store, done)


def test_a_study_has_its_curves_and_its_time(store, tiny):
    plans = fill(store, "shares", FIRST, tiny)
    report = report_experiment(store, "shares", FIRST, plans, tiny)
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
    own = replace(FIRST, anchor=SqueezeNet(base_e=8))
    plans = fill(store, "shares", own, tiny)
    report = report_experiment(store, "shares", own, plans, tiny)
    assert report.widths == (
        "incr_e = 4 by the preset quick; base_e = 8 as the experiment states"
    )
    assert set(report.summary["base_e"]) == {8}
    config = json.loads((report.folder / "config.json").read_text())
    assert config["widths_by_preset"] == {"incr_e": 4}
    plans = fill(store, "anew", FIRST, tiny)
    report = report_experiment(store, "anew", FIRST, plans, tiny)
    config = json.loads((report.folder / "config.json").read_text())
    assert config["widths_by_preset"] == {"base_e": 4, "incr_e": 4}


def test_aliases_and_failed_cells_have_no_curve_of_their_own(store, tiny):
    # Neither 0 nor 1 % of four filters is a filter; every run of the last one fails.
    experiment = replace(FIRST, values=(0.0, 0.01, 0.5, 0.75))
    [plan] = plans = fill(store, "shares", experiment, tiny)
    last = list(plan.cells)[-1]
    for replicate in range(3):
        fail_run(store, Failed(last, replicate, "untrained", "at chance"))
    report = report_experiment(store, "shares", experiment, plans, tiny)
    assert report.summary["replicates"].tolist() == [3, 3, 3, 0]
    assert report.summary["untrained"].tolist() == [0, 0, 0, 3]
    assert (report.folder / "curves.png").is_file()


def test_pools_have_a_report(store, tiny):
    plans = fill(store, "pools", SECOND, tiny)
    report = report_experiment(store, "pools", SECOND, plans, tiny)
    assert list(report.labels) == ["pools 1,2,3", "pools 1,4,8"]


def test_two_factors_are_a_series_for_each_value_of_one(store, tiny, axes):
    varied = {"pct_3x3": (0.25, 0.5, 0.75), "sr": (0.25, 0.5)}
    both = replace(FIRST, varied=varied, values=())
    report = report_experiment(
        store, "both", both, fill(store, "both", both, tiny), tiny
    )
    assert list(report.labels) == [
        "SR 0.25, pct_3x3 25 %",
        "SR 0.5, pct_3x3 25 %",
        "SR 0.25, pct_3x3 50 %",
        "SR 0.5, pct_3x3 50 %",
        "SR 0.25, pct_3x3 75 %",
        "SR 0.5, pct_3x3 75 %",
    ]
    assert report.summary["sr"].tolist() == [0.25, 0.5] * 3
    # Accuracies rise by 5 points from cell to cell.
    low, high = (line for line in axes[0].lines if line.get_label().startswith("SR"))
    assert (low.get_label(), high.get_label()) == ("SR 0.25", "SR 0.5")
    assert low.get_linestyle() == high.get_linestyle() == "-"
    assert list(low.get_ydata()) == pytest.approx([61, 71, 81], abs=1)
    assert list(high.get_ydata()) == pytest.approx([66, 76, 86], abs=1)
    assert axes[0].get_title(loc="left") == "This run: tiny, base_e = incr_e = 4"
    assert report.widths == "base_e = incr_e = 4 by the preset quick"
    assert set(pd.read_csv(report.folder / "summary.csv")["pct_3x3"]) == {
        0.25,
        0.5,
        0.75,
    }


LISTED = replace(
    FIRST,
    title="Two families",
    anchor=None,
    varied=None,
    values=(),
    points=[SqueezeNet(sr=0.25), SqueezeNet(sr=0.5), Nin()],
)


def test_points_of_two_families_stand_side_by_side(store, tiny, axes, capsys):
    plans = fill(store, "listed", LISTED, tiny)
    report = report_experiment(store, "listed", LISTED, plans, tiny)
    named = ["squeezenet SR 0.25", "squeezenet SR 0.5", "nin"]
    assert list(report.labels) == named
    ticks = [label.get_text() for label in axes[0].get_xticklabels()]
    assert [tick.partition("\n")[0] for tick in ticks] == named
    assert all(tick.endswith(" MiB") for tick in ticks)
    assert report.summary["family"].tolist() == ["squeezenet", "squeezenet", "nin"]
    assert report.summary["replicates"].tolist() == [3, 3, 3]
    rows = pd.read_csv(report.folder / "summary.csv")
    assert np.isnan(rows["sr"][2]) and np.isnan(rows["width"][0])
    assert rows["width"][2] == 1 / 32
    assert report.widths == (
        "0.03125 times the published widths by the preset quick, where points state "
        "none"
    )
    config = json.loads((report.folder / "config.json").read_text())
    assert config["widths_by_preset"] == {"base_e": 4, "incr_e": 4, "width": 1 / 32}
    print_report(report)
    told = capsys.readouterr().out.splitlines()
    assert [line[: len(name)] for line, name in zip(told[1:], named, strict=False)] == (
        named
    )


def test_of_many_points_the_front_is_joined_and_one_stands_alone(store, tiny, axes):
    many = replace(LISTED, points=[SqueezeNet(sr=i / 10) for i in range(1, 10)])
    report = report_experiment(
        store, "many", many, fill(store, "many", many, tiny), tiny
    )
    assert len(report.labels) == 9
    assert axes[0].get_xlabel() == "weights, MiB (32-bit floats)"
    legend = axes[0].get_legend().get_texts()
    assert {text.get_text() for text in legend} == {"others", "front, by validation"}
    alone = replace(FIRST, varied=None, values=())
    report = report_experiment(
        store, "alone", alone, fill(store, "alone", alone, tiny), tiny
    )
    assert list(report.labels) == ["squeezenet"]
    [tick] = axes[0].get_xticklabels()
    assert tick.get_text().startswith("squeezenet\n")


def test_values_of_a_recipe_are_recipes_beside_each_other(store, tiny):
    varied = {"pct_3x3": (0.25, 0.5), "dropout": (0.0, 0.5)}
    both = replace(FIRST, varied=varied, values=())
    plans = fill(store, "both", both, tiny)
    assert [plan.study.name for plan in plans] == [
        "both.dropout 0/tiny-quick",
        "both.dropout 0.5/tiny-quick",
    ]
    report = report_experiment(store, "both", both, plans, tiny)
    assert list(report.labels) == ["dropout 0", "dropout 0.5"]
    assert report.summary["changes"].tolist() == ["", "dropout 0.5"]
    assert report.summary["runs"].tolist() == [6, 6]


def test_the_front_of_two_families(store, tiny):
    plans = fill(store, "shares", FIRST, tiny) + fill(store, "listed", LISTED, tiny)
    studies = [plan.study for plan in plans]
    report = report_front(store, studies, tiny, store.place.weights.parent / "front")
    cells = report.summary.set_index("cell_id")["cell"]
    # 50 % of 3x3 at SR 0.125 is the anchor of the first; the others are their own.
    assert sorted(cells) == [
        "nin",
        "squeezenet SR 0.125, pct_3x3 25 %",
        "squeezenet SR 0.125, pct_3x3 50 %",
        "squeezenet SR 0.125, pct_3x3 75 %",
        "squeezenet SR 0.25, pct_3x3 50 %",
        "squeezenet SR 0.5, pct_3x3 50 %",
    ]


def test_the_front_of_several_studies(store, tiny):
    plans = fill(store, "shares", FIRST, tiny) + fill(store, "pools", SECOND, tiny)
    studies = [plan.study for plan in plans]
    report = report_front(store, studies, tiny, store.place.weights.parent / "front")
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
    plans = fill(store, "recipes", RECIPES, tiny)
    report = report_experiment(store, "recipes", RECIPES, plans, tiny)
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
    plans = fill(store, "dead", dead, tiny)
    with pytest.raises(DseError, match="no run of Shares was trained to the end"):
        report_experiment(store, "dead", dead, plans, tiny)


def test_a_network_under_two_names_has_the_first(store, tiny):
    half = SqueezeNet(sr=0.5)
    points = {"one": [SqueezeNet(sr=0.25), half], "again": half}
    twice = Experiment("Twice", presets=FIRST.presets, points=points)
    plans = fill(store, "twice", twice, tiny)
    report = report_experiment(store, "twice", twice, plans, tiny)
    assert len(report.summary) == len(report.labels) == 2
    assert [label.partition(",")[0] for label in report.labels] == ["one", "one"]


def test_a_network_of_two_series_is_drawn_in_both(store, tiny, monkeypatch):
    half, whole = SqueezeNet(sr=0.5), SqueezeNet(sr=1.0)
    points = {"less": [SqueezeNet(sr=0.25), half], "more": [whole, half]}
    both = Experiment("Both", presets=FIRST.presets, points=points)
    plans = fill(store, "both", both, tiny)
    drawn = []
    monkeypatch.setattr(
        "dse.report.study.draw_systems",
        lambda axes, measured, *_: drawn.append(measured),
    )
    report = report_experiment(store, "both", both, plans, tiny)
    # By cost: the report has a row for each network, in the order of the points.
    quarter, half, whole = (report.summary["bytes_fp32"] / 2**20).tolist()
    [[by_bytes, _]] = drawn
    costs = {name: [m.cost for m in marks] for name, marks in by_bytes.items()}
    assert costs == {"less": [quarter, half], "more": [whole, half]}


def test_a_study_of_overfitting_has_a_figure_of_it(store, tiny):
    gap = replace(FIRST, shows="gap")
    report = report_experiment(store, "gap", gap, fill(store, "gap", gap, tiny), tiny)
    assert (report.folder / "gap.png").is_file()
