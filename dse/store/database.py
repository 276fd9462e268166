"""Open a database, check its schema, and turn its faults into clear lines."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Engine, insert, inspect, select, update
from sqlalchemy.exc import DBAPIError

from dse.errors import DseError, printable
from dse.files import copy_beside, on_network
from dse.passwords import shown
from dse.store.engine import keeps_journal, make_engine, parsed_url, sqlite_file
from dse.store.lock import FileSweepLock, ServerSweepLock, SweepLock, refuse_any_sweep
from dse.store.messages import Unreachable, clear_faults
from dse.store.migrations import OLDEST, migrate
from dse.store.place import Place
from dse.store.schema import SCHEMA_VERSION, metadata, schema
from dse.store.transactions import be_the_one_writer, read_only, schema_transaction
from dse.store.views import make_views

Result = TypeVar("Result")
MOST_SECONDS_AWAY = 600
SECONDS_BETWEEN_TRIES = 0.5


@dataclass(frozen=True)
class Store:
    """An open database and the place of its files.

    Attributes:
        url: The address, with its password, to open it a second time.
        engine: SQLAlchemy's engine; its `repr` may show a password.
        place: Folders of its weights, logs and checkpoints.
        lock: The lock that a sweep under way holds; else None.
        write_ahead: True while the file has a write-ahead log.
    """

    url: str = field(repr=False)
    engine: Engine = field(repr=False)
    place: Place
    lock: SweepLock | None = None
    write_ahead: bool = False

    @property
    def is_sqlite(self) -> bool:
        """True if the database is an SQLite file."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def sweeping(self, trained: Sequence[str]) -> Iterator["Store"]:
        """Hold the database for one sweep; the lock goes with the process.

        Meanwhile an SQLite file has a write-ahead log, which makes a commit cheap.

        Args:
            trained: Names of what the sweep trains. On a server, sweeps of other
                names may run at once; an SQLite file takes one sweep.

        Yields:
            This database, under the lock.

        Raises:
            DseError: Another sweep holds it.
        """
        name = shown(self.url)
        lock: SweepLock = (
            FileSweepLock(self.place.own, name)
            if self.is_sqlite
            else ServerSweepLock(self.engine, trained, name)
        )
        with clear_faults(self.url):
            lock.acquire()
        try:
            with self._write_ahead_log() as write_ahead:
                yield replace(self, lock=lock, write_ahead=write_ahead)
        finally:
            lock.release()

    @contextmanager
    def _write_ahead_log(self) -> Iterator[bool]:
        """Give the file a write-ahead log until the end, unless others are reading it.

        Such a log works on one machine only, and later readers would have to write.
        While a connection stays open, commits are not copied into the file: a commit
        takes 0.2 ms instead of 14, on a disk that takes 5 ms to sync.

        Yields:
            True if the file has one.
        """
        if not self.is_sqlite or on_network(self.place.own):
            yield False
            return
        try:
            with self.engine.connect() as kept:
                yield keeps_journal(kept, "wal")
        finally:
            # A new connection: an interrupted statement leaves its own unusable.
            with suppress(DBAPIError), self.engine.connect() as fresh:
                keeps_journal(fresh, "delete")

    def patiently(self, work: Callable[[], Result]) -> Result:
        """Call `work` under the lock; repeat it while the database is unreachable.

        Args:
            work: Reads or writes; a second call must not change the result.

        Raises:
            DseError: The database stays away, or another sweep took the lock.
        """
        lost: float | None = None
        while True:
            try:
                if self.lock is not None:
                    with clear_faults(self.url):
                        self.lock.renew()
                return work()
            except Unreachable as error:
                now = time.monotonic()
                if lost is None:
                    lost = now
                    line = printable(f"dse: {error}; waiting for it")
                    print(line, file=sys.stderr)
                if now - lost > MOST_SECONDS_AWAY:
                    raise
                time.sleep(SECONDS_BETWEEN_TRIES)

    @contextmanager
    def writing(self, *, lasting: bool = False) -> Iterator[Connection]:
        """Begin a transaction, one at a time: all of it is kept, or nothing.

        Args:
            lasting: True if it must survive a loss of power, not only a killed process.
        """
        with clear_faults(self.url), self.engine.begin() as connection:
            if not self.is_sqlite:
                be_the_one_writer(connection)
            elif self.write_ahead and not lasting:
                connection.exec_driver_sql("PRAGMA synchronous = NORMAL")
            yield connection

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Make other writers to a server wait; do not nest it in itself."""
        if self.is_sqlite:
            yield
            return
        with clear_faults(self.url), self.engine.begin() as connection:
            be_the_one_writer(connection)
            yield

    @contextmanager
    def changing_schema(self) -> Iterator[Connection]:
        """Begin a transaction that may make views and tables: all of it, or nothing."""
        with clear_faults(self.url), schema_transaction(self.engine) as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a connection that cannot write."""
        with (
            clear_faults(self.url),
            self.engine.connect() as connection,
            read_only(connection) as reader,
        ):
            yield reader


