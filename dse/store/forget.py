"""Delete runs by name, to train them again or to drop them."""

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select

from dse.bounds import MOST, check_whole
from dse.errors import DseError
from dse.fields import unknown_name
from dse.store.database import Store
from dse.store.schema import artifacts, runs, study_cells
from dse.store.schema import cells as cell_rows

EXPECTED = (
    "expected an id that dse status --json shows, or how it begins, or metaparameters "
    "as sr=0.5,pct_3x3=0.5"
)


@dataclass(frozen=True)
class Forgotten:
    """Result of deleting runs.

    Attributes:
        runs: number of deleted runs.
        studies: studies that had them; more than one where studies share a cell.
        stays: lines that name files that were not deleted, and why.
    """

    runs: int
    studies: tuple[str, ...]
    stays: tuple[str, ...] = ()


def forget(
    store: Store,
    study: str,
    cells: Sequence[str] = (),
    replicates: Collection[int] = (),
    *,
    failed_only: bool = False,
) -> Forgotten:
    """Delete runs from the database, with their weights, logs and checkpoints.

    The runs that began from their weights go with them, also those of other studies:
    trained anew the weights may be others.

    Args:
        store: the database.
        study: the study's name.
        cells: cells by id or the beginning of one, or by metaparameters as sr=0.5
            (several with commas); all when empty.
        replicates: their replicates; all when empty.
        failed_only: True to delete failed runs alone and keep their checkpoints, from
            which the next try goes on.

    Raises:
        DseError: a replicate is no whole number, there is no such cell, or a name
            could mean several.
    """
    with store.reading() as connection:
        of_study = study_cells.c.study == study
        points = list(connection.execute(select(study_cells).where(of_study)))
    for replicate in replicates:
        check_whole("replicate", replicate, 0, MOST)
    chosen = {row.cell_id for row in points} if not cells else set[str]()
    # A single name is a string, and would be read letter by letter.
    for name in [cells] if isinstance(cells, str) else cells:
        chosen |= _cells_called(name.strip(), points)
    # Subqueries: a database takes some 10,000 values in a statement at most.
    cells_of_study = select(study_cells.c.cell_id).where(of_study)
    with store.writing() as connection:
        query = select(runs).where(runs.c.cell_id.in_(cells_of_study))
        found = {
            row.id: row
            for row in connection.execute(query)
            if row.cell_id in chosen
            and (not replicates or row.replicate in replicates)
            and (not failed_only or row.status == "failed")
        }
        for row in _descendants(connection, list(found.values())):
            if not failed_only or row.status == "failed":
                found[row.id] = row
        kept = list(connection.execute(select(artifacts.c.run_id, artifacts.c.path)))
        weights = [row.path for row in kept if row.run_id in found]
        # Weights that another run needs are kept.
        others = {row.path for row in kept if row.run_id not in found} & {*weights}
        cells_found = {row.cell_id for row in found.values()}
        sharing = select(study_cells.c.study, study_cells.c.cell_id)
        studies = {
            x.study for x in connection.execute(sharing) if x.cell_id in cells_found
        }
        if found:
            one = delete(runs).where(runs.c.id == bindparam("run"))
            connection.execute(one, [{"run": run_id} for run_id in found])
    stays = [f"weights {name} stay: another run needs them" for name in sorted(others)]
    stays += store.place.delete_weights(x for x in weights if x not in others)
    for row in found.values():
        stays += store.place.delete_log(row.cell_id, row.replicate)
        if not failed_only:
            stays += store.place.delete_checkpoints(row.cell_id, row.replicate)
    return Forgotten(len(found), tuple(sorted(studies)), tuple(dict.fromkeys(stays)))


def _descendants(connection: Connection, of: Sequence[Any]) -> Iterator[Any]:
    """Runs of the same replicates whose cells go on from the cells of runs.

    Such a cell is equal but for its stages, which begin with those of the other.
    """
    query = select(
        runs,
        cell_rows.c.arch_id,
        cell_rows.c.recipe,
        cell_rows.c.dataset_fingerprint,
        cell_rows.c.numerics_version,
        cell_rows.c.stages,
    ).join(cell_rows, cell_rows.c.id == runs.c.cell_id)
    chosen = {row.id for row in of}
    rows = list(connection.execute(query)) if chosen else []
    begun: dict[tuple[Any, ...], list[list[Any]]] = {}
    for row in rows:
        if row.id in chosen:
            begun.setdefault(_lineage(row), []).append(row.stages)
    for row in rows:
        before = begun.get(_lineage(row), [])
        if any(row.stages[: len(x)] == x != row.stages for x in before):
            yield row


def _lineage(row: Any) -> tuple[Any, ...]:
    recipe = json.dumps(row.recipe, sort_keys=True)
    images, numerics = row.dataset_fingerprint, row.numerics_version
    return row.replicate, row.arch_id, recipe, images, numerics


def _cells_called(name: str, points: Sequence[Any]) -> set[str]:
    """Find the cells of a study that a person means by `name`."""
    if "=" in name:
        return _cells_with(name, points)
    found = {row.cell_id for row in points if name and row.cell_id.startswith(name)}
    if not found:
        raise DseError(f"the study has no cell {name!r}; {EXPECTED}")
    if name not in found and len(found) > 1:
        raise DseError(
            f"cell {name!r} could be any of {', '.join(sorted(found))}; name each"
        )
    return {name} if name in found else found


def _cells_with(values: str, points: Sequence[Any]) -> set[str]:
    """Find the cells of a study with metaparameters as sr=0.5,pct_3x3=0.5."""
    pairs = [part.partition("=")[::2] for part in _parts(values)]
    wanted = {key.strip(): value.strip() for key, value in pairs}
    names = dict.fromkeys(name for row in points for name in row.metaparameters)
    unknown = [key for key in wanted if key not in names]
    if unknown:
        raise DseError(unknown_name(f"cell {values!r} names", unknown[0], names))
    if len(wanted) < len(pairs):
        raise DseError(f"cell {values!r} names a metaparameter twice; {EXPECTED}")
    found = {
        row.cell_id
        for row in points
        if all(_is(row.metaparameters.get(x), value) for x, value in wanted.items())
    }
    every = {row.cell_id for row in points}
    if not found:
        raise DseError(f"the study has no cell {values!r}; {EXPECTED}")
    if found == every and len(every) > 1:
        raise DseError(
            f"cell {values!r} is what all {len(every)} cells of the study have; name "
            "what tells them apart, or cells by their ids"
        )
    return found


def _parts(values: str) -> list[str]:
    """Split at commas; a part without `=` belongs to the value before it."""
    parts: list[str] = []
    for part in values.split(","):
        if "=" in part or not parts:
            parts.append(part)
        else:
            parts[-1] += f",{part}"
    return parts


def _is(value: object, written: str) -> bool:
    """Check whether a metaparameter has the value that a person wrote."""
    try:
        return float(str(value)) == float(written)
    except ValueError:
        return str(value) == written
