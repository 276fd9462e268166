"""How studies stand, worked out by hand from small frames."""

from functools import partial

import pandas as pd
import pytest

from dse.console import state as states
from dse.console.state import ONLY_POINT, Counts, Failure, Pace, UnderWay
from dse.families.nin import Nin
from dse.families.squeezenet import SqueezeNet

FIELDS = {"squeezenet": SqueezeNet.fields, "nin": Nin.fields}
outlook = partial(states.outlook, fields=FIELDS)
label_points = partial(states.label_points, fields=FIELDS)

POINT = {
    "study": "fig",
    "family": "squeezenet",
    "base_e": 16,
    "incr_e": 16,
    "freq": 2,
    "sr": 0.125,
    "pct_3x3": 0.5,
    "bypass": "none",
    "version": "1.0",
    "pools": "version",
    "norm": "none",
    "note": "",
    "macs": 100,
    "planned": 3,
    "complete": 0,
    "failed": 0,
    "running": 0,
    "missing": 3,
    "train_seconds": float("nan"),
    "compile_seconds": float("nan"),
    "set": "stripes",
    "images": 10,
}
DONE = {"complete": 2, "missing": 1, "train_seconds": 40.0, "compile_seconds": 6.0}
RUN = {
    "replicate": 0,
    "status": "running",
    "reason": None,
    "detail": None,
    "tries": 1,
    "device": "cpu",
    "epochs": 10,
    "epoch": 0,
    "val_accuracy": float("nan"),
    "images_per_second": float("nan"),
}


def cells(*changes):
    """Points of a study with what is another in each."""
    return pd.DataFrame([{**POINT, **changed} for changed in changes])


def runs(*changes):
    """Runs under way, or failed, with what is another in each."""
    rows = [{**RUN, **changed} for changed in changes]
    return pd.DataFrame(rows, columns=["cell_id", *RUN])


def a_study():
    """Cell a: two runs in, the third at epoch 4 of 10. Cell b: one failed."""
    points = cells(
        {"cell_id": "a", "pct_3x3": 0.25, **DONE, "running": 1},
        {"cell_id": "b", "pct_3x3": 0.75, "macs": 200, "failed": 1, "missing": 2},
    )
    failed = {"status": "failed", "reason": "lost", "detail": "killed", "tries": 3}
    half = {"replicate": 2, "epoch": 4, "val_accuracy": 0.6, "images_per_second": 50.0}
    return points, runs({"cell_id": "b", **failed}, {"cell_id": "a", **half})


def test_a_study_under_way():
    state = outlook(*a_study(), driven=True)
    assert state.total == state.studies["fig"] == Counts(6, 2, 1, 1, 3)
    assert state.under_way == (UnderWay("fig", "pct_3x3 25 %", 2, 4, 10, 0.6, 50.0),)
    failure = Failure("fig", "pct_3x3 75 %", "b", 0, "lost", "killed", 3)
    assert state.failures == (failure,)
    assert state.reasons == {"lost": 1}
    assert state.workers == 1
    assert not state.finished
    assert not state.stalled


def test_time_left_is_work_at_the_pace_of_completed_runs():
    pace = outlook(*a_study(), driven=True).pace
    # 40 s for 2 runs of 100 MACs x 10 images: 0.02 s each. Missing are a run of a,
    # four tenths of it done, and two of b: 600 + 2 x 2000. Cell b is to be compiled.
    assert pace.seconds_left == pytest.approx(0.02 * 4600 + 6)
    # 2 runs took 46 s.
    assert pace.runs_per_hour == pytest.approx(3600 * 2 / 46)
    assert pace.images_per_second == 50


def test_a_worker_that_is_idle_between_two_runs_still_counts():
    alone, two = (outlook(*a_study(), driven=True, workers=n).pace for n in (0, 2))
    assert two.seconds_left == pytest.approx(alone.seconds_left / 2)
    assert two.runs_per_hour == pytest.approx(2 * alone.runs_per_hour)


