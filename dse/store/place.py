"""Folders of a database's files: weights, logs, checkpoints and a lock."""

import datetime
import re
import secrets
import shutil
import sqlite3
from collections.abc import Iterable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL

from dse.errors import DseError
from dse.files import bounded, short_digest
from dse.runs.paths import FORMS, WEIGHTS, checkpoints_of, log_of, weights_of, within
from dse.store import DEFAULT_STORAGE

USUAL_PORT = "5432"
LOOPBACK = ("localhost", "127.0.0.1", "::1")
"""Names of this machine, which count as one host."""
SQLITE_HEADER = b"SQLite format 3\0"


@dataclass(frozen=True)
class Place:
    """Folders of a database's files.

    A database with the default name, `dse.db`, has them in its folder; any other, as
    `team.db`, in the folder `team.db.files` beside it.

    Attributes:
        database: the SQLite file; None for a server's database.
        own: the folder of this database's files, to write and to delete.
        beside: the folder that databases of every name once shared; weights of older
            runs are read there.
    """

    database: Path | None
    own: Path
    beside: Path

    @classmethod
    def of_file(cls, file: Path) -> "Place":
        """Place of a SQLite file; symbolic links to one file share `own`."""
        real = file.resolve() if file.is_symlink() else file
        is_default = real.name == Path(DEFAULT_STORAGE).name
        own = real.parent if is_default else real.with_name(f"{real.name}.files")
        return cls(real, own, file.parent)

    @classmethod
    def of_server(cls, url: URL) -> "Place":
        """Place of a server's database, on this machine."""
        beside = Path(DEFAULT_STORAGE.removeprefix("sqlite:///")).parent
        asked = url.query
        host = str(url.host or asked.get("host") or "")
        port = str(url.port or asked.get("port") or USUAL_PORT)
        words = [
            url.database or "",
            "localhost" if host in LOOPBACK else host.lower(),
            port if port != USUAL_PORT else "",
        ]
        plain = [re.sub(r"[^\w.-]", "_", word) for word in words]
        # Plain words have no @, so different words give different names.
        name = "@".join(plain).rstrip("@")
        if plain != words:
            name = f"{name}-{short_digest('@'.join(words))}"
        return cls(None, beside / f"{bounded(name)}.files", beside)

    @property
    def weights(self) -> Path:
        """Folder of the database's own weights."""
        return self.own / WEIGHTS

    @property
    def holds_weights(self) -> bool:
        """True if there are weights that are, or may be, of the database's runs."""
        folders = {self.weights}
        if not (self.beside / Path(DEFAULT_STORAGE).name).exists():
            folders.add(self.beside / WEIGHTS)
        return any(folder.is_dir() and any(folder.iterdir()) for folder in folders)

    def delete_unfinished(
        self, cell_id: str, replicate: int, begun: datetime.datetime
    ) -> None:
        """Delete the weights, complete or not, of an unfinished run begun at `begun`.

        Raises:
            DseError: see `within`.
        """
        for form in FORMS:
            file = weights_of(self.own, cell_id, replicate, begun, form)
            for left in (file, *file.parent.glob(f".{file.name}.*")):
                left.unlink(missing_ok=True)
        before = file.with_suffix("")  # folder of an older version
        for folder in (before, *file.parent.glob(f"{before.name}.orbax-*")):
            shutil.rmtree(folder, ignore_errors=True)

    def find_weights(self, name: object) -> Path | None:
        """Path of the weights that a row names; None if they are gone.

        Raises:
            DseError: see `within`; or a folder of weights holds a link or a special
                file.
        """
        for folder in (self.weights, self.beside / WEIGHTS):
            found = within(folder, name)
            if found.is_file():
                return found
            if found.is_dir():
                for inner in found.rglob("*"):
                    if inner.is_symlink() or not (inner.is_dir() or inner.is_file()):
                        raise DseError(f"{inner} is no regular file; remove it")
                return found
        return None

    def delete_weights(self, names: Iterable[object]) -> list[str]:
        """Delete weights by the names in their rows, unless other databases need them.

        Returns:
            Lines that name what was not deleted, and why.
        """
        elsewhere = self._named_elsewhere()
        stays = []
        for name in names:
            try:
                own = within(self.weights, name)
                older = within(self.beside / WEIGHTS, name)
            except DseError as error:
                stays.append(str(error))
                continue
            if own.exists() and (elsewhere is None or name in elsewhere):
                stays.append(f"{own} stays: another database beside it may need it")
            elif own.is_dir():
                stays += _not_removed(own)
            elif own.is_file():
                try:
                    own.unlink()
                except OSError as error:
                    stays.append(f"{own} stays: {error.strerror}")
            elif older.exists():
                stays.append(f"{older} stays: databases shared that folder")
        return stays

    def delete_log(self, cell_id: str, replicate: int) -> list[str]:
        """Delete a run's log; return lines that name what was not deleted."""
        try:
            log_of(self.own, cell_id, replicate).unlink(missing_ok=True)
        except DseError as error:
            return [str(error)]
        except OSError as error:
            return [f"{error.filename} stays: {error.strerror}"]
        return []

    def adopt_checkpoints(self, cell_id: str, replicate: int) -> None:
        """Copy a run's checkpoints from the folder that older versions shared.

        Raises:
            DseError: see `within`; or they cannot be copied.
        """
        own = checkpoints_of(self.own, cell_id, replicate)
        older = checkpoints_of(self.beside, cell_id, replicate)
        if self.own == self.beside or own.exists() or not older.is_dir():
            return
        copy = own.with_name(f".{own.name}.{secrets.token_hex(8)}")
        try:
            shutil.copytree(older, copy)
            copy.replace(own)
        except OSError as error:
            raise DseError(
                f"the checkpoints {older} cannot be copied to {own}: "
                f"{error.strerror or error}; copy them, or take them away to begin anew"
            ) from error
        finally:
            shutil.rmtree(copy, ignore_errors=True)

    def delete_checkpoints(self, cell_id: str, replicate: int) -> list[str]:
        """Delete a run's checkpoints; return lines that name what was not deleted."""
        try:
            folder = checkpoints_of(self.own, cell_id, replicate)
        except DseError as error:
            return [str(error)]
        return _not_removed(folder)

    def _named_elsewhere(self) -> set[object] | None:
        """Names of weights in the databases beside this one; None if one is unreadable.

        Databases of older versions have weights in this folder, and a copy of a
        database reads the weights of its original.
        """
        if self.database is None or self.own != self.database.parent:
            return set()
        names = set[object]()
        for file in sorted(self.own.iterdir()):
            if _is_sqlite(file) and not file.samefile(self.database):
                try:
                    names |= _artifact_names(file)
                except sqlite3.Error:
                    return None
        return names


def _not_removed(folder: Path) -> list[str]:
    """Remove a folder; return lines that name what could not be removed."""
    shutil.rmtree(folder, ignore_errors=True)
    return [f"{folder} stays: it cannot be removed"] if folder.exists() else []


def _is_sqlite(file: Path) -> bool:
    with suppress(OSError):
        if file.is_file():
            with file.open("rb") as opened:
                return opened.read(len(SQLITE_HEADER)) == SQLITE_HEADER
    return False


def _artifact_names(file: Path) -> set[object]:
    address = f"{file.resolve().as_uri()}?mode=ro"
    with closing(sqlite3.connect(address, uri=True, timeout=1)) as connection:
        table = "SELECT 1 FROM sqlite_master WHERE name = 'dse_artifacts'"
        if connection.execute(table).fetchone() is None:
            return set()
        rows = connection.execute("SELECT path FROM dse_artifacts").fetchall()
    return {path for (path,) in rows}
