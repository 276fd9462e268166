"""Locks against two sweeps that could train the same cell."""

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
"""Longest name of a session on a server, in bytes."""

SECONDS_TO_END = 5
"""Longest wait for the server to end our own lost session."""

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
"""Longest wait for the lock, which a live status holds for a moment to test it."""


class SweepLock(Protocol):
    """Lock that one sweep holds; it ends with the sweep's process."""

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            DseError: another sweep holds it.
        """

    def renew(self) -> None:
        """Take the lock again if the server lost it.

        Raises:
            DseError: another sweep has taken it.
        """

    def release(self) -> None:
        """Release the lock."""


class FileSweepLock:
    """File lock in the folder of a SQLite database's weights, logs and checkpoints."""

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
        """Do nothing: the operating system does not lose the lock."""

    def release(self) -> None:
        """See `SweepLock`."""
        self._lock.release()


class ServerSweepLock:
    """Advisory locks of a PostgreSQL server, one for each key.

    A separate session holds them, and they end with it: when this process or the
    server ends, and within two minutes after the network or machine fails.

    Args:
        engine: the database's engine.
        keys: descriptions of what is trained; different keys share no cells.
        name: the database's name, for messages.
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
        """See `SweepLock`. The server releases the locks with the session."""
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
        """End our earlier session, which the server may keep after a network failure.

        After a restart of the server there is none.
        """
        until = time.monotonic() + SECONDS_TO_END
        while self._session and time.monotonic() < until:
            if connection.execute(text(END_SESSION), self._session).first() is None:
                return
            time.sleep(0.1)


def refuse_any_sweep(connection: Connection, name: str) -> None:
    """Refuse to go on while any sweep holds a lock in a server's database.

    Raises:
        DseError: a sweep holds one.
    """
    holder = connection.execute(text(ANY_HOLDER)).scalar()
    if holder is not None:
        raise DseError(
            f"a sweep ({str(holder).removeprefix('dse ')}) goes on in {name}, which is "
            "of an older version; wait for its end"
        )


def _me() -> str:
    """Name of this session: user, machine and process."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # an account without a name
        user = str(os.getuid())
    who = f"{user}@{socket.gethostname()}".encode("ascii", "replace").decode()
    process = f", process {os.getpid()}"
    return f"dse {who}"[: LONGEST_NAME - len(process)] + process


def _end(connection: Connection) -> None:
    """Close the connection; returned to the pool, its session would stay open."""
    connection.invalidate()
    connection.close()


def _number(key: str) -> int:
    """Hash a key to a signed 64-bit number."""
    digest = hashlib.sha256(f"dse sweep {key}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)
