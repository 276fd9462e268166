"""Create SQLAlchemy engines from database URLs, and set a file's journal mode."""

import logging
import time
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from dse.errors import DseError
from dse.passwords import shown
from dse.store import DEFAULT_STORAGE
from dse.store.messages import may_pass
from dse.store.schema import schema

EXAMPLE = "postgresql://user@host/name"
SECONDS_FOR_READERS = 2
"""Longest wait for readers of a file before its journal mode is changed."""

SQLITE_OPTIONS: dict[str, Any] = {
    "connect_args": {"timeout": 30},
    "poolclass": NullPool,
}
"""Engine options: wait 30 s for a lock, and keep no idle connection open."""

SERVER_PATIENCE = {
    "connect_timeout": 10,
    "keepalives_idle": 60,
    "keepalives_interval": 10,
    "keepalives_count": 6,
    "tcp_user_timeout": 120_000,
}
"""Limits after which a silent server counts as away: seconds, tries, milliseconds."""


def parsed_url(url: str) -> URL:
    """Parse a database URL.

    Raises:
        DseError: it is malformed, or a SQLite URL without a file.
    """
    try:
        parsed = make_url(url)
        host = parsed.host or ""
        host.encode("idna")
        if parsed.get_backend_name() != "sqlite":
            url.encode()
    except (ArgumentError, ValueError):
        # No cause is attached: it may quote a part of the password.
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


def sqlite_file(url: URL) -> Path | None:
    """Path of a SQLite database; None for a server's database."""
    return Path(url.database or "") if url.get_backend_name() == "sqlite" else None


def make_engine(url: URL, file: Path | None) -> Engine:
    """Create SQLAlchemy's engine for a database.

    Raises:
        DseError: the driver is not installed, or the kind of database is not supported.
    """
    # The pool would log that it drops the connection of an interrupted statement.
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
    """Options of `create_engine` for the database at `url`."""
    if url.get_backend_name() == "postgresql":
        own = {k: v for k, v in SERVER_PATIENCE.items() if k not in url.query}
        return {"pool_pre_ping": True, "connect_args": own}
    return {} if sqlite_file(url) is None else SQLITE_OPTIONS


def keeps_journal(connection: Connection, mode: str) -> bool:
    """Set the journal mode of a SQLite file, and read once to open a write-ahead log.

    Returns:
        True if the mode was set; False if it failed, as when others read the file.
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
