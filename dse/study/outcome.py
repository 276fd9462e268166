"""Outcomes of studies after a sweep."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class SweepOutcome:
    """Outcome of a study's sweep.

    Attributes:
        study: name in the database.
        planned: runs in the plan.
        trained: runs that this call trained.
        failed: failed runs by reason, over all sessions.
        holes: those of `failed` that the training itself did not cause.
        widths: a line about the widths that the preset chose.
        elsewhere: runs left for other shards.
    """

    study: str
    planned: int
    trained: int
    failed: Mapping[str, int]
    holes: Mapping[str, int]
    widths: str
    elsewhere: int = 0


def sum_of_holes(studies: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Sum the holes of several studies, by reason."""
    return dict(sum(map(Counter, studies), Counter[str]()))
