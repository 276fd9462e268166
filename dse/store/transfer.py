"""Export and import: a zip of tables and weights, merged without doubles."""

import datetime
import json
import lzma
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from sqlalchemy import ColumnElement, Connection, Table, delete, insert, select

from dse.errors import DseError
from dse.runs.paths import within
from dse.store import SEARCHES
from dse.store.database import Store, open_store
from dse.store.files import write_whole
from dse.store.place import WEIGHTS
from dse.store.query import check_study, study_called, study_names
from dse.store.schema import (
    METAPARAMETERS,
    architectures,
    artifacts,
    cells,
    metrics,
    runs,
    studies,
    study_cells,
)

TABLES = "tables.db"
FINISHED = ("complete", "failed")
_NO_EXPORT = "{} is not an export of dse; expected what `dse export` wrote"


def export_studies(store: Store, file: Path, study: str | None = None) -> int:
    """Write a study, or all, with its finished runs to `file`.

    Returns:
        The number of runs written.

    Raises:
        DseError: there is no such study, or `file` cannot be written or is something
            else than an export, or weights are not what a sweep writes.
    """
    if study is not None:
        check_study(store, study)
    _refuse_other_file(file)
    with tempfile.TemporaryDirectory() as scratch:
        copy = open_store(f"sqlite:///{scratch}/{TABLES}")
        count = merge(store, copy, study_names(store) if study is None else [study])
        copy.engine.dispose()
        weights = copy.place.weights

        def write(opened: BinaryIO) -> None:
            with zipfile.ZipFile(opened, "w", zipfile.ZIP_STORED) as archive:
                archive.write(Path(scratch, TABLES), TABLES)
                for path in sorted(weights.rglob("*")):
                    if path.is_file():
                        inside = path.relative_to(weights).as_posix()
                        archive.write(path, f"{WEIGHTS}/{inside}")

        try:
            write_whole(file, write)
        except OSError as error:
            why = error.strerror or error
            raise DseError(f"cannot write {file}: {why}; name another file") from error
    return count


def _refuse_other_file(file: Path) -> None:
    """What an export replaces is an export: a database would be lost with its runs."""
    if not file.is_file() or not file.stat().st_size:
        return
    with suppress(OSError, zipfile.BadZipFile), zipfile.ZipFile(file) as archive:
        if TABLES in archive.namelist():
            return
    raise DseError(
        f"{file} is there, and is no export of dse; name another file, or remove it"
    )


def import_file(store: Store, file: Path) -> int:
    """Merge what `export_studies` wrote into `store`.

    Returns:
        The number of runs that were new.

    Raises:
        DseError: `file` is no export, a study in it has another recipe here, or a
            sweep is on.
    """
    if file.exists() and not file.is_file():  # a pipe would be waited for
        raise DseError(_NO_EXPORT.format(file))
    try:
        with tempfile.TemporaryDirectory() as scratch:
            with zipfile.ZipFile(file) as archive:
                if TABLES not in archive.namelist():
                    raise DseError(_NO_EXPORT.format(file))
                _extract(archive, scratch)
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


def _extract(archive: zipfile.ZipFile, folder: str) -> None:
    """What an export has of an archive, whatever else is in it.

    Raises:
        BadZipFile: it is damaged, or locked by a password.
    """
    try:
        for name in archive.namelist():
            if name == TABLES or name.startswith(f"{WEIGHTS}/"):
                archive.extract(name, folder)
    except (RuntimeError, ValueError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise zipfile.BadZipFile(str(error)) from error


def merge(source: Store, target: Store, names: Iterable[str]) -> int:
    """Copy studies and their finished runs that `target` lacks; weights come along.

    Returns:
        The number of runs copied.

    Raises:
        DseError: a study has another recipe or experiment there, or a run or its
            weights are called as no sweep calls them.
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
    for row in finished:
        # What it is called by is where files lie.
        within(target.artifacts, f"{row.cell_id}-{row.replicate}")
    copied: list[str] = []
    try:
        with target.writing() as writing:
            _refuse_other_studies(writing, tables[studies])
            _refuse_other_points(writing, tables[studies], tables[study_cells])
            for table in (architectures, cells, studies, study_cells):
                _insert_missing(writing, table, tables[table])
            new = [row for row in finished if _is_new(writing, row)]
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
    """A study varies one metaparameter, here and there the same, or is a search."""
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
    """The metaparameters that not all points have alike."""
    every = list(points)
    return [x for x in METAPARAMETERS if len({getattr(p, x) for p in every}) > 1]


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


def _copy_weights(source: Store, target: Store, run: Any, name: object) -> str | None:
    """Copy a run's weights; what they are called there, None where there are none."""
    found = source.place.find_weights(name)
    if found is None:
        return None
    now = datetime.datetime.now(datetime.UTC)
    copy = target.place.weights_of(run.cell_id, run.replicate, now)
    copy.parent.mkdir(parents=True, exist_ok=True)
    try:
        shutil.copytree(found, copy)
    except BaseException:
        shutil.rmtree(copy, ignore_errors=True)
        raise
    return copy.name


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
