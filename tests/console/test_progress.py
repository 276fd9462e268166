"""The time left, by work done and work to do."""

import io
import math

import pytest
from rich.console import Console

from dse.console import progress as module
from dse.console.progress import SweepProgress
from dse.runs.events import Done, EpochEnded, Failed, Started

EPOCHS = 10


@pytest.fixture
def sweep(monkeypatch):
    """Shows events, each epoch of which took ten seconds; the seconds that are left."""
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])

    def show(runs, *events):
        screen = Console(file=io.StringIO(), width=100)
        progress = SweepProgress(EPOCHS, {}, {}, runs, screen)
        for event in events:
            if isinstance(event, EpochEnded) and not event.replayed:
                now[0] += 10
            progress(event)
        told = progress._time_left()
        if not told:
            return math.nan
        number, unit, _ = told.split()
        return float(number) * {"s": 1, "min": 60}[unit]

    return show


def epochs(cell, *numbers, replayed=False):
    metrics = {"train": {"accuracy": 0.5}, "validation": {"accuracy": 0.5}}
    return [
        EpochEnded(cell, 0, epoch, metrics, 100, 1.0, replayed=replayed)
        for epoch in numbers
    ]


def started(cell):
    return Started(cell, 0, "cpu")


def done(cell):
    scores = {"accuracy": 0.5, "loss": 1.0}
    metrics = dict.fromkeys(("train", "validation", "test"), scores)
    return Done(
        cell,
        0,
        metrics=metrics,
        train_seconds=1.0,
        compile_seconds=1.0,
        step_seconds=1.0,
        weights={},
    )


def test_what_is_left_takes_as_long_as_what_was(sweep):
    assert math.isnan(sweep({"a": 1}, started("a")))
    assert sweep({"a": 1}, started("a"), *epochs("a", 1, 2, 3, 4)) == 60
    assert sweep({"a": 1}, started("a"), *epochs("a", *range(1, 11)), done("a")) == 0


def test_epochs_of_an_earlier_session_are_not_to_do(sweep):
    before = epochs("a", 1, 2, 3, 4, 5, replayed=True)
    assert sweep({"a": 1}, started("a"), *before, *epochs("a", 6)) == 40


def test_another_try_in_the_same_session_has_the_rest_to_do(sweep):
    lost = Failed("a", 0, "lost", "it is gone", again=True)
    first = [started("a"), *epochs("a", 1, 2, 3, 4, 5), lost, started("a")]
    replayed = epochs("a", 1, 2, 3, 4, 5, replayed=True)
    assert sweep({"a": 1}, *first, *replayed) == 50
    # Without a checkpoint the five are to do again.
    assert sweep({"a": 1}, *first, *epochs("a", 1, 2)) == 80


def test_a_run_that_failed_for_good_has_nothing_to_do(sweep):
    failed = Failed("a", 0, "diverged", "train loss is nan")
    events = [started("a"), *epochs("a", 1), failed, started("b"), *epochs("b", 1, 2)]
    assert sweep({"a": 1, "b": 1}, *events) == 80


def test_a_search_has_no_end_to_foretell(sweep):
    events = [started("a"), *epochs("a", 1, replayed=True), *epochs("a", 2)]
    assert math.isnan(sweep(None, *events))