def test_nothing_is_promised_until_something_has_completed():
    points = cells({"cell_id": "a", "running": 1})
    pace = outlook(points, runs({"cell_id": "a", "images_per_second": 50.0})).pace
    assert pace == Pace(50.0, None, None)
    # Nor where nothing goes on.
    assert outlook(cells({"cell_id": "a", **DONE}), runs()).pace == Pace()
    # What completed on another set says nothing of this one.
    elsewhere = {"cell_id": "z", "study": "old", "set": "digits", **DONE}
    both = cells({"cell_id": "a", "running": 1}, elsewhere)
    assert outlook(both, runs({"cell_id": "a"})).pace == Pace()


def test_studies_of_sets_that_nobody_trains_on_delay_nothing():
    points, open_runs = a_study()
    abandoned = cells({"cell_id": "z", "study": "old", "set": "digits"})
    both = pd.concat([points, abandoned], ignore_index=True)
    alone, beside = outlook(points, open_runs), outlook(both, open_runs)
    assert beside.pace == alone.pace
    assert beside.total == Counts(9, 2, 1, 1, 6)


def test_replicates_that_train_together_are_one_worker():
    together = {"cell_id": "a", "device": "NVIDIA H100", "images_per_second": 900.0}
    elsewhere = {**together, "cell_id": "b", "images_per_second": 700.0}
    points = cells({"cell_id": "a", "running": 3}, {"cell_id": "b", "running": 1})
    stack = [{**together, "replicate": r} for r in range(3)]
    state = outlook(points, runs(*stack, elsewhere))
    assert (state.workers, state.pace.images_per_second) == (2, 1600)
    # On a CPU every run has a worker of its own, which has a speed of its own.
    alone = [{**run, "device": "cpu"} for run in stack]
    state = outlook(points, runs(*alone, elsewhere))
    assert (state.workers, state.pace.images_per_second) == (4, 3400)


def test_the_second_of_two_points_that_are_one_network_names_the_first():
    points = label_points(
        cells(
            {"cell_id": "a", "pct_3x3": 0.01, "sr": 0.5},
            {"cell_id": "b", "pct_3x3": 0.25, "sr": 0.5},
            {"cell_id": "a", "pct_3x3": 0.02, "sr": 0.75},
            {"cell_id": "a", "study": "other"},
        )
    )
    assert states.varied(points[:3], FIELDS) == ["sr", "pct_3x3"]
    assert points["label"].tolist() == [
        "SR 0.5, pct_3x3 1 %",
        "SR 0.5, pct_3x3 25 %",
        "SR 0.75, pct_3x3 2 %",
        ONLY_POINT,
    ]
    assert points["alias_of"].tolist() == [None, None, "SR 0.5, pct_3x3 1 %", None]


def of_two_families():
    """Points of a study as the view has them: a family lacks the other's fields."""
    of_nin = {"width": 0.5, "head": "dense", "pool2": "max"}
    lacking = dict.fromkeys(SqueezeNet.fields)
    return cells(
        {"cell_id": "a", "sr": 0.5, **dict.fromkeys(of_nin)},
        {"cell_id": "b", "sr": 0.75, **dict.fromkeys(of_nin)},
        {"cell_id": "c", "family": "nin", **lacking, **of_nin},
    )


def test_points_of_two_families_are_called_by_them():
    points = label_points(of_two_families())
    assert states.varied(points, FIELDS)[0] == "family"
    assert points["label"].tolist() == [
        "squeezenet SR 0.5",
        "squeezenet SR 0.75",
        "nin",
    ]


