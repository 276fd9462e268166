"""What is shown: no password, and nothing that steers a terminal."""

import io
import pickle

import pytest
from rich.console import Console

import dse
from dse.cli import main
from dse.cli.results import Query, Status
from dse.console.progress import SweepProgress
from dse.errors import DseError, printable
from dse.passwords import secrets_in, shown, without_passwords
from dse.runs.events import Failed, Started
from dse.store.database import Store, open_store

LONG = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJ"
PASSWORDS = [
    LONG,
    "two words",
    "two  spaces",
    "qu'ote\"s",
    "at@sign",
    "per%40cent",
    "sla/sh",
    "new\nline",
    "back\\slash",
    "pässwörd",
    "co:lon",
    LONG + " " + LONG,
]


@pytest.mark.parametrize("password", PASSWORDS)
@pytest.mark.parametrize(
    "words",
    [
        ["query", "SELECT 1", "--storage", "URL"],
        ["query", "SELECT 1", "--storage=URL"],
        ["query", "SELECT 1", "--storag", "URL"],
        ["query", "SELECT 1", "--sead", "3", "--storage", "URL"],
        ["sweep", "fig3b", "--seeds", "URL"],
        ["sweep", "fig3b", "--seeds=URL"],
        ["sweep", "URL"],
        ["reproduce", "fig3b", "--dataset", "URL"],
        ["status", "--stroage=URL"],
        ["URL"],
    ],
)
def test_no_refusal_shows_a_password(workplace, capfd, words, password):
    url = f"firebird://me:{password}@host/db"
    with pytest.raises(SystemExit) as end:
        main([word.replace("URL", url) for word in words])
    assert end.value.code in (1, 2)
    told = "".join(capfd.readouterr())
    assert told.startswith("dse: ") and len(told.splitlines()) == 1
    told = told.replace(" ", "").replace("\\n", "\n")
    for part in (password, *password.split()):
        assert len(part) < 4 or part.replace(" ", "") not in told


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://me:pw@host/db", "postgresql://me:***@host/db"),
        ("postgresql://me:p@w@host/db", "postgresql://me:***@host/db"),
        ("postgresql://me:secret", "postgresql://me:***"),
        ("postgresql://me:secret/db", "postgresql://me:***/db"),
        ("postgresql://host:5432/db", "postgresql://host:5432/db"),
        ("postgresql://me@host:5432/db", "postgresql://me@host:5432/db"),
        ("postgresql://h/db?password=secret&x=1", "postgresql://h/db?password=***&x=1"),
        ("host=h password='a secret' user=u", "host=h password=*** user=u"),
        ("PGPASSWORD=secret", "PGPASSWORD=***"),
        ("postgresql://h/db?pass%77ord=secret", "postgresql://h/db?pass%77ord=***"),
        ("postgresql://h/db?x=1&pass=secret", "postgresql://h/db?x=1&pass=***"),
        ("postgresql://h/db?%50WD=secret&x=1", "postgresql://h/db?%50WD=***&x=1"),
        ("bypass=simple", "bypass=simple"),
        ("bypass = complex, passes=3", "bypass = complex, passes=3"),
        ("sqlite:///results/a:b@c.db", "sqlite:///results/a:b@c.db"),
        ("pct_3x3=0.25", "pct_3x3=0.25"),
    ],
)
def test_how_a_url_is_shown(url, expected):
    assert shown(url) == expected


def test_a_secret_is_known_in_each_form():
    found = secrets_in(["--storage=postgresql://me:a%40long%20one@h/d", "sr=0.5"])
    assert found == ["a%40long%20one", "a@long one"]
    assert secrets_in(["query", "SELECT 1", "--storage", "sqlite:///x.db"]) == []


def test_no_repr_shows_a_password(workplace):
    url = f"postgresql://me:{LONG}@host/db"
    assert LONG not in repr(dse.Options(storage=url))
    for verb in (Query("SELECT 1", storage=url), Status(storage=url)):
        assert LONG not in repr(verb)
    store = open_store("sqlite:///results/dse.db")
    assert isinstance(store, Store)
    assert "engine" not in repr(store)


def test_an_error_hides_what_it_is_told():
    error = DseError(f"no study is called 'postgresql://me:{LONG}@h/d'")
    assert LONG not in str(error)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert without_passwords(str(error)) == str(error)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain, Größe 3 × 3 … 日本語 🎉", None),
        ("a\u00a0b", None),
        ("👩\u200d👩", None),
        ("\x1b[31m", r"\x1b[31m"),
        ("\x9b2J\x07\x7f", r"\x9b2J\x07\x7f"),
        ("a\nb\tc\r", r"a\x0ab\x09c\x0d"),
        ("\u202ecod.exe\u2069", r"\u202ecod.exe\u2069"),
        ("\u2028\ufeff\u200b", r"\u2028\ufeff\u200b"),
        ("caf\udce9.png", r"caf\xe9.png"),
        ("\ud800", r"\ud800"),
        ("\U000e0041", r"\U000e0041"),
    ],
)
def test_what_a_terminal_may_have(text, expected):
    assert printable(text) == (text if expected is None else expected)
    printable(text).encode()


def test_every_letter_is_text_or_spelt_out():
    """By the first principle: nothing below a space, and none of C1."""
    for number in (*range(0x20), *range(0x7F, 0xA0)):
        assert printable(chr(number)) == f"\\x{number:02x}"


@pytest.mark.parametrize("terminal", [False, True])
def test_progress_shows_no_escapes_of_others(terminal):
    file = io.StringIO()
    screen = Console(file=file, force_terminal=terminal, color_system=None, width=200)
    progress = SweepProgress(2, {"c": "[red]a\x1b[31mb\n"}, {}, {"c": 1}, screen)
    with progress:
        progress(Started("c", 0, "cpu"))
        progress(Failed("c", 0, "error", "\x1b]0;title\x07 said"))
    assert "\x1b[31m" not in file.getvalue() and "\x07" not in file.getvalue()
    assert r"[red]a\x1b[31mb\x0a, replicate 0" in file.getvalue()
    assert r"\x1b]0;title\x07 said" in file.getvalue()


def test_a_refusal_shows_no_escapes(workplace, capfd):
    for words in (["sweep", "\x1b[31mfig\udcff"], ["import", "a\nb\x1b.zip"]):
        with pytest.raises(SystemExit):
            main(words)
        told = capfd.readouterr().err
        assert len(told.splitlines()) == 1
        assert "\x1b" not in told and r"\x1b" in told
