"""Transactions in which one writes, one changes the schema, or nobody can write."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, text

MOST_MILLISECONDS_LOCKED = "30000"
ONE_WRITER = text(
    "SELECT set_config('lock_timeout', :most, true), "
    "pg_advisory_xact_lock(hashtext('dse'))"
)
"""One of two writers of the same row waits, as in SQLite."""


def be_the_one_writer(connection: Connection) -> None:
    """Make other writers to a server wait until this transaction ends."""
    connection.execute(ONE_WRITER, {"most": MOST_MILLISECONDS_LOCKED})


@contextmanager
def schema_transaction(engine: Engine) -> Iterator[Connection]:
    """Begin a transaction, one at a time, that may make and drop tables and views.

    All of it is kept, or nothing. Python's SQLite driver would commit before such a
    statement, so the transaction is begun and ended by hand there.
    """
    is_sqlite = engine.dialect.name == "sqlite"
    with engine.connect() as connection:
        if is_sqlite:
            connection = connection.execution_options(isolation_level="AUTOCOMMIT")
            connection.execute(text("BEGIN IMMEDIATE"))
        else:
            be_the_one_writer(connection)
        yield connection
        connection.execute(text("COMMIT")) if is_sqlite else connection.commit()


@contextmanager
def read_only(connection: Connection) -> Iterator[Connection]:
    """Forbid a connection to write."""
    if connection.dialect.name == "sqlite":
        connection.execute(text("PRAGMA query_only = ON"))
        try:
            yield connection
        finally:
            connection.rollback()
            connection.execute(text("PRAGMA query_only = OFF"))
        return
    # A prepared statement is a single one: none that ends the transaction may follow.
    driver: Any = connection.connection.driver_connection
    driver.prepare_threshold = 0
    # Without parameters, % is an ordinary character.
    connection = connection.execution_options(no_parameters=True)
    connection.execute(text("SET TRANSACTION READ ONLY"))
    yield connection
