"""Sweeps that could train the same cell exclude one another."""

import getpass
import hashlib
import os
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from filelock import FileLock, Timeout
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from dse.errors import DseError

LONGEST_NAME = 63
"""Bytes of a session's name on a server."""

SECONDS_TO_END = 5
"""How long the server takes at most to end a session of ours that we have lost."""

BEGIN_SESSION = """
    SELECT set_config('application_name', :me, false),
        set_config('tcp_keepalives_idle', '60', false),
        set_config('tcp_keepalives_interval', '10', false),
        set_config('tcp_keepalives_count', '6', false)"""
SESSION = """
    SELECT pid, backend_start AS began FROM pg_stat_activity
    WHERE pid = pg_backend_pid()"""
END_SESSION = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE pid = :pid AND backend_start = :began"""
HOLDER = """
    SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a USING (pid)
    JOIN pg_database d ON d.oid = l.database
    WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
        AND d.datname = current_database()
        AND ((l.classid::bigint << 32) | l.objid::bigint) = :number"""


ANY_HOLDER = """
    SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a USING (pid)
    JOIN pg_database d ON d.oid = l.database
    WHERE l.locktype = 'advisory' AND l.granted AND d.datname = current_database()
        AND a.application_name LIKE 'dse %' AND a.pid <> pg_backend_pid()"""

SWEEP_LOCK = "sweep.lock"
SECONDS_FOR_A_LOOK = 1.0
"""A live status holds the lock for a moment, to see whether anyone else does."""


class SweepLock(Protocol):
    """Held by one sweep; it goes with its process."""

    def acquire(self) -> None:
        """Take it.

        Raises:
            DseError: another sweep holds it.
        """

    def renew(self) -> None:
        """Take it again where the server lost it.

        Raises:
            DseError: another sweep took it meanwhile.
        """

    def release(self) -> None:
        """Give it back."""


class FileSweepLock:
    """Of a SQLite file's own place, where weights, logs and checkpoints lie as well."""

    def __init__(self, folder: Path, name: str) -> None:
        self._file, self._name = folder / SWEEP_LOCK, name
        self._lock = FileLock(self._file, timeout=SECONDS_FOR_A_LOOK)

    def acquire(self) -> None:
        """See `SweepLock`."""
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
        except Timeout as error:
            raise DseError(
                f"another sweep is writing to {self._name}; wait for its end, or take "
                "another --storage"
            ) from error
        except OSError as error:
            raise DseError(
                f"cannot make {self._file} ({error.strerror}), which a sweep holds; "
                "make its folder writable, or name another --storage"
            ) from error

    def renew(self) -> None:
        """The operating system loses none."""

    def release(self) -> None:
        """See `SweepLock`."""
        self._lock.release()


class ServerSweepLock:
    """Of a PostgreSQL server: an advisory lock for everything that is trained.

    A session of its own holds it, and it goes with that session: when this process
    ends, when the server does, and within two minutes of the network's or machine's
    end.

    Args:
        engine: of the database.
        keys: what is trained, in words: cells under other keys are other cells.
        name: the database, for messages.
    """

    def __init__(self, engine: Engine, keys: Sequence[str], name: str) -> None:
        self._engine, self._name = engine, name
        self._numbers = sorted({_number(key) for key in keys})
        self._connection: Connection | None = None
        self._session: dict[str, object] = {}

    def acquire(self) -> None:
        """See `SweepLock`."""
        connection = self._engine.connect().execution_options(
            isolation_level="AUTOCOMMIT"
        )
        try:
            connection.execute(text(BEGIN_SESSION), {"me": _me()})
            self._end_lost_session(connection)
            self._session = dict(connection.execute(text(SESSION)).one()._mapping)
            for number in self._numbers:
                self._acquire(connection, number)
        except BaseException:
            _end(connection)
            raise
        self._connection = connection

    def renew(self) -> None:
        """See `SweepLock`."""
        if self._connection is not None:
            with suppress(DBAPIError):
                self._connection.execute(text("SELECT 1"))
                return
            self._end_connection()
        self.acquire()

    def release(self) -> None:
        """See `SweepLock`. The server gives it back with the session."""
        self._end_connection()
        self._session = {}

    def _end_connection(self) -> None:
        if self._connection is not None:
            _end(self._connection)
        self._connection = None

    def _acquire(self, connection: Connection, number: int) -> None:
        query = text("SELECT pg_try_advisory_lock(:number)")
        if not connection.execute(query, {"number": number}).scalar_one():
            holder = connection.execute(text(HOLDER), {"number": number}).scalar()
            who = (holder or "that has just ended").removeprefix("dse ")
            raise DseError(
                f"another sweep ({who}) trains the same in {self._name}; wait for its "
                "end, or take another --storage"
            )

    def _end_lost_session(self, connection: Connection) -> None:
        """End the session that held it, which the server has where the network broke.

        It is gone where the server was restarted.
        """
        until = time.monotonic() + SECONDS_TO_END
        while self._session and time.monotonic() < until:
            if connection.execute(text(END_SESSION), self._session).first() is None:
                return
            time.sleep(0.1)


def refuse_any_sweep(connection: Connection, name: str) -> None:
    """Refuse to go on while any sweep holds something of a server's database.

    Raises:
        DseError: one does.
    """
    holder = connection.execute(text(ANY_HOLDER)).scalar()
    if holder is not None:
        raise DseError(
            f"a sweep ({str(holder).removeprefix('dse ')}) goes on in {name}, which is "
            "of an older version; wait for its end"
        )


def _me() -> str:
    """The user, machine and process, as the session is called."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # an account without a name
        user = str(os.getuid())
    who = f"{user}@{socket.gethostname()}".encode("ascii", "replace").decode()
    process = f", process {os.getpid()}"
    return f"dse {who}"[: LONGEST_NAME - len(process)] + process


def _end(connection: Connection) -> None:
    """Close it for good: given back to the pool, its session would go on."""
    connection.invalidate()
    connection.close()


def _number(key: str) -> int:
    """A signed 64-bit number for a key."""
    digest = hashlib.sha256(f"dse sweep {key}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)
