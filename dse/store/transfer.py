"""Export and import: a zip of tables and weights, merged without doubles."""

import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, delete, insert, select

from dse.errors import DseError
from dse.store.database import Store, open_store
from dse.store.files import write_whole
from dse.store.query import check_study, study_called, study_names
from dse.store.schema import (
    architectures,
    artifacts,
    cells,
    metrics,
    runs,
    studies,
    study_cells,
)

TABLES = "tables.db"
WEIGHTS = "weights"
FINISHED = ("complete", "failed")
_NO_EXPORT = "{} is not an export of dse; expected what `dse export` wrote"


def export_studies(store: Store, file: Path, study: str | None = None) -> int:
    """Write a study, or all, with its finished runs to `file`.

    Returns:
        The number of runs written.

    Raises:
        DseError: there is no such study, or `file` cannot be written.
    """
    if study is not None:
        check_study(store, study)
    with tempfile.TemporaryDirectory() as scratch:
        copy = open_store(f"sqlite:///{scratch}/{TABLES}")
        count = merge(store, copy, study_names(store) if study is None else [study])
        copy.engine.dispose()

        def write(unfinished: Path) -> None:
            with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_STORED) as archive:
                for path in sorted(Path(scratch).rglob("*")):
                    if path.is_file():
                        archive.write(path, path.relative_to(scratch).as_posix())

        try:
            write_whole(file, write)
        except OSError as error:
            raise DseError(f"cannot write {file}: {error.strerror}") from error
    return count


def import_file(store: Store, file: Path) -> int:
    """Merge what `export_studies` wrote into `store`.

    Returns:
        The number of runs that were new.

    Raises:
        DseError: `file` is no export, a study in it has another recipe here, or a
            sweep is on.
    """
    try:
        with tempfile.TemporaryDirectory() as scratch:
            with zipfile.ZipFile(file) as archive:
                if TABLES not in archive.namelist():
                    raise DseError(_NO_EXPORT.format(file))
                archive.extractall(scratch)
            url = f"sqlite:///{scratch}/{TABLES}"
            source = open_store(url, create=False, upgrade=True)
            names = study_names(source)
            trained = [study_called(source, name).trains for name in names]
            # A sweep would begin anew what comes in behind its back.
            with store.sweeping(trained) as held:
                count = merge(source, held, names)
            source.engine.dispose()
    except OSError as error:
        raise DseError(f"cannot import {file}: {error.strerror or error}") from error
    except zipfile.BadZipFile as error:
        raise DseError(_NO_EXPORT.format(file)) from error
    return count


def merge(source: Store, target: Store, names: Iterable[str]) -> int:
    """Copy studies and their finished runs that `target` lacks; weights come along.

    Returns:
        The number of runs copied.
    """
    with source.reading() as reading:
        wanted = list(names)
        tables = {
            studies: _rows(reading, studies, studies.c.name.in_(wanted)),
            study_cells: _rows(reading, study_cells, study_cells.c.study.in_(wanted)),
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
        for row in _rows(reading, metrics, metrics.c.run_id.in_(list(run_metrics))):
            run_metrics[row.run_id].append(row)
        kept = {
            row.run_id: row
            for row in _rows(reading, artifacts)
            if row.run_id in run_metrics
        }
    with target.writing() as writing:
        _refuse_other_studies(writing, tables[studies])
        for table in (architectures, cells, studies, study_cells):
            _insert_missing(writing, table, tables[table])
        new = [row for row in finished if _is_new(writing, row)]
        for row in new:
            if row.id in kept:
                _copy_weights(source, target, kept[row.id].path)
            _insert_run(writing, row, run_metrics[row.id], kept.get(row.id))
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


def _is_new(connection: Connection, row: Any) -> bool:
    """Whether the run is missing here, or here only failed or unfinished."""
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


def _copy_weights(source: Store, target: Store, path: str) -> None:
    destination = target.artifacts / path
    if (source.artifacts / path).is_dir() and not destination.exists():
        unfinished = destination.with_name(f".{path}.partial")
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.copytree(source.artifacts / path, unfinished)
        unfinished.replace(destination)


def _insert_run(
    connection: Connection, row: Any, measured: list[Any], kept: Any | None
) -> None:
    values = {k: v for k, v in row._mapping.items() if k != "id"}
    query = insert(runs).values(values).returning(runs.c.id)
    run_id = connection.execute(query).scalar_one()
    if measured:
        connection.execute(
            insert(metrics), [{**m._mapping, "run_id": run_id} for m in measured]
        )
    if kept is not None:
        connection.execute(insert(artifacts), {**kept._mapping, "run_id": run_id})