def test_aliases_and_shared_cells_count_once():
    points = cells(
        {"cell_id": "a", "pct_3x3": 0.01, "failed": 1, "missing": 2},
        {"cell_id": "a", "pct_3x3": 0.02, "failed": 1, "missing": 2},
        # This study wants five runs of the same cell, two of which have failed.
        {"cell_id": "a", "study": "more", "planned": 5, "failed": 2, "missing": 3},
    )
    failed = {"cell_id": "a", "status": "failed", "reason": "untrained"}
    open_runs = runs({**failed, "replicate": 1}, {**failed, "replicate": 4})
    state = outlook(points, open_runs)
    assert state.studies == {
        "fig": Counts(3, 0, 1, 0, 2),
        "more": Counts(5, 0, 2, 0, 3),
    }
    assert state.total == Counts(5, 0, 2, 0, 3)
    assert [(f.study, f.replicate) for f in state.failures] == [
        ("more", 1),
        ("more", 4),
    ]
    # The first study wants three runs: the fifth is none of its own.
    alone = outlook(points[:2], open_runs)
    assert [(f.label, f.replicate) for f in alone.failures] == [("pct_3x3 1 %", 1)]


def test_a_sweep_that_died():
    points, open_runs = a_study()
    dead = outlook(points, open_runs, driven=False)
    assert dead.stalled
    assert dead.pace == Pace()
    assert dead.workers == 0
    assert len(dead.under_way) == 1
    # With nothing marked as running there is nothing to wonder at.
    assert not outlook(points, open_runs[:1], driven=False).stalled


def test_a_sweep_without_a_file_lock_is_dead_when_nothing_was_written_for_long():
    points, open_runs = a_study()

    def stalled(idle_seconds):
        return outlook(points, open_runs, idle_seconds=idle_seconds).stalled

    assert not stalled(7000.0)
    assert stalled(7300.0)
    # Two runs of a cell took 8000 s: twice as long is still no sign.
    points.loc[0, ["train_seconds", "compile_seconds"]] = 7990.0, 10.0
    assert not stalled(15_900.0)
    assert stalled(16_100.0)
    # Where nothing completed, nobody knows how long a run takes.
    points["train_seconds"] = points["compile_seconds"] = float("nan")
    assert not stalled(1e6)


def test_a_study_is_finished_when_nothing_is_missing():
    done = {"complete": 2, "failed": 1, "missing": 0}
    assert outlook(cells({"cell_id": "a", **done}), runs()).finished
    # A study whose points are not in yet has not begun.
    nothing = outlook(cells({"cell_id": "a"})[:0], runs())
    assert nothing.total == Counts(0, 0, 0, 0, 0)
    assert not nothing.finished


SEARCHED = {"study": "search-tpe-narrow/set-quick", "planned": 1, "missing": 1}


def test_a_search_that_has_ended_waits_for_nothing():
    points = cells(
        {**SEARCHED, "cell_id": "a", "complete": 1, "missing": 0},
        {**SEARCHED, "cell_id": "b", "sr": 0.5},
        {**SEARCHED, "cell_id": "c", "sr": 0.75},
    )
    state = outlook(points, runs(), driven=False)
    assert (state.not_begun, state.ended, state.finished) == (2, True, True)
    # While a sweep holds the database, or nobody knows, they may yet come.
    state = outlook(points, runs(), driven=True)
    assert (state.not_begun, state.ended, state.finished) == (0, False, False)
    state = outlook(points, runs(), driven=None)
    assert (state.not_begun, state.ended, state.finished) == (2, False, False)
    # One that is marked as running was cut off.
    cut_off = outlook(points, runs({"cell_id": "b"}), driven=False)
    assert (cut_off.stalled, cut_off.ended) == (True, False)


def test_what_a_plan_lacks_is_missing_beside_a_search_too():
    points = cells(
        {**SEARCHED, "cell_id": "b"},
        # One network of the two is the search's as well.
        {"cell_id": "b", "sr": 0.5, "planned": 1, "missing": 1},
        {"cell_id": "d", "sr": 0.75, "planned": 1, "missing": 1},
    )
    state = outlook(points, runs(), driven=False)
    assert (state.total.missing, state.not_begun) == (2, 1)
    assert not state.ended
    assert not state.finished
