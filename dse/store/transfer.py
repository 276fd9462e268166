"""Export studies to a zip of tables and weights, and import one without doubles."""

import lzma
import tempfile
import zipfile
import zlib
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from dse.errors import DseError
from dse.files import write_whole
from dse.runs.paths import WEIGHTS
from dse.store.content import check_content
from dse.store.database import Store, open_store
from dse.store.merge import merge
from dse.store.query import check_study, study_called, study_names

TABLES = "tables.db"
_NO_EXPORT = "{} is not an export of dse; expected what `dse export` wrote"


def export_studies(store: Store, file: Path, study: str | None = None) -> int:
    """Write a study, or all, with the finished runs to `file`.

    Returns:
        The number of runs written.

    Raises:
        DseError: there is no such study, `file` cannot be written or is not an export,
            or the name of a run or of its weights is invalid.
    """
    if study is not None:
        check_study(store, study)
    _refuse_other_file(file)
    with tempfile.TemporaryDirectory() as scratch:
        copy = open_store(f"sqlite:///{scratch}/{TABLES}")
        count = merge(store, copy, study_names(store) if study is None else [study])
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
    """Refuse to replace a file that is not an export, such as a database."""
    if not file.is_file() or not file.stat().st_size:
        return
    with suppress(OSError, zipfile.BadZipFile), zipfile.ZipFile(file) as archive:
        if TABLES in archive.namelist():
            return
    raise DseError(
        f"{file} is there, and is no export of dse; name another file, or remove it"
    )


def import_file(store: Store, file: Path) -> int:
    """Merge a file that `export_studies` wrote into `store`.

    Returns:
        The number of runs that were new.

    Raises:
        DseError: `file` is not a valid export, a study in it has another recipe here,
            or a sweep is running.
    """
    if file.exists() and not file.is_file():  # opening a pipe would block
        raise DseError(_NO_EXPORT.format(file))
    try:
        with tempfile.TemporaryDirectory() as scratch:
            with zipfile.ZipFile(file) as archive:
                if TABLES not in archive.namelist():
                    raise DseError(_NO_EXPORT.format(file))
                _extract(archive, scratch)
            url = f"sqlite:///{scratch}/{TABLES}"
            source = open_store(url, create=False, upgrade=True, keep=False)
            check_content(source)
            names = study_names(source)
            trained = [study_called(source, name).trains for name in names]
            # A running sweep would train the imported runs again.
            with store.sweeping(trained) as held:
                count = merge(source, held, names)
    except OSError as error:
        raise DseError(f"cannot import {file}: {error.strerror or error}") from error
    except zipfile.BadZipFile as error:
        raise DseError(_NO_EXPORT.format(file)) from error
    return count


def _extract(archive: zipfile.ZipFile, folder: str) -> None:
    """Extract the tables and weights of an export, and nothing else.

    Raises:
        BadZipFile: it is damaged, or locked by a password.
    """
    try:
        for name in archive.namelist():
            if name == TABLES or name.startswith(f"{WEIGHTS}/"):
                archive.extract(name, folder)
    except (RuntimeError, ValueError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise zipfile.BadZipFile(str(error)) from error
