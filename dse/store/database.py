"""Open a database, check its schema, and turn its faults into clear lines."""

import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    NullPool,
    create_engine,
    event,
    insert,
    inspect,
    make_url,
    select,
    text,
    update,
)
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from dse.errors import DseError, printable
from dse.passwords import shown
from dse.store import DEFAULT_STORAGE
from dse.store.files import on_network
from dse.store.lock import FileSweepLock, ServerSweepLock, SweepLock
from dse.store.messages import Unreachable, clear_faults, may_pass
from dse.store.place import Place
from dse.store.schema import SCHEMA_VERSION, UPGRADABLE, VIEWS, metadata, schema

Result = TypeVar("Result")
EXAMPLE = "postgresql://user@host/name"
MOST_SECONDS_AWAY = 600
SECONDS_BETWEEN_TRIES = 0.5
SECONDS_FOR_READERS = 2
"""How long to wait for those that read a file before its journal is changed."""

SQLITE_OPTIONS: dict[str, Any] = {
    "connect_args": {"timeout": 30},
    "poolclass": NullPool,
}
"""Wait for another's lock; open the file anew each time, so that none stays open."""

SERVER_PATIENCE = {
    "connect_timeout": 10,
    "keepalives_idle": 60,
    "keepalives_interval": 10,
    "keepalives_count": 6,
    "tcp_user_timeout": 120_000,
}
"""Seconds, tries and milliseconds after which a silent server counts as away."""

MOST_MILLISECONDS_LOCKED = "30000"
ONE_WRITER = text(
    "SELECT set_config('lock_timeout', :most, true), "
    "pg_advisory_xact_lock(hashtext('dse'))"
)
"""As in SQLite: of two that would enter the same row at once, one waits."""


