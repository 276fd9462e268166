"""The state of a run."""

from dataclasses import dataclass


@dataclass(frozen=True)
class RunState:
    """The state of a run, and the number of times it was started.

    `bytes` are those of the file of a compressed network.
    """

    status: str
    reason: str | None
    val_accuracy: float | None
    tries: int = 1
    bytes: int | None = None
