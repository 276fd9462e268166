"""Rows as text, CSV, JSON and Parquet; what a format cannot hold is an error."""

import csv
import datetime
import io
import json
import math
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pandas as pd

from dse.errors import DseError

MOST_BYTES = 16
"""Most bytes of a binary value that a table shows."""
MOST_DIGITS = 76
"""Most digits of a whole number that Parquet holds as a decimal, beyond 64 bits."""

Check = Callable[[Any], str]
"""Function that returns why a format cannot hold a value; empty if it can."""


def texts(frame: pd.DataFrame) -> Iterator[list[str]]:
    """Format rows for a table: floats with six digits, missing values empty."""
    return ([_text(value) for value in row] for row in _rows(frame))


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case float():
            return f"{value:.6g}"
        case bytes() if len(value) > MOST_BYTES:
            return f"x'{value[:MOST_BYTES].hex()}'… ({len(value):,} bytes)"
        case bytes():
            return f"x'{value.hex()}'"
        case dict() | list():
            return json.dumps(value, default=str)
        case _:
            return str(value)


def print_csv(frame: pd.DataFrame) -> None:
    """Print rows as CSV with a header, always in UTF-8; missing values are empty.

    Raises:
        DseError: a value is binary.
    """
    _check(frame, "csv", _no_text)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(frame.columns)
    for row in _rows(frame):
        writer.writerow(
            json.dumps(value, default=str) if isinstance(value, dict | list) else value
            for value in row
        )


def _no_text(value: Any) -> str:
    return "bytes (hex(...) makes text of them)" if isinstance(value, bytes) else ""


def print_json(frame: pd.DataFrame) -> None:
    """Print a list of rows.

    Raises:
        DseError: a value is binary, or a number that is not finite.
    """
    _check(frame, "json", _no_json)
    rows = [dict(zip(frame.columns, row, strict=True)) for row in _rows(frame)]
    print(json.dumps(rows, indent=2, default=_plain))


def _no_json(value: Any) -> str:
    if isinstance(value, float | Decimal) and not math.isfinite(value):
        return f"the number {value}"
    return _no_text(value)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime.date):  # a datetime is a date, too
        return value.isoformat()
    return float(value) if isinstance(value, Decimal) else str(value)


def print_parquet(frame: pd.DataFrame) -> None:
    """Write the rows to standard output as a Parquet file.

    Raises:
        DseError: standard output is a terminal, or a column holds several types.
    """
    import pyarrow as pa

    if sys.stdout.isatty():
        raise DseError(
            "parquet is bytes, and standard output a terminal; write it to a file, as "
            "--format parquet > runs.parquet"
        )
    columns = {str(name): _wide(frame[name]) for name in frame.columns}
    for name, column in columns.items():
        try:
            pa.array(column, from_pandas=True)
        except (pa.ArrowException, OverflowError, UnicodeError) as error:
            kinds = sorted({type(value).__name__ for value in column})
            raise DseError(
                f"column {name!r} holds {' and '.join(kinds)}, which a column of "
                "parquet cannot; CAST it to one kind, or take --format csv"
            ) from error
    pd.DataFrame(columns).to_parquet(sys.stdout.buffer, index=False)


def _wide(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Convert a column to decimals if its whole numbers need more than 64 bits."""
    whole = [v for v in column if isinstance(v, int) and not isinstance(v, bool)]
    if column.dtype != object or not any(abs(v) >= 2**63 for v in whole):
        return column
    if any(len(str(abs(v))) > MOST_DIGITS for v in whole):
        return column
    decimal = [Decimal(v) if isinstance(v, int) else v for v in column]
    return pd.Series(decimal, dtype=object)


def _check(frame: pd.DataFrame, kind: str, check: Check) -> None:
    for name in frame.columns:
        why = next(filter(None, map(check, _values(frame[name]))), None)
        if why:
            raise DseError(
                f"column {name!r} holds {why}, which {kind} cannot; CAST it, leave it "
                "out, or take another --format"
            )


def _rows(frame: pd.DataFrame) -> Iterator[tuple[Any, ...]]:
    """Rows of plain Python values; None where one is missing.

    A column of objects is as the database returned it; NaN is a value there.
    """
    return zip(*(_values(frame[name]) for name in frame.columns), strict=True)


def _values(column: "pd.Series[Any]") -> list[Any]:
    values = column.tolist()
    if column.dtype == object:
        return [None if value is pd.NA else value for value in values]
    missing = column.isna().tolist()
    return [
        None if gone else value for value, gone in zip(values, missing, strict=True)
    ]
