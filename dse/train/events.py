"""What a training tells its driver: plain, picklable records."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Metrics = Mapping[str, Mapping[str, float]]
"""Values by split (`train`, `validation`, `test`), then by name (`loss`, ...)."""


@dataclass(frozen=True)
class Event:
    """Something happened to a run, which is (cell, replicate)."""

    cell_id: str
    replicate: int


@dataclass(frozen=True)
class Started(Event):
    """The run began."""

    device: str


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
class Done(Event):
    """The last epoch ended and the run is a result: scores, times and weights.

    Attributes:
        metrics: the last epoch's, and the test part's.
        train_seconds: in training steps and evaluation, compilation apart.
        compile_seconds: compilation, counted with the replicates that wait for it,
            also where it went on while another cell trained.
        step_seconds: in training steps alone.
        weights: NumPy arrays by layer name, then `kernel` or `bias`; under `input`
            the `mean` and `deviation` that normalise pixels.
    """

    metrics: Metrics
    train_seconds: float
    compile_seconds: float
    step_seconds: float
    weights: Mapping[str, Mapping[str, Any]] = field(repr=False)


@dataclass(frozen=True)
class Failed(Event):
    """The run is none.

    Attributes:
        reason: a word to group by: `diverged`, `untrained`, `error`, `lost`.
        detail: a line for a person.
    """

    reason: str
    detail: str
