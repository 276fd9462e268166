"""What dse query prints: numbers as they are, names as they are, no column lost."""

import csv
import io
import json
import os
import pty
import re
import sqlite3
import struct
import subprocess
import sys
import termios
from contextlib import closing, suppress
from fcntl import ioctl

import pandas as pd
import pytest

from dse.cli import main
from dse.store.database import open_store

MOST = 2**63 - 1
STREAMS = ("stdin", "stdout", "stderr")
NULLABLE = "SELECT 1248424 AS params UNION ALL SELECT NULL"
HOSTILE = "\x1b[31mred\x1b]0;t\x07 \u202eabc\r\n\x9b2J\u2066"


@pytest.fixture
def query(workplace, capfdbinary):
    """Runs a query; its exit status and what it printed, as bytes."""
    open_store("sqlite:///results/dse.db")

    def run(sql, kind="table"):
        status = 0
        try:
            main(["query", sql, "--format", kind])
        except SystemExit as end:
            status = end.code
        sys.stdout.flush()
        printed = capfdbinary.readouterr()
        return status, printed.out, printed.err.decode()

    return run


@pytest.fixture
def answer(query):
    """What a query that succeeds prints."""

    def run(sql, kind="table"):
        status, out, error = query(sql, kind)
        assert status == 0, error
        return out if kind == "parquet" else out.decode()

    return run


def test_whole_numbers_stay_whole(answer):
    lines = [line.strip() for line in answer(NULLABLE).splitlines()]
    assert lines == ["params", "1248424", ""]
    assert list(csv.reader(io.StringIO(answer(NULLABLE, "csv")))) == [
        ["params"],
        ["1248424"],
        [""],
    ]
    told = json.loads(answer(NULLABLE, "json"))
    assert told == [{"params": 1248424}, {"params": None}]
    assert isinstance(told[0]["params"], int)
    column = pd.read_parquet(io.BytesIO(answer(NULLABLE, "parquet")))["params"]
    assert (str(column.dtype), column[0], column[1]) == ("Int64", 1248424, pd.NA)


@pytest.mark.parametrize("number", [2**53 + 1, MOST, -MOST - 1])
def test_large_whole_numbers_keep_every_digit(answer, number):
    sql = f"SELECT {number} AS n UNION ALL SELECT NULL"
    assert str(number) in answer(sql)
    assert str(number) in answer(sql, "csv").splitlines()
    assert json.loads(answer(sql, "json"))[0]["n"] == number
    assert pd.read_parquet(io.BytesIO(answer(sql, "parquet")))["n"][0] == number


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_csv_is_data_whatever_the_terminal_takes(workplace, encoding):
    open_store("sqlite:///results/dse.db")
    sql = "SELECT 'a…b≥c é' AS x"
    done = subprocess.run(
        [sys.executable, "-m", "dse", "query", sql, "--format", "csv"],
        env=os.environ | {"PYTHONIOENCODING": encoding},
        capture_output=True,
        check=True,
    )
    assert done.stdout.decode() == "x\na…b≥c é\n"


def test_a_float_keeps_every_digit_in_json(answer):
    """It had ten of them."""
    assert json.loads(answer("SELECT 0.12345678901234567 AS x", "json")) == [
        {"x": 0.12345678901234567}
    ]


def test_headings_are_plain_text(answer):
    sql = 'SELECT 1 AS "[red]x", 2 AS "[bold]y[/bold]", 3 AS "[/nope]"'
    assert answer(sql).split() == ["[red]x", "[bold]y[/bold]", "[/nope]", *"123"]


def test_nothing_steers_the_terminal(query, answer):
    cell = "||".join(f"char({ord(letter)})" for letter in HOSTILE)
    sql = f'SELECT {cell} AS "a\x1b[2J"'
    table = answer(sql)
    assert not re.search("[^\\x20-\\x7e\\n]", table)
    assert r"a\x1b[2J" in table and r"\x1b[31mred\x1b]0;t\x07 \u202eabc\x0d" in table
    # Data is data.
    [row] = json.loads(answer(sql, "json"))
    assert row == {"a\x1b[2J": HOSTILE}
    _, value = csv.reader(io.StringIO(answer(sql, "csv"), newline=""))
    assert value == [HOSTILE]
    status, _, error = query('SELECT 1 AS "\x1b[31mx", 2 AS "\x1b[31mx"')
    assert status == 1
    assert "\x1b" not in error and r"\x1b[31mx" in error


@pytest.mark.parametrize(
    ("sql", "kind", "said"),
    [
        ("SELECT x'00ff' AS b", "json", "'b' holds bytes (hex(...) makes text"),
        ("SELECT x'00ff' AS b", "csv", "'b' holds bytes"),
        ("SELECT 9e999 AS b", "json", "'b' holds the number inf, which json cannot"),
        ("SELECT -9e999 AS b", "json", "'b' holds the number -inf"),
        ("SELECT 1 AS b UNION ALL SELECT 'x'", "parquet", "'b' holds int and str"),
        ("SELECT x'00' AS b UNION ALL SELECT 1", "parquet", "'b' holds bytes and int"),
        ("SELECT 1 AS x, 2 AS x", "csv", "two columns are called 'x'"),
        ("-- nothing", "csv", "is not read-only; expected SELECT"),
        ("SELECT '\udcff' AS b", "csv", "is no UTF-8"),
        ("SELECT '\0' AS b", "csv", "has a character 0"),
    ],
)
def test_what_a_format_cannot_hold_is_one_line(query, sql, kind, said):
    status, out, error = query(sql, kind)
    assert (status, out) == (1, b"")
    assert said in error
    assert len(error.splitlines()) == 1


