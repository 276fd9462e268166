"""How often a run is tried before its failure stands."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from dse.bounds import check_whole
from dse.errors import DseError
from dse.runs.events import FAILURES, OUTCOMES
from dse.store.run_states import RunState

MOST_TRIES = 10_000


@dataclass(frozen=True)
class Tries:
    """Which failures are tried again, and how often a run is started in all.

    A run whose driver was killed is begun anew without counting as a try.

    Attributes:
        limit: starts of a run.
        again: reasons that are worth another.

    Raises:
        DseError: the limit is not positive, or no failure has such a reason.
    """

    limit: int = 3
    again: tuple[str, ...] = tuple(x for x in FAILURES if x not in OUTCOMES)

    def __post_init__(self) -> None:
        check_whole("tries", self.limit, 1, MOST_TRIES)
        for reason in self.again:
            if reason not in FAILURES:
                raise DseError(
                    f"no failure has the reason {reason!r}; expected some of "
                    f"{', '.join(FAILURES)}"
                )

    def are_left(self, reason: str, tries: int) -> bool:
        """Whether a run that failed so, at its start number `tries`, begins again."""
        return reason in self.again and tries < self.limit

    def ended(self, state: RunState | None) -> bool:
        """Whether a run needs nothing more."""
        if state is None or state.status == "running":
            return False
        if state.status == "complete":
            return True
        return not self.are_left(state.reason or "", state.tries)


def holes(states: Iterable[RunState]) -> dict[str, int]:
    """Runs that are none, by reason, where the training itself is not to blame."""
    failed = [s.reason or "" for s in states if s.status == "failed"]
    return dict(Counter(reason for reason in failed if reason not in OUTCOMES))