@dataclass(frozen=True)
class Store:
    """An open database and the place of its files.

    Attributes:
        url: to open it a second time, password and all.
        engine: SQLAlchemy's; its `repr` may show a password.
        place: where its weights, logs and checkpoints lie.
        lock: what a sweep that is under way holds.
        write_ahead: whether the file has a write-ahead log meanwhile.
    """

    url: str = field(repr=False)
    engine: Engine = field(repr=False)
    place: Place
    lock: SweepLock | None = None
    write_ahead: bool = False

    @property
    def artifacts(self) -> Path:
        """The folder of its weights; logs and checkpoints lie beside it."""
        return self.place.weights

    @property
    def is_sqlite(self) -> bool:
        """Whether the database is a file of SQLite's."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def sweeping(self, trained: Sequence[str]) -> Iterator["Store"]:
        """Hold the database for one sweep; the lock goes with the process.

        Meanwhile a SQLite file has a write-ahead log, in which a commit is cheap.

        Args:
            trained: what it trains, in words. On a server, sweeps of other words may
                go on at once; of a file there is one.

        Yields:
            This database, under the lock.

        Raises:
            DseError: another sweep holds it.
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
        """Have the file a write-ahead log, unless others keep reading it.

        Such a log needs one machine, and would ask a later reader to write. While a
        connection stays open, a commit is not copied into the file at once: with the
        disk's 5 ms a sync, that makes 0.2 ms of 14.

        Yields:
            Whether it has one.
        """
        if not self.is_sqlite or on_network(self.place.own):
            yield False
            return
        try:
            with self.engine.connect() as kept:
                yield _keeps_journal(kept, "wal")
        finally:
            # Another connection: an interrupted statement spoils its own.
            with suppress(DBAPIError), self.engine.connect() as fresh:
                _keeps_journal(fresh, "delete")

    def patiently(self, work: Callable[[], Result]) -> Result:
        """`work()`, under the lock; again and again while the database is away.

        Args:
            work: what reads or writes; done twice it must come to the same.

        Raises:
            DseError: the database stays away, or another sweep took the lock meanwhile.
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
        """A transaction: all of it is kept, or nothing; one at a time.

        Args:
            lasting: whether it must outlast a loss of power, not only of the process.
        """
        with clear_faults(self.url), self.engine.begin() as connection:
            if not self.is_sqlite:
                _be_the_one_writer(connection)
            elif self.write_ahead and not lasting:
                connection.exec_driver_sql("PRAGMA synchronous = NORMAL")
            yield connection

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold off others who write to a server or make tables there; not within it."""
        if self.is_sqlite:
            yield
            return
        with clear_faults(self.url), self.engine.begin() as connection:
            _be_the_one_writer(connection)
            yield

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that cannot write."""
        with clear_faults(self.url), self.engine.connect() as connection:
            if self.is_sqlite:
                connection.execute(text("PRAGMA query_only = ON"))
                try:
                    yield connection
                finally:
                    connection.rollback()
                    connection.execute(text("PRAGMA query_only = OFF"))
                return
            # A prepared statement is one: none that ends the transaction may follow.
            driver: Any = connection.connection.driver_connection
            driver.prepare_threshold = 0
            # Without parameters a % stands for itself.
            connection = connection.execution_options(no_parameters=True)
            connection.execute(text("SET TRANSACTION READ ONLY"))
            yield connection


def open_store(url: str, *, create: bool = True, upgrade: bool | None = None) -> Store:
    """Open the database at `url`.

    Args:
        url: SQLAlchemy's form, such as `sqlite:///results/dse.db`.
        create: whether to make it where it is missing.
        upgrade: whether to bring an older schema up to date; as `create` by default.

    Raises:
        DseError: it is missing, unreachable, no database, or of another schema.
    """
    parsed = _parsed(url)
    file = _sqlite_file(parsed)
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
        store = Store(whole, _engine(parsed, file), place)
        may_upgrade = create if upgrade is None else upgrade
        _check_schema(store, create=create, upgrade=may_upgrade, is_new=is_new)
    return store


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
        host = parsed.host or ""
        host.encode("idna")
        if parsed.get_backend_name() != "sqlite":
            url.encode()
    except (ArgumentError, ValueError):
        # Without the cause, which may quote a part of the password.
        raise DseError(
            f"storage {shown(url)!r} is no database URL; expected one like "
            f"{DEFAULT_STORAGE} or {EXAMPLE}"
        ) from None
    if parsed.get_backend_name() == "sqlite" and (
        host
        or parsed.username
        or parsed.database in (None, "", ":memory:")
        or {"uri", "mode"} & set(parsed.query)
    ):
        raise DseError(
            f"storage {shown(url)!r} names no file, and results are kept in one; "
            f"expected three slashes and its path, as {DEFAULT_STORAGE}"
        )
    if "@" in host:
        raise DseError(
            f"storage {shown(url)!r} has an @ too many; write one of a password as %40"
        )
    if parsed.drivername in ("postgres", "postgresql"):
        return parsed.set(drivername="postgresql+psycopg")
    return parsed


def _sqlite_file(url: URL) -> Path | None:
    return Path(url.database or "") if url.get_backend_name() == "sqlite" else None


def _engine(url: URL, file: Path | None) -> Engine:
    # The pool would log how an interrupted statement's connection is dropped.
    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)
    try:
        engine = create_engine(url, **engine_options(url))
    except (NoSuchModuleError, ImportError) as error:
        raise DseError(
            f"storage {url.drivername!r} needs a driver that is not installed "
            f"({error}); pip install 'dse[postgresql]' brings PostgreSQL's"
        ) from error
    if engine.dialect.name not in ("sqlite", "postgresql"):
        raise DseError(
            f"storage {url.drivername!r} is of a kind that dse does not know; expected "
            f"one like {DEFAULT_STORAGE} or {EXAMPLE}"
        )
    if file is None:
        return engine

    @event.listens_for(engine, "connect")
    def set_pragmas(connection: Any, _: object) -> None:
        connection.execute("PRAGMA foreign_keys = ON")

    return engine


def engine_options(url: URL) -> dict[str, Any]:
    """How SQLAlchemy is to open the database at `url`."""
    if url.get_backend_name() == "postgresql":
        own = {k: v for k, v in SERVER_PATIENCE.items() if k not in url.query}
        return {"pool_pre_ping": True, "connect_args": own}
    return {} if _sqlite_file(url) is None else SQLITE_OPTIONS


def _check_schema(store: Store, *, create: bool, upgrade: bool, is_new: bool) -> None:
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
        with _schema_transaction(store) as connection:
            if not inspect(connection).has_table(schema.name):
                metadata.create_all(connection)
                _make_views(connection)
                connection.execute(insert(schema).values(version=SCHEMA_VERSION))
    if upgrade and _version(store) in UPGRADABLE:
        with _schema_transaction(store) as connection:
            for name in VIEWS:
                connection.execute(text(f"DROP VIEW IF EXISTS {name}"))
            _make_views(connection)
            connection.execute(update(schema).values(version=SCHEMA_VERSION))
    version = _version(store)
    if version in UPGRADABLE:
        raise DseError(
            f"database {shown(store.url)} has schema version {version}; the next dse "
            f"sweep into it brings it to {SCHEMA_VERSION}, then repeat this"
        )
    if version != SCHEMA_VERSION:
        raise DseError(
            f"database {shown(store.url)} has schema version {version}; this dse works "
            f"with {SCHEMA_VERSION}: use the dse that wrote it, or another --storage"
        )


def _version(store: Store) -> int | None:
    with store.engine.connect() as connection:
        version: int | None = connection.execute(select(schema.c.version)).scalar()
    return version


def _make_views(connection: Connection) -> None:
    for name, query in VIEWS.items():
        connection.execute(text(f"CREATE VIEW {name} AS {query}"))


def _be_the_one_writer(connection: Connection) -> None:
    """On a server, until the transaction ends."""
    connection.execute(ONE_WRITER, {"most": MOST_MILLISECONDS_LOCKED})


def _keeps_journal(connection: Connection, mode: str) -> bool:
    """Have the file such a journal; whether it has, which others' reading prevents.

    A log is opened with the first reading.
    """
    until = time.monotonic() + SECONDS_FOR_READERS
    while True:
        try:
            connection.exec_driver_sql("PRAGMA busy_timeout = 0")
            kept = connection.exec_driver_sql(f"PRAGMA journal_mode = {mode}").scalar()
            connection.exec_driver_sql(f"SELECT version FROM {schema.name}").all()
        except DBAPIError as error:
            if not may_pass(error) or time.monotonic() > until:
                return False
            time.sleep(0.1)
        else:
            return bool(kept == mode)


@contextmanager
def _schema_transaction(store: Store) -> Iterator[Connection]:
    """All of it or nothing, one at a time: SQLite needs its transaction spelt out."""
    with store.engine.connect() as connection:
        if store.is_sqlite:
            connection = connection.execution_options(isolation_level="AUTOCOMMIT")
            connection.execute(text("BEGIN IMMEDIATE"))
        else:
            _be_the_one_writer(connection)
        yield connection
        connection.execute(text("COMMIT")) if store.is_sqlite else connection.commit()
