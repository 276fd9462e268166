"""Copy studies from one database into another, without duplicates."""

import datetime
import json
import shutil
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, delete, insert, select

from dse.errors import DseError
from dse.files import write_whole
from dse.runs.paths import FORMS, PLAIN, weights_of, within
from dse.store import SEARCHES
from dse.store.database import Store
from dse.store.families import enter_rows
from dse.store.schema import (
    architectures,
    artifacts,
    cells,
    families,
    metrics,
    runs,
    studies,
    study_cells,
)

FINISHED = ("complete", "failed")


def merge(source: Store, target: Store, names: Iterable[str]) -> int:
    """Copy studies, and the finished runs that `target` lacks, with their weights.

    Returns:
        The number of runs copied.

    Raises:
        DseError: a study has another recipe or experiment there, or the name of a run
            or of its weights is invalid.
    """
    with source.reading() as reading:
        wanted = list(names)
        tables = {
            studies: _rows(reading, studies, studies.c.name.in_(wanted)),
            study_cells: _rows(reading, study_cells, study_cells.c.study.in_(wanted)),
        }
        named = {row.family for row in tables[study_cells]}
        family_rows = {
            row.name: (row.fields, row.derived)
            for row in _rows(reading, families, families.c.name.in_(named))
        }
        cell_ids = {row.cell_id for row in tables[study_cells]}
        tables[cells] = [row for row in _rows(reading, cells) if row.id in cell_ids]
        arch_ids = {row.arch_id for row in tables[cells]}
        tables[architectures] = [
            row for row in _rows(reading, architectures) if row.id in arch_ids
        ]
        finished = [
            row
            for row in _rows(reading, runs, runs.c.status.in_(FINISHED))
            if row.cell_id in cell_ids
        ]
        run_metrics: dict[int, list[Any]] = {row.id: [] for row in finished}
        # A subquery: a database takes some 10,000 values in a statement at most.
        of = study_cells.c.study.in_(wanted)
        in_studies = runs.c.cell_id.in_(select(study_cells.c.cell_id).where(of))
        run_ids = select(runs.c.id).where(in_studies, runs.c.status.in_(FINISHED))
        for row in _rows(reading, metrics, metrics.c.run_id.in_(run_ids)):
            if row.run_id in run_metrics:  # not of a run that has ended meanwhile
                run_metrics[row.run_id].append(row)
        kept = {
            row.run_id: row
            for row in _rows(reading, artifacts, artifacts.c.run_id.in_(run_ids))
        }
    for row in finished:
        # This name becomes part of paths.
        within(target.place.weights, f"{row.cell_id}-{row.replicate}")
    copied: list[str] = []
    try:
        with target.changing_schema() as writing:
            enter_rows(writing, family_rows)
            _refuse_other_studies(writing, tables[studies])
            _refuse_other_points(writing, tables[studies], tables[study_cells])
            for table in (architectures, cells, studies, study_cells):
                _insert_missing(writing, table, tables[table])
            new = [row for row in finished if _make_room_for(writing, row)]
            for row in new:
                weights = kept.get(row.id)
                path = weights and _copy_weights(source, target, row, weights.path)
                copied += [path] if path else []
                _insert_run(writing, row, run_metrics[row.id], weights, path)
    except BaseException:
        target.place.delete_weights(copied)
        raise
    return len(new)


def _rows(
    connection: Connection, table: Table, *where: ColumnElement[bool]
) -> list[Any]:
    return list(connection.execute(select(table).where(*where)))


def _refuse_other_studies(connection: Connection, coming: Iterable[Any]) -> None:
    for row in coming:
        here = connection.execute(
            select(studies).where(studies.c.name == row.name)
        ).first()
        if here is None:
            continue
        different = [
            name
            for name in ("recipe", "dataset_fingerprint", "numerics_version")
            if getattr(here, name) != getattr(row, name)
        ]
        if different:
            raise DseError(
                f"study {row.name} is here with another {different[0]} "
                f"({json.dumps(getattr(here, different[0]))} here, "
                f"{json.dumps(getattr(row, different[0]))} there); import it into "
                "another --storage"
            )


def _refuse_other_points(
    connection: Connection, coming: Iterable[Any], points: Sequence[Any]
) -> None:
    """Refuse points that vary more metaparameters together than in one database.

    One metaparameter may always vary, and all may vary in a search.
    """
    for study in coming:
        here = _rows(connection, study_cells, study_cells.c.study == study.name)
        there = [point for point in points if point.study == study.name]
        most = max(1, len(_varied(here)), len(_varied(there)))
        different = _varied([*here, *there])
        if len(different) > most and not study.experiment.startswith(SEARCHES):
            raise DseError(
                f"study {study.name} is here of another experiment: together they "
                f"would vary {', '.join(different)}; import it into another --storage"
            )


def _varied(points: Iterable[Any]) -> list[str]:
    """Names of the metaparameters, and `family`, in which the points differ."""
    every = list(points)
    names = dict.fromkeys(name for point in every for name in point.metaparameters)
    return [
        name
        for name in ("family", *names)
        if len({str(_value(point, name)) for point in every}) > 1
    ]


def _value(point: Any, name: str) -> object:
    return point.family if name == "family" else point.metaparameters.get(name)


def _insert_missing(connection: Connection, table: Table, rows: list[Any]) -> None:
    keys = list(table.primary_key.columns)
    known = {tuple(row) for row in connection.execute(select(*keys))}
    missing = [
        dict(row._mapping)
        for row in rows
        if tuple(getattr(row, key.name) for key in keys) not in known
    ]
    if missing:
        connection.execute(insert(table), missing)


def _make_room_for(connection: Connection, row: Any) -> bool:
    """Delete the incomplete run that this one replaces; False if it is not to come."""
    here = connection.execute(
        select(runs.c.id, runs.c.status).where(
            runs.c.cell_id == row.cell_id, runs.c.replicate == row.replicate
        )
    ).first()
    if here is None:
        return True
    if here.status == "complete" or here.status == row.status:
        return False
    connection.execute(delete(runs).where(runs.c.id == here.id))
    return True


def _copy_weights(source: Store, target: Store, run: Any, name: object) -> str | None:
    """Copy a run's weights; return their new name, or None if there are none."""
    found = source.place.find_weights(name)
    if found is None:
        return None
    now = datetime.datetime.now(datetime.UTC)
    form = found.suffix if found.suffix in FORMS else PLAIN
    copy = weights_of(target.place.own, run.cell_id, run.replicate, now, form)
    copy.parent.mkdir(parents=True, exist_ok=True)
    if found.is_file():
        with found.open("rb") as opened:
            write_whole(copy, partial(shutil.copyfileobj, opened))
        return copy.name
    folder = copy.with_suffix("")  # weights of an older version
    try:
        shutil.copytree(found, folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder.name


def _insert_run(
    connection: Connection,
    row: Any,
    measured: list[Any],
    kept: Any | None,
    path: str | None,
) -> None:
    values = {k: v for k, v in row._mapping.items() if k != "id"}
    query = insert(runs).values(values).returning(runs.c.id)
    run_id = connection.execute(query).scalar_one()
    if measured:
        connection.execute(
            insert(metrics), [{**m._mapping, "run_id": run_id} for m in measured]
        )
    if kept is not None and path is not None:
        values = {**kept._mapping, "run_id": run_id, "path": path}
        connection.execute(insert(artifacts), values)
