"""State of studies: runs that completed, run or failed, and the time left.

Work is MACs times images, and a cell is compiled once. A completed run's seconds are
its share of one worker's time. Divided by its work they give the pace of a worker,
which depends neither on the number of workers nor on pauses of the sweep.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

import pandas as pd

from dse.analysis.shown import shown_points
from dse.fields import Fields
from dse.runs.labels import labels
from dse.store import SEARCHES

ONLY_POINT = "the only point"
ONE_BY_ONE = "cpu"
"""Device on which replicates train one by one.

Elsewhere the replicates of a cell may train together; each then reports the speed of
all of them.
"""
QUIET_SECONDS = 7200.0
"""Least seconds without a write after which a sweep counts as dead."""


@dataclass(frozen=True)
class Counts:
    """Numbers of runs; `missing` (neither complete nor failed) includes `running`."""

    planned: int
    complete: int
    failed: int
    running: int
    missing: int


@dataclass(frozen=True)
class UnderWay:
    """A run that is marked as running, with the scores of its last complete epoch."""

    study: str
    label: str
    replicate: int
    epoch: int
    epochs: int
    val_accuracy: float | None
    images_per_second: float | None


@dataclass(frozen=True)
class Failure:
    """A run that failed, with the reason (`dse.runs.events.FAILURES`)."""

    study: str
    label: str
    cell_id: str
    replicate: int
    reason: str
    detail: str | None
    tries: int


@dataclass(frozen=True)
class Pace:
    """Speed of a sweep; a value is None while it is unknown.

    Attributes:
        images_per_second: sum over the runs under way.
        runs_per_hour: at the pace of completed runs and the number of workers.
        seconds_left: for the missing runs, likewise; only of sets now trained on.
    """

    images_per_second: float | None = None
    runs_per_hour: float | None = None
    seconds_left: float | None = None


@dataclass(frozen=True)
class Outlook:
    """State of some studies.

    Attributes:
        points: the view `cells`, labelled (`label_points`).
        studies: counts by study; points that are the same network count once.
        total: counts over all studies; a cell that they share counts once.
        under_way: the runs marked as running.
        failures: the runs that failed, the oldest first.
        workers: number of workers that are training.
        pace: speed and time left.
        driven: True if a sweep holds the database; None where that is unknown.
        stalled: True if runs are marked as running but nothing seems to train them.
    """

    points: pd.DataFrame = field(repr=False, compare=False)
    studies: Mapping[str, Counts]
    total: Counts
    under_way: tuple[UnderWay, ...]
    failures: tuple[Failure, ...]
    workers: int
    pace: Pace
    driven: bool | None
    stalled: bool

    @property
    def not_begun(self) -> int:
        """Number of networks that searches left untrained; 0 while anything trains.

        A search may end with such networks when its time is up; a plan may not.
        """
        if self.driven or self.under_way:
            return 0
        return sum(
            counts.missing
            for name, counts in self.studies.items()
            if name.startswith(SEARCHES)
        )

    @property
    def ended(self) -> bool:
        """True if no sweep runs and only networks that searches left are missing."""
        others = (
            counts.missing
            for name, counts in self.studies.items()
            if not name.startswith(SEARCHES)
        )
        return self.driven is False and self.not_begun > 0 and not any(others)

    @property
    def finished(self) -> bool:
        """True if nothing is missing, except what ended searches left."""
        return self.total.planned > 0 and (not self.total.missing or self.ended)

    @property
    def reasons(self) -> dict[str, int]:
        """Failures by reason, the commonest first."""
        return dict(Counter(f.reason for f in self.failures).most_common())


Record = TypeVar("Record", UnderWay, Failure)


def outlook(
    cells: pd.DataFrame,
    open_runs: pd.DataFrame,
    fields: Fields,
    *,
    driven: bool | None = None,
    idle_seconds: float = 0.0,
    workers: int = 0,
) -> Outlook:
    """Compute the state of studies.

    Args:
        cells: see `dse.store.status.Standing`.
        open_runs: see there.
        fields: see there.
        driven: True if a sweep holds the database; None where that is unknown.
        idle_seconds: time since the last write, used where `driven` is None.
        workers: most workers seen to train at once; one is idle between two runs.
    """
    points = label_points(cells, fields)
    points["work"] = points["macs"].astype("float64") * points["images"]
    once = points.drop_duplicates(["study", "cell_id"])
    studies = {str(name): _counts(own) for name, own in once.groupby("study")}
    # If studies share a cell, count it for the one that plans most runs of it.
    widest = once.sort_values("planned", ascending=False, kind="stable")
    shared = widest.drop_duplicates("cell_id")
    columns = ["cell_id", "study", "label", "planned", "set", "work"]
    runs = open_runs.merge(shared[columns], on="cell_id")
    runs = runs[runs["replicate"] < runs["planned"]]
    running = runs[runs["status"] == "running"]
    stalled = len(running) > 0 and _seems_dead(shared, driven, idle_seconds)
    busy = running.iloc[:0] if stalled else _one_a_worker(running)
    return Outlook(
        points=points,
        studies=studies,
        total=_counts(shared),
        under_way=_records(UnderWay, running),
        failures=_records(Failure, runs[runs["status"] == "failed"]),
        workers=len(busy),
        pace=_pace(shared, running, busy, max(workers, len(busy))),
        driven=driven,
        stalled=stalled,
    )


def varied(points: pd.DataFrame, fields: Fields) -> list[str]:
    """Columns of metaparameters in which the points of a study differ."""
    own = [fields[family] for family in points["family"].unique()]
    names = dict.fromkeys(name for known in own for name in known)
    several = ["family"] if len(own) > 1 else []
    return several + [n for n in names if points[n].nunique(dropna=False) > 1]


def label_points(cells: pd.DataFrame, fields: Fields) -> pd.DataFrame:
    """Add the columns `label` and `alias_of` to the view `cells`.

    Returns:
        `label` tells a point from the others of its study; `alias_of` is the label of
        the first point with the same network, None for that point itself.
    """
    labelled = cells.assign(label=ONLY_POINT)
    for _, own in cells.groupby("study"):
        if varied(own, fields):
            named = labels(shown_points(own, fields), fields, named=True)
            first_lines = [label.partition("\n")[0] for label in named]
            labelled.loc[own.index, "label"] = first_lines
    network = ["study", "cell_id"]
    first = labelled.groupby(network)["label"].transform("first").astype(object)
    labelled["alias_of"] = first.where(labelled.duplicated(network), None)
    return labelled


def metaparameter_text(value: object) -> str:
    """Format a metaparameter's value; empty where it is missing."""
    if value is None or value != value:  # a field of another family
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _counts(cells: pd.DataFrame) -> Counts:
    names = ("planned", "complete", "failed", "running", "missing")
    return Counts(*(int(cells[name].sum()) for name in names))