def test_a_table_shows_bytes_and_infinity(answer):
    assert answer("SELECT x'00ff' AS b, 9e999 AS x").split() == [
        "b",
        "x",
        "x'00ff'",
        "inf",
    ]
    assert "(1,000 bytes)" in answer("SELECT zeroblob(1000) AS b")


def test_no_rows(answer):
    sql = "SELECT 1 AS a, 2 AS b WHERE 0"
    assert answer(sql).split() == ["a", "b"]
    assert answer(sql, "csv") == "a,b\n"
    assert json.loads(answer(sql, "json")) == []
    frame = pd.read_parquet(io.BytesIO(answer(sql, "parquet")))
    assert list(frame.columns) == ["a", "b"] and frame.empty


def test_a_pipe_gets_all_columns_whatever_the_surroundings(answer, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "20")
    wide = "w" * 12_000
    table = answer(
        f"SELECT '{wide}' AS a, " + ", ".join(f"{i} AS c{i}" for i in range(60))
    )
    heading, row = re.sub(r"\x1b\[[0-9;]*m", "", table).splitlines()
    assert heading.split() == ["a", *(f"c{i}" for i in range(60))]
    assert row.split() == [wide, *map(str, range(60))]


def on_terminal(letters, words):
    """What a command prints on a terminal so wide, without its colours."""
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, letters, 0, 0))
    environment = {k: v for k, v in os.environ.items() if k != "COLUMNS"}
    command = [sys.executable, "-m", "dse.cli", *words]
    with subprocess.Popen(command, env=environment, **dict.fromkeys(STREAMS, theirs)):
        os.close(theirs)
        told = b""
        with suppress(OSError):  # its end, as Linux says it
            while some := os.read(ours, 65536):
                told += some
    os.close(ours)
    return re.sub(r"\x1b\[[0-9;]*m", "", told.decode())


def test_a_narrow_terminal_says_what_it_does_not_show(workplace):
    open_store("sqlite:///results/dse.db")
    columns = ", ".join(f"{i} AS column{i}" for i in range(9))
    told = on_terminal(40, ["query", f"SELECT '{'x' * 90}' AS long, {columns}"])
    assert "…" in told
    said = " ".join(told.split())
    assert "9 of 10 columns do not fit here: column0, column1," in said
    assert max(map(len, told.splitlines())) <= 40
    told = on_terminal(120, ["query", f"SELECT {columns}"])
    assert "do not fit" not in told


def test_parquet_is_not_for_a_terminal(workplace):
    open_store("sqlite:///results/dse.db")
    told = on_terminal(80, ["query", "SELECT 1 AS x", "--format", "parquet"])
    assert "parquet is bytes, and standard output a terminal" in told


@pytest.mark.parametrize(
    "sql",
    [
        "-- a comment\nSELECT 1 AS x",
        "/* one */ /* two */ SELECT 1 AS x",
        "(SELECT 1 AS x)",
        "  ( -- inside\n ((SELECT 1 AS x) ) )",
        "(SELECT 0 AS x) UNION SELECT 1 AS x ORDER BY x DESC LIMIT 1",
        "SELECT 1 AS x;",
        "SELECT 1 AS x -- ;",
        "WITH t AS (SELECT 1 AS x) SELECT x FROM t",
        "WITH RECURSIVE t(x) AS (VALUES (1)) SELECT x FROM t",
    ],
)
def test_a_select_runs_whatever_stands_before_it(answer, sql):
    assert answer(sql, "csv") == "x\n1\n"


@pytest.mark.parametrize(
    "sql",
    [
        "ATTACH 'other.db' AS other",
        "/* SELECT */ ATTACH 'other.db' AS other",
        "(DELETE FROM dse_schema)",
        "PRAGMA query_only = OFF",
        "VACUUM INTO 'other.db'",
        "BEGIN",
        "WITH t AS (SELECT 1) DELETE FROM dse_schema",
        "WITH t AS (SELECT 1) INSERT INTO dse_schema SELECT 99",
        "WITH t AS (SELECT 1) UPDATE dse_schema SET version = 99",
        "SELECT load_extension('other')",
        "EXPLAIN PRAGMA writable_schema = ON",
        "SELECT 1; DELETE FROM dse_schema",
        "SELECT * FROM pragma_journal_mode('wal')",
    ],
)
def test_nothing_is_written_and_no_other_file_opened(query, sql, workplace):
    before = (workplace / "results/dse.db").read_bytes()
    status, out, error = query(sql)
    assert (status, out) == (1, b""), out
    assert len(error.splitlines()) == 1
    assert [file.name for file in workplace.iterdir()] == ["results"]
    assert (workplace / "results/dse.db").read_bytes() == before
    with closing(sqlite3.connect("results/dse.db")) as connection:
        assert connection.execute("PRAGMA writable_schema").fetchone() == (0,)
