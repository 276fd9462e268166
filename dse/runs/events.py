"""What a training tells its driver: plain, picklable records."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Kept:
    """A file of weights: its name within the folder of weights, and their hash."""

    path: str
    hash: str


Metrics = Mapping[str, Mapping[str, float]]
"""Values by split (`train`, `validation`, `test`), then by name (`loss`, ...)."""

Reason = Literal["diverged", "untrained", "error", "memory", "lost", "hung"]
FAILURES: Mapping[str, str] = {
    "diverged": "its loss is no finite number",
    "untrained": "it trained to the end, and no better than chance",
    "error": "it raised an error",
    "memory": "it asked for more memory than there is, or than it may have",
    "lost": "its worker ended, or the machine",
    "hung": "nothing was heard of it for longer than the time limit",
}
"""Why a run is no result, with what that means."""

OUTCOMES = ("diverged", "untrained")
"""What is the training's own doing: the same bits would only repeat it."""


@dataclass(frozen=True)
class Event:
    """Something happened to a run, which is (cell, replicate)."""

    cell_id: str
    replicate: int


@dataclass(frozen=True)
class Started(Event):
    """The run began.

    Attributes:
        device: where.
        begun: when, where it is trained, in UTC.
        run_id: its number in the database; the driver knows.
    """

    device: str
    begun: datetime.datetime | None = None
    run_id: int | None = None


@dataclass(frozen=True)
class EpochEnded(Event):
    """An epoch ended.

    Attributes:
        epoch: counted from 1.
        metrics: of train (as trained on: augmented, dropout on) and validation.
        images: images trained on.
        seconds: in training steps alone; of replicates that train together each has
            an equal share.
        replayed: whether it was trained before the run was interrupted.
    """

    epoch: int
    metrics: Metrics
    images: int
    seconds: float
    replayed: bool = False

    @property
    def images_per_second(self) -> float:
        """Speed of the training steps."""
        return self.images / self.seconds


@dataclass(frozen=True)
class Checkpointed(Event):
    """The run's state was kept: interrupted, it goes on from here.

    Attributes:
        epoch: of the last step before it, counted from 1; more steps of the same epoch
            may follow.
    """

    epoch: int


@dataclass(frozen=True)
class Done(Event):
    """The last epoch ended and the run is a result: scores, times and weights.

    Attributes:
        metrics: the last epoch's, and the test part's.
        train_seconds: in training steps and evaluation, compilation apart.
        compile_seconds: compilation, counted with the replicates that wait for it,
            also where it went on while another cell trained.
        step_seconds: in training steps alone.
        weights: NumPy arrays by layer name, then `kernel` or `bias`; under `input`
            the `mean` and `deviation` that normalise pixels. Empty where they are in a
            file, or are not kept.
        kept: the file that they are in (`dse.runs.weights.Kept`).
    """

    metrics: Metrics
    train_seconds: float
    compile_seconds: float
    step_seconds: float
    weights: Mapping[str, Mapping[str, Any]] = field(repr=False)
    kept: Kept | None = None


@dataclass(frozen=True)
class Failed(Event):
    """The run is none.

    Attributes:
        reason: a word to group by; see `FAILURES`.
        detail: a line for a person.
        again: whether it is tried again; the driver knows.
    """

    reason: Reason
    detail: str
    again: bool = False