def open_store(
    url: str, *, create: bool = True, upgrade: bool | None = None, keep: bool = True
) -> Store:
    """Open the database at `url`.

    Args:
        url: SQLAlchemy's form, such as `sqlite:///results/dse.db`.
        create: True to make it if it is missing.
        upgrade: True to migrate an older schema; by default the same as `create`.
        keep: True to keep a copy from before the migration, and to print its name.

    Raises:
        DseError: It is missing, unreachable, no database, or of another schema.
    """
    parsed = parsed_url(url)
    file = sqlite_file(parsed)
    is_new = file is not None and not file.exists()
    if file is not None and is_new:
        if not create:
            raise DseError(
                f"there is no database {file}; run a sweep first or name another with "
                "--storage"
            )
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DseError(
                f"cannot make the folder {file.parent}: {error.strerror}"
            ) from error
    with clear_faults(url):
        whole = parsed.render_as_string(hide_password=False)
        place = Place.of_server(parsed) if file is None else Place.of_file(file)
        store = Store(whole, make_engine(parsed, file), place)
        may_upgrade = create if upgrade is None else upgrade
        _check_schema(
            store, create=create, upgrade=may_upgrade, is_new=is_new, keep=keep
        )
    return store


def _check_schema(
    store: Store, *, create: bool, upgrade: bool, is_new: bool, keep: bool
) -> None:
    if not inspect(store.engine).has_table(schema.name):
        if not create:
            raise DseError(
                f"database {shown(store.url)} holds no runs of dse; run a sweep first "
                "or name another with --storage"
            )
        if store.is_sqlite and not is_new and store.place.holds_weights:
            raise DseError(
                f"database {shown(store.url)} is empty, yet {store.place.own} holds "
                "weights of its runs: put a copy of it in its place, or move the "
                "weights away to begin anew"
            )
        with schema_transaction(store.engine) as connection:
            if not inspect(connection).has_table(schema.name):
                metadata.create_all(connection)
                make_views(connection)
                connection.execute(insert(schema).values(version=SCHEMA_VERSION))
    version = _version(store)
    if version is None or not OLDEST <= version <= SCHEMA_VERSION:
        raise DseError(
            f"database {shown(store.url)} has schema version {version}; this dse works "
            f"with {SCHEMA_VERSION}: use the dse that wrote it, or another --storage"
        )
    if version < SCHEMA_VERSION and not upgrade:
        raise DseError(
            f"database {shown(store.url)} has schema version {version}; the next dse "
            f"sweep into it brings it to {SCHEMA_VERSION} and keeps all, then repeat "
            "this"
        )
    if version < SCHEMA_VERSION:
        _bring_forward(store, keep=keep)


def _copied(file: Path, version: int) -> Path:
    try:
        return copy_beside(file, f".schema{version}")
    except OSError as error:
        raise DseError(
            f"database {file} cannot be brought forward, since no copy of it can be "
            f"kept: {error.strerror or error}; free some space, and repeat the command"
        ) from error


def _bring_forward(store: Store, *, keep: bool) -> None:
    """Migrate a database of an older schema; keep a copy of a file beside it.

    Raises:
        DseError: A sweep holds it, or there is no room for the copy.
    """
    with store.sweeping([]), schema_transaction(store.engine) as connection:
        version = connection.execute(select(schema.c.version)).scalar_one()
        if version == SCHEMA_VERSION:  # another process was quicker
            return
        kept, file = "", store.place.database
        if file is None:
            refuse_any_sweep(connection, shown(store.url))
        elif keep:
            kept = f"; as it was it is kept as {_copied(file, version)}"
        migrate(connection, version, SCHEMA_VERSION)
        connection.execute(update(schema).values(version=SCHEMA_VERSION))
    if not keep:
        return
    line = (
        f"dse: database {shown(store.url)} is brought from schema {version} to "
        f"{SCHEMA_VERSION}, with all its rows{kept}"
    )
    print(printable(line), file=sys.stderr)


def _version(store: Store) -> int | None:
    with store.engine.connect() as connection:
        version: int | None = connection.execute(select(schema.c.version)).scalar()
    return version
