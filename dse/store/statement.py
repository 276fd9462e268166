"""Read what a person's own SQL asks for; it can read this database, and no more."""

import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from difflib import get_close_matches
from typing import Any

import pandas as pd
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from dse.errors import DseError
from dse.store.database import Store
from dse.store.views import VIEWS

UNKNOWN_COLUMN = re.compile(
    r"no such column: (.+?)(?: - should this be .*)?$|column (\S+) does not exist"
)
"""Part of a database's error; one of the groups is the column as it was written."""

READS = ("select", "with", "values", "explain", "table")
_SPACE = r"(?:\s+|--[^\n]*(?:\n|\Z)|/\*.*?\*/)*"
_BEFORE = re.compile(rf"({_SPACE})(?:\({_SPACE})*", re.DOTALL)
"""Spaces and comments, then parentheses, before the first word."""

ALLOWED = {
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_READ,
    sqlite3.SQLITE_RECURSIVE,
    sqlite3.SQLITE_FUNCTION,
}
"""Actions of a statement that neither attach a file nor change a setting."""
WRITES = {sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE}
"""Actions that a read-only connection refuses by itself."""
SETTINGS = ("table_info", "table_xinfo", "table_list", "index_list", "index_info")
"""Pragmas of SQLite that only describe the tables and indexes."""
FUNCTIONS_REFUSED = ("load_extension", "fts3_tokenizer", "readfile", "writefile")


def sql(store: Store, query: str) -> pd.DataFrame:
    """Read the rows of a person's SELECT; whole numbers stay whole.

    Raises:
        DseError: the statement writes, is not SQL that the database understands, or
            asks for no columns, for one that is not there, or for two of one name.
    """
    statement = readable(store, query)
    try:
        with store.reading() as connection, only_reading(store, connection, query):
            names, rows = _rows_of(connection, statement, query)
    except DseError as error:
        unknown = UNKNOWN_COLUMN.search(str(error))
        asked = [name for name in VIEWS if re.search(rf"(?i)\b{name}\b", query)]
        if unknown is None or not asked:
            raise
        raise _unknown_column(store, unknown[1] or unknown[2], asked) from error
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    return pd.DataFrame(dict(zip(names, map(settled, columns), strict=True)))


def _rows_of(
    connection: Connection, statement: str, query: str
) -> tuple[list[str], Sequence[Any]]:
    """Names of the columns, and the rows; `query` is what the person wrote."""
    result = connection.exec_driver_sql(statement)
    names = list(result.keys()) if result.returns_rows else []
    if not names:
        raise DseError(f"query {query!r} asks for no columns; expected SELECT ...")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DseError(f"two columns are called {twice[0]!r}; name one with AS")
    return names, result.fetchall()


def _unknown_column(store: Store, written: str, asked: Sequence[str]) -> DseError:
    """The error of a query for a column that the views in it do not have."""
    name = written.rpartition(".")[2].strip("\"'`[]")
    with store.reading() as connection:
        columns = {
            view: list(connection.execute(text(f"SELECT * FROM {view} LIMIT 0")).keys())
            for view in VIEWS
        }
    said = [f"no such column: {name}"]
    if holders := [view for view, own in columns.items() if name in own]:
        said = [f"{said[0]} in {' or '.join(asked)}", f"{' and '.join(holders)} has it"]
    else:
        known = [column for view in asked for column in columns[view]]
        near = get_close_matches(name, dict.fromkeys(known), n=3)
        said[0] += f" (did you mean {' or '.join(near)}?)" if near else ""
    said.append(
        f"dse query 'SELECT * FROM {asked[0]} LIMIT 1' shows the columns, among them "
        "the metaparameters of the families in this database"
    )
    return DseError("; ".join(said))


def readable(store: Store, query: str) -> str:
    """Check that a query's first word only reads; return it as the database needs it.

    Raises:
        DseError: it does not only read, or is not valid text.
    """
    before = _BEFORE.match(query)
    begins = before.end() if before else 0
    first = re.match(r"\w*", query[begins:])
    if first is None or first[0].lower() not in READS:
        raise _refusal(query)
    try:
        query.encode()
    except UnicodeEncodeError as error:
        raise DseError(f"query {query!r} is no UTF-8; expected SELECT ...") from error
    if "\0" in query:
        raise DseError(f"query {query!r} has a character 0; leave it out")
    opens = before.end(1) if before else 0
    if store.is_sqlite and opens < begins:
        # SQLite accepts a SELECT in parentheses only inside another one.
        return f"{query[:opens]}SELECT * FROM {query[opens:]}"
    return query


def _refusal(query: str, why: str = "") -> DseError:
    return DseError(
        f"query {query!r} is not read-only{why}; expected SELECT ... "
        "(views: runs, cells, epochs)"
    )


@contextmanager
def only_reading(store: Store, connection: Connection, query: str) -> Iterator[None]:
    """Make SQLite refuse everything except reading this file.

    A server refuses by its read-only transaction and the rights of the user.
    """
    if not store.is_sqlite:
        yield
        return
    driver: Any = connection.connection.driver_connection
    refused, writes = list[int](), list[int]()

    def judge(action: int, first: str | None, second: str | None, *_: object) -> int:
        if action == sqlite3.SQLITE_PRAGMA:
            allowed = first in SETTINGS
        elif action == sqlite3.SQLITE_FUNCTION:
            allowed = str(second).lower() not in FUNCTIONS_REFUSED
        else:
            allowed = action in ALLOWED | WRITES
        if action in WRITES:
            writes.append(action)
        if not allowed:
            refused.append(action)
        return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY

    driver.set_authorizer(judge)
    try:
        yield
    except DBAPIError as error:
        if refused or writes:
            raise _refusal(query, f" ({error.orig})") from error
        raise
    finally:
        driver.set_authorizer(None)


def settled(values: Sequence[Any]) -> "pd.Series[Any]":
    """Make a column of the narrowest type that holds all values unchanged.

    Whole numbers beyond 64 bits, NaN, and values of several kinds stay as the database
    gave them.
    """
    plain = _undecimal(values)
    there = [value for value in plain if value is not None]
    kinds = {type(value) for value in there}
    whole = len(there) == len(plain)
    if kinds == {int} and all(-(2**63) <= value < 2**63 for value in there):
        return pd.Series(plain, dtype="int64" if whole else "Int64")
    if kinds == {float} and all(value == value for value in there):
        return pd.Series(plain, dtype="float64" if whole else "Float64")
    return pd.Series(plain, dtype=object)


def _undecimal(values: Sequence[Any]) -> list[Any]:
    """Convert decimals to int if all are whole, as in sums; otherwise to float."""
    exact = [value for value in values if isinstance(value, Decimal)]
    exponents = [value.as_tuple().exponent for value in exact]
    kind = int if all(isinstance(e, int) and e >= 0 for e in exponents) else float
    return [kind(value) if isinstance(value, Decimal) else value for value in values]
