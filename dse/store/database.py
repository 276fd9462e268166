"""Open a database, check its schema, and turn its faults into clear lines."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
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
)
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    NoSuchModuleError,
    OperationalError,
)

from dse.errors import DseError
from dse.store import DEFAULT_STORAGE
from dse.store.schema import SCHEMA_VERSION, VIEWS, metadata, schema

SQLITE_OPTIONS: dict[str, Any] = {
    "connect_args": {"timeout": 30},
    "poolclass": NullPool,
}
"""Wait for another's lock; open the file anew each time, so that none stays open."""


@dataclass(frozen=True)
class Store:
    """An open database and the folder of its artifacts.

    Attributes:
        url: as given, to open it a second time.
        engine: SQLAlchemy's.
        artifacts: the folder that artifact paths are relative to.
    """

    url: str
    engine: Engine
    artifacts: Path

    @property
    def is_sqlite(self) -> bool:
        """Whether the database is a file of SQLite's."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def sweeping(self) -> Iterator[None]:
        """Hold the database for one sweep; the lock goes with the process.

        Raises:
            DseError: another sweep holds it.
        """
        lock = FileLock(self.artifacts.parent / "sweep.lock", timeout=0)
        try:
            lock.acquire()
        except Timeout as error:
            raise DseError(
                f"another sweep is writing to {shown(self.url)}; wait for its end, or "
                "take another --storage"
            ) from error
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction: all of it is kept, or nothing."""
        with _clear_faults(self.url), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that cannot write."""
        with _clear_faults(self.url), self.engine.connect() as connection:
            connection.execute(
                text(
                    "PRAGMA query_only = ON"
                    if self.is_sqlite
                    else "SET TRANSACTION READ ONLY"
                )
            )
            try:
                yield connection
            finally:
                connection.rollback()
                if self.is_sqlite:
                    connection.execute(text("PRAGMA query_only = OFF"))


def open_store(url: str, *, create: bool = True) -> Store:
    """Open the database at `url`.

    Args:
        url: SQLAlchemy's form, such as `sqlite:///results/dse.db`.
        create: whether to make it where it is missing.

    Raises:
        DseError: it is missing, unreachable, no database, or of another schema.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise DseError(
            f"storage {url!r} is no database URL; expected one like {DEFAULT_STORAGE}"
        ) from error
    file = _sqlite_file(parsed)
    if file is not None and not file.exists():
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
    with _clear_faults(url):
        store = Store(url, _engine(parsed, file), _artifact_folder(file))
        _check_schema(store, create)
    return store


def shown(url: str) -> str:
    """`url` as it may be printed, without its password."""
    return make_url(url).render_as_string(hide_password=True)


def _sqlite_file(url: URL) -> Path | None:
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return None
    return Path(url.database or "")


def _artifact_folder(file: Path | None) -> Path:
    return (file.parent if file else Path("results")) / "weights"


def _engine(url: URL, file: Path | None) -> Engine:
    # The pool would log how an interrupted statement's connection is dropped.
    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)
    try:
        if file is None:
            return create_engine(url)
        engine = create_engine(url, **SQLITE_OPTIONS)
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        raise DseError(
            f"storage {url.drivername!r} needs a driver that is not installed: {error}"
        ) from error

    @event.listens_for(engine, "connect")
    def set_pragmas(connection: Any, _: object) -> None:
        connection.execute("PRAGMA foreign_keys = ON")

    return engine


def _check_schema(store: Store, create: bool) -> None:
    if not inspect(store.engine).has_table(schema.name):
        if not create:
            raise DseError(
                f"database {shown(store.url)} holds no runs of dse; run a sweep first "
                "or name another with --storage"
            )
        _create_schema(store)
    with store.engine.connect() as connection:
        version = connection.execute(select(schema.c.version)).scalar()
    if version != SCHEMA_VERSION:
        raise DseError(
            f"database {shown(store.url)} has schema version {version}; this dse works "
            f"with {SCHEMA_VERSION}: use the dse that wrote it, or another --storage"
        )


def _create_schema(store: Store) -> None:
    """Make all tables and views, or none: SQLite needs its transaction spelt out."""
    with store.engine.connect() as connection:
        if store.is_sqlite:
            connection = connection.execution_options(isolation_level="AUTOCOMMIT")
            connection.execute(text("BEGIN IMMEDIATE"))
        if not inspect(connection).has_table(schema.name):
            metadata.create_all(connection)
            for name, query in VIEWS.items():
                connection.execute(text(f"CREATE VIEW {name} AS {query}"))
            connection.execute(insert(schema).values(version=SCHEMA_VERSION))
        connection.execute(text("COMMIT")) if store.is_sqlite else connection.commit()


@contextmanager
def _clear_faults(url: str) -> Iterator[None]:
    """Say what a database's refusal means for a person."""
    try:
        yield
    except OperationalError as error:
        reason = str(error.orig).strip().splitlines()[0]
        raise DseError(f"database {shown(url)}: {_advice(reason)}") from error
    except DBAPIError as error:
        reason = str(error.orig).strip().splitlines()[0]
        raise DseError(f"database {shown(url)}: {reason}") from error


def _advice(reason: str) -> str:
    hints = {
        "readonly": "make its file and folder writable, or name another --storage",
        "unable to open": "check that its folder exists and can be written",
        "disk is full": "free some space and repeat the command; what is in is kept",
        "locked": "another process holds it; repeat the command when that is done",
    }
    for sign, hint in hints.items():
        if sign in reason:
            return f"{reason}; {hint}"
    return reason
