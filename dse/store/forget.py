"""Runs that are to be tried again, or never to have been: taken out by name."""

import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, delete, select

from dse.errors import DseError
from dse.store.database import Store
from dse.store.schema import METAPARAMETERS, artifacts, runs, study_cells
from dse.train.places import checkpoints_of
from dse.train.runlog import log_of


@dataclass(frozen=True)
class Forgotten:
    """Runs that are no more.

    Attributes:
        runs: how many.
        studies: those that had them; more than one where studies share a cell.
    """

    runs: int
    studies: tuple[str, ...]


def forget(
    store: Store,
    study: str,
    cells: Sequence[str] = (),
    replicates: Collection[int] = (),
    *,
    failed_only: bool = False,
) -> Forgotten:
    """Take runs out of the database, with their weights, logs and checkpoints.

    A failed run that is to be tried again goes on from its checkpoint.

    Args:
        store: the database.
        study: the study's name.
        cells: which of its cells: by id or how it begins, or by metaparameters as
            sr=0.5 (several with commas); all when empty.
        replicates: which of their replicates; all when empty.
        failed_only: whether to leave the completed ones.

    Raises:
        DseError: no such cell.
    """
    with store.reading() as connection:
        query = select(study_cells).where(study_cells.c.study == study)
        points = list(connection.execute(query))
    chosen = {row.cell_id for row in points} if not cells else set[str]()
    for name in cells:
        chosen |= _cells_called(name, points)
    with store.writing() as connection:
        wanted: list[ColumnElement[bool]] = [runs.c.cell_id.in_(chosen)]
        if replicates:
            wanted.append(runs.c.replicate.in_(list(replicates)))
        if failed_only:
            wanted.append(runs.c.status == "failed")
        found = list(connection.execute(select(runs).where(*wanted)))
        ids = [row.id for row in found]
        paths = connection.execute(
            select(artifacts.c.path).where(artifacts.c.run_id.in_(ids))
        )
        kept = list(paths.scalars())
        of = study_cells.c.cell_id.in_({row.cell_id for row in found})
        sharing = connection.execute(select(study_cells.c.study).where(of).distinct())
        studies = tuple(sorted(sharing.scalars()))
        connection.execute(delete(runs).where(runs.c.id.in_(ids)))
    for path in kept:
        shutil.rmtree(store.artifacts / path, ignore_errors=True)
    folder = store.artifacts.parent
    for row in found:
        log_of(folder, row.cell_id, row.replicate).unlink(missing_ok=True)
        if not failed_only:
            checkpoints = checkpoints_of(folder, row.cell_id, row.replicate)
            shutil.rmtree(checkpoints, ignore_errors=True)
    return Forgotten(len(found), studies)


def _cells_called(name: str, points: Sequence[Any]) -> set[str]:
    """The cells of a study that a person means by `name`."""
    if "=" in name:
        pairs = [part.partition("=")[::2] for part in name.split(",")]
        unknown = [key for key, _ in pairs if key not in METAPARAMETERS]
        if unknown:
            raise DseError(
                f"cell {name!r} names {unknown[0]!r}; expected some of "
                f"{', '.join(METAPARAMETERS)}"
            )
        found = {
            row.cell_id
            for row in points
            if all(_is(getattr(row, key), value) for key, value in pairs)
        }
    else:
        found = {row.cell_id for row in points if row.cell_id.startswith(name)}
    if not found:
        raise DseError(
            f"the study has no cell {name!r}; expected an id that dse status --json "
            "shows, or how it begins, or metaparameters as sr=0.5,pct_3x3=0.5"
        )
    return found


def _is(value: object, written: str) -> bool:
    """Whether a metaparameter has the value that a person wrote."""
    try:
        return float(str(value)) == float(written)
    except ValueError:
        return str(value) == written
