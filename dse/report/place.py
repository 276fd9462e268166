"""Where a report lies: with its database's files, and no other in the same place."""

from collections.abc import Iterable
from pathlib import Path

from dse.data.names import bounded
from dse.runs.records import StudyRecord

FRONT = "front"
"""The folder of fronts; an experiment may not be called so."""


def folder_of(reports: Path, experiment: str, study: StudyRecord) -> Path:
    """Where the report on an experiment lies, or on a search."""
    return reports / experiment / f"{study.dataset}-{study.preset}"


def front_of(reports: Path, experiments: Iterable[str], study: StudyRecord) -> Path:
    """Where the front of these experiments' cells lies, in whatever order they came."""
    together = bounded("+".join(sorted(set(experiments))))
    return folder_of(reports / FRONT, together, study)
