"""What became of a study, for who asked for it."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class SweepOutcome:
    """What a sweep came to.

    Attributes:
        study: its name in the database.
        planned: runs that the plan wants.
        trained: runs that this call trained.
        failed: runs that failed, by reason, over all sessions.
        holes: of those, the runs whose training is not to blame, by reason.
        widths: which widths the preset chose, in a line.
        elsewhere: runs that other shards have to train.
    """

    study: str
    planned: int
    trained: int
    failed: Mapping[str, int]
    holes: Mapping[str, int]
    widths: str
    elsewhere: int = 0


def sum_of_holes(studies: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """The holes of several studies, by reason."""
    counted: Counter[str] = Counter()
    for holes in studies:
        counted.update(holes)
    return dict(counted)