def _seems_dead(cells: pd.DataFrame, driven: bool | None, idle_seconds: float) -> bool:
    """Check the lock; if unknown, check for idle time over twice the slowest cell's."""
    if driven is not None:
        return not driven
    slowest = float((cells["train_seconds"] + cells["compile_seconds"]).max())
    return slowest > 0 and idle_seconds > max(QUIET_SECONDS, 2 * slowest)


def _one_a_worker(running: pd.DataFrame) -> pd.DataFrame:
    """One run for each busy worker: replicates that train together count once."""
    alone = running["device"] == ONE_BY_ONE
    together = running[~alone].drop_duplicates(["cell_id", "images_per_second"])
    return pd.concat([running[alone], together])


def _pace(
    cells: pd.DataFrame, running: pd.DataFrame, busy: pd.DataFrame, workers: int
) -> Pace:
    """Pace of `workers`, estimated per set; a set has its share of the busy ones."""
    speeds = busy["images_per_second"].dropna()
    images_per_second = float(speeds.sum()) if len(speeds) else None
    hourly, left = [], []
    for trained_on, own_busy in busy.groupby("set"):
        own = cells[cells["set"] == trained_on]
        under_way = running[running["set"] == trained_on]
        own_workers = workers * len(own_busy) / len(busy)
        done = float((own["complete"] * own["work"]).sum())
        training = float(own["train_seconds"].sum())
        if not done or not training:
            return Pace(images_per_second)
        compiling = float(own["compile_seconds"].sum())
        spent = training + compiling
        hourly.append(3600 * own_workers * float(own["complete"].sum()) / spent)
        begun = under_way["work"] * under_way["epoch"] / under_way["epochs"]
        lacking = float((own["missing"] * own["work"]).sum() - begun.sum())
        compiled = own["complete"] > 0
        waiting = (own["missing"] > 0) & ~compiled
        waiting &= ~own["cell_id"].isin(under_way[under_way["epoch"] > 0]["cell_id"])
        to_train = lacking * training / done
        to_compile = float(waiting.sum()) * compiling / float(compiled.sum())
        left.append((to_train + to_compile) / own_workers)
    if not left:
        return Pace(images_per_second)
    return Pace(images_per_second, sum(hourly), max(left))


def _records(kind: type[Record], runs: pd.DataFrame) -> tuple[Record, ...]:
    names = [field.name for field in fields(kind)]
    rows = runs[names].itertuples(index=False, name=None)
    return tuple(kind(*map(_known, row)) for row in rows)


def _known(value: Any) -> Any:
    """`value`, or None if it is NaN."""
    return None if value != value else value
