"""Where a run stands."""

from dataclasses import dataclass


@dataclass(frozen=True)
class RunState:
    """Where a run stands, and how often it was started."""

    status: str
    reason: str | None
    val_accuracy: float | None
    tries: int = 1
