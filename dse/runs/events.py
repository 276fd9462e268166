"""Events that a training sends to its driver: plain, picklable records."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Kept:
    """A file of weights: its name in the folder of weights, and the weights' hash."""

    path: str
    hash: str


Metrics = Mapping[str, Mapping[str, float]]
"""Values by split (`train`, `validation`, `test`), then by name (`loss`, ...)."""

Reason = Literal["diverged", "untrained", "parent", "error", "memory", "lost", "hung"]
FAILURES: Mapping[str, str] = {
    "diverged": "its loss is no finite number",
    "untrained": "it trained to the end, and no better than chance",
    "parent": "the run whose weights it begins from has no result",
    "error": "it raised an error",
    "memory": "it asked for more memory than there is, or than it may have",
    "lost": "its worker ended, or the machine",
    "hung": "nothing was heard of it for longer than the time limit",
}
"""Reasons why a run has no valid result, with their meanings."""

FINAL = ("diverged", "untrained", "parent")
"""Reasons that another try would meet again: of the training, or of its parent."""


@dataclass(frozen=True)
class Event:
    """An event of a run, identified by cell and replicate."""

    cell_id: str
    replicate: int


@dataclass(frozen=True)
class Started(Event):
    """The start of a run.

    Attributes:
        device: name of the device.
        begun: time in UTC on the machine that trains it.
        run_id: number in the database, set by the driver.
    """

    device: str
    begun: datetime.datetime | None = None
    run_id: int | None = None


@dataclass(frozen=True)
class EpochEnded(Event):
    """The end of an epoch.

    Attributes:
        epoch: counted from 1.
        metrics: those of train (as trained on: augmented, with dropout) and validation.
        images: images trained on.
        seconds: time of the training steps alone, shared equally by replicates that
            train together.
        replayed: True if it was trained before the run was interrupted.
    """

    epoch: int
    metrics: Metrics
    images: int
    seconds: float
    replayed: bool = False

    @property
    def images_per_second(self) -> float:
        """Images per second of the training steps."""
        return self.images / self.seconds


@dataclass(frozen=True)
class Checkpointed(Event):
    """A saved state of the run, from which it goes on after an interruption.

    Attributes:
        epoch: that of the last step, counted from 1; more of its steps may follow.
    """

    epoch: int


@dataclass(frozen=True)
class Done(Event):
    """The result of a run: scores, times and weights.

    Attributes:
        metrics: those of the last epoch and of the test part.
        train_seconds: time of training steps and evaluation, without compilation.
        compile_seconds: compilation time, shared by the replicates that waited for it;
            counted in full even if another cell trained meanwhile.
        step_seconds: time of the training steps alone.
        weights: NumPy arrays by layer name, then `kernel` or `bias`; under `input`
            the `mean` and `deviation` that normalise pixels. Empty if they are in a
            file or not kept.
        kept: the file of the weights, if there is one.
        network: of a cell with stages, the file of the compressed network; None once
            it is kept.
        size: bytes of that file.
    """

    metrics: Metrics
    train_seconds: float
    compile_seconds: float
    step_seconds: float
    weights: Mapping[str, Mapping[str, Any]] = field(repr=False)
    kept: Kept | None = None
    network: bytes | None = field(default=None, repr=False)
    size: int | None = None


@dataclass(frozen=True)
class Failed(Event):
    """The failure of a run.

    Attributes:
        reason: a word to group by; see `FAILURES`.
        detail: a line for the user.
        again: True if it is tried again, set by the driver.
    """

    reason: Reason
    detail: str
    again: bool = False
