"""Folders of reports: beside the database's files, a different one for each."""

from collections.abc import Iterable
from pathlib import Path

from dse.files import bounded
from dse.runs.records import StudyRecord

FRONT = "front"
"""Folder of the fronts; no experiment may have this name."""


def folder_of(reports: Path, experiment: str, study: StudyRecord) -> Path:
    """Folder of the report on an experiment or a search."""
    return reports / experiment / f"{study.dataset}-{study.preset}"


def front_of(reports: Path, experiments: Iterable[str], study: StudyRecord) -> Path:
    """Folder of the front of these experiments' cells, whatever their order."""
    together = bounded("+".join(sorted(set(experiments))))
    return folder_of(reports / FRONT, together, study)
