"""Number of tries of a run before its failure is final."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from dse.declared import Declared
from dse.errors import DseError
from dse.fields import text, whole
from dse.runs.events import FAILURES, FINAL
from dse.runs.run_state import RunState

MOST_TRIES = 10_000
AGAIN = tuple(reason for reason in FAILURES if reason not in FINAL)
"""Failures that are tried again by default."""


def reasons(value: Any) -> tuple[str, ...]:
    """Check the reasons of failures that are to be tried again."""
    if not value:
        raise DseError(
            "--retry names no failure; leave it out, or --tries 1 tries none again"
        )
    for reason in value:
        if reason not in FAILURES:
            raise DseError(
                f"no failure has the reason {reason!r}; expected some of "
                f"{', '.join(FAILURES)}"
            )
    return tuple(value)


@dataclass(frozen=True)
class Tries(Declared, name="tries"):
    """Failures that are tried again, and the number of starts of a run in all.

    A run whose driver was killed starts again, and this does not count as a try.

    Raises:
        DseError: the limit is out of range, or no failure has such a reason.
    """

    tries: int = whole(
        3,
        "starts of a run whose worker is lost, hangs, raises or lacks memory",
        most=MOST_TRIES,
    )
    retry: tuple[str, ...] = text(
        AGAIN,
        "which failures are tried again; by default all but diverged, untrained",
        reasons,
    )

    def are_left(self, reason: str, tries: int) -> bool:
        """True if a run that failed at its start number `tries` starts again."""
        return reason in self.retry and tries < self.tries

    def ended(self, state: RunState | None) -> bool:
        """True if a run is complete or has finally failed."""
        if state is None or state.status == "running":
            return False
        if state.status == "complete":
            return True
        return not self.are_left(state.reason or "", state.tries)


def holes(states: Iterable[RunState]) -> dict[str, int]:
    """Number of failed runs that the training itself did not cause, by reason."""
    failed = [s.reason or "" for s in states if s.status == "failed"]
    return dict(Counter(reason for reason in failed if reason not in FINAL))
