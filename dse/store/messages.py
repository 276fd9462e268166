"""Turn database errors into clear messages without passwords."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from dse.errors import DseError
from dse.passwords import shown, without_passwords

PASSING = (
    "is locked",
    "lock timeout",
    "connection refused",
    "connection reset",
    "could not receive data",
    "could not send data",
    "network is unreachable",
    "no route to host",
    "not yet accepting",
    "recovery mode",
    "remaining connection slots",
    "server closed",
    "shutting down",
    "starting up",
    "temporary failure in name resolution",
    "terminating connection",
    "the connection is closed",
    "the connection is lost",
    "timed out",
    "timeout expired",
    "too many clients",
)
"""Parts of the errors of a database that is locked, away or full for a while."""

HINTS = {
    "readonly": "make its file, what lies beside it (-wal, -shm) and its folder "
    "writable, or name another --storage",
    "read-only": "it takes no changes: dse query reads, and a sweep needs another "
    "--storage",
    "permission denied": "have its owner grant this user to create and write there, "
    "or name another --storage",
    "unable to open": "check that its folder exists and can be written",
    "is full": "free some space and repeat the command; what is in is kept",
    "No space left": "free some space and repeat the command; what is in is kept",
    "disk I/O error": "check the disk; what is in is kept",
    "is locked|lock timeout": "another process holds it; repeat the command when that "
    "is done",
    "malformed|no such table: dse_": "the file is damaged; put a copy in its place, or "
    "name another --storage (dse export makes copies)",
    "not a database": "put a copy in its place, or name another --storage "
    "(dse export makes copies)",
    "password authentication": "check the user and the password (PGPASSWORD or "
    "~/.pgpass keep it out of the command)",
    "no password": "give one (PGPASSWORD or ~/.pgpass keep it out of the command)",
    "refused": "check that the server runs and that host and port are right",
    "timeout expired": "check that the server runs and that host and port are right",
    "resolve host": "check the host's name",
    "on socket": "check that the server runs and where its socket is",
    "view .* other objects depend on it": "a column's type changes: drop your own "
    "views of it, repeat the command, and make them again",
    "FATAL: .* does not exist": "create it, or name another --storage",
}
"""Advice to the user, by a pattern in the database's error."""


class Unreachable(DseError):
    """The database does not answer now: its server is away, or it is locked."""


@contextmanager
def clear_faults(url: str) -> Iterator[None]:
    """Replace database errors with errors that have a clear message.

    Raises:
        Unreachable: in place of an error that may pass.
        DseError: in place of any other.
    """
    try:
        yield
    except DBAPIError as error:
        line = f"database {shown(url)}: {_advice(_said(error))}"
        if may_pass(error):
            raise Unreachable(line) from error
        raise DseError(line) from error


def may_pass(error: BaseException) -> bool:
    """Check whether the same statement may succeed later without any repair."""
    if not isinstance(error, OperationalError | InterfaceError):
        return isinstance(error, DBAPIError) and error.connection_invalidated
    said = str(error.orig).lower()
    return error.connection_invalidated or any(sign in said for sign in PASSING)


def _said(error: DBAPIError) -> str:
    """First line of a database's error, not cut: a cut password would not be hidden."""
    lines = str(error.orig).strip().splitlines()
    return without_passwords(lines[0] if lines else type(error).__name__)


def _advice(reason: str) -> str:
    for pattern, hint in HINTS.items():
        if re.search(pattern, reason, re.IGNORECASE):
            return f"{reason}; {hint}"
    return reason
