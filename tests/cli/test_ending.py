"""What any terminal takes, and what is said of whatever a library raises."""

import os
import signal
import stat
import subprocess
import sys
import time

import pytest

from dse import cli
from dse.cli import describe, ending
from dse.errors import DseError
from dse.nearby import runs_as_module, step_back

RUN = [sys.executable, "-m", "dse"]
SHADOWS = ("queue", "random", "email", "json", "numpy", "tyro", "signal", "threading")


def dse(*words, **around):
    return subprocess.run(
        [*RUN, *words], capture_output=True, env={**os.environ, **around}
    )


@pytest.mark.parametrize(
    "around",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "ascii:strict", "PYTHONUTF8": "0"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
)
def test_a_stream_that_takes_ascii_alone(workplace, around):
    done = dse("describe", **around)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"bypass none - architecture" in done.stdout or b" - arch" in done.stdout
    assert done.stdout.isascii()
    done = dse("describe", "--base-e", "many", **around)
    assert done.returncode == 2
    assert done.stderr.startswith(b"dse: Error parsing --base-e: invalid literal for")


def test_signs_have_a_plain_form_and_others_are_spelt_out():
    script = (
        "from dse.cli.streams import prepare_streams; prepare_streams()\n"
        "print('a · b … \\u2265 \\xe9 \\u4e2d \\udcff')"
    )
    for encoding, told in (
        ("ascii", b"a - b ... >= \\xe9 \\u4e2d \\udcff\n"),
        ("latin-1", b"a \xb7 b ... >= \xe9 \\u4e2d \\udcff\n"),
        ("utf-8", "a · b … ≥ é 中 \\udcff\n".encode()),
    ):
        done = subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            env={**os.environ, "PYTHONIOENCODING": encoding},
        )
        assert done.stdout == told, done.stderr


@pytest.mark.parametrize("columns", ["1", "0", "-3", "many", "1000000"])
def test_a_terminal_of_any_width(workplace, columns):
    """Of one column tyro makes lines without end."""
    for words, status in ((["describe"], 0), (["describe", "--help"], 0), (["fly"], 2)):
        done = subprocess.run(
            [*RUN, *words],
            capture_output=True,
            env={**os.environ, "COLUMNS": columns, "TERM": "dumb"},
            timeout=60,
        )
        assert done.returncode == status
        assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("words", ["describe", "describe --json", "describe --help"])
def test_a_reader_that_leaves_ends_it_quietly(workplace, words):
    line = f"'{sys.executable}' -m dse {words} | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", line], capture_output=True)
    assert done.stderr == b""
    assert done.returncode in (0, 141)  # 0 where all was written before it left


@pytest.mark.parametrize(
    ("redirect", "status", "said"),
    [
        (">&-", 0, b""),
        ("2>&-", 0, b""),
        ("<&-", 0, b""),
        (">/dev/full", 1, b"dse: No space left on device\n"),
    ],
)
def test_streams_that_are_closed_or_full(workplace, redirect, status, said):
    line = f"'{sys.executable}' -m dse describe {redirect}"
    done = subprocess.run(["bash", "-c", line], capture_output=True)
    assert (done.returncode, done.stderr) == (status, said)


def test_a_file_does_not_take_the_place_of_a_closed_stream(workplace):
    script = (
        "import os\n"
        "from dse.cli.streams import prepare_streams; prepare_streams()\n"
        "file = open('precious', 'w'); print('noise', flush=True)\n"
        "os.write(1, b'noise'); file.close()\n"
    )
    subprocess.run(
        ["bash", "-c", f"'{sys.executable}' -c \"$1\" >&-", "-", script], check=True
    )
    assert (workplace / "precious").read_text() == ""


@pytest.fixture
def fails(workplace, monkeypatch, capsys):
    """Runs a command that raises an error; its status and the lines it printed."""
    monkeypatch.setenv("DSE_CACHE", str(workplace / "cache"))
    monkeypatch.delenv("DSE_DEBUG", raising=False)

    def run(error, *words):
        def call(self):
            raise error

        monkeypatch.setattr(describe.Describe, "__call__", call)
        with pytest.raises(SystemExit) as ended:
            cli.main(["describe", *words])
        return ended.value.code, capsys.readouterr().err.splitlines()

    return run


def logs(workplace):
    return sorted((workplace / "cache" / "errors").glob("*.log"))


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (RuntimeError("one\ntwo"), "internal error, RuntimeError: one; the traceback"),
        (KeyError("x"), "internal error, KeyError: 'x'; the"),
        (AssertionError(), "internal error, AssertionError: AssertionError; the"),
        (RecursionError("too deep"), "internal error, RecursionError: too deep; the"),
        (MemoryError(), "memory ran out: close other programs"),
        (OSError("no errno"), "internal error, OSError: no errno; the traceback"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), "internal error, Unicode"),
        (ValueError("\x1b[31mred"), "internal error, ValueError: \\x1b[31mred; the"),
    ],
)
def test_what_a_library_raises_is_one_line_and_a_traceback_in_a_file(
    fails, workplace, error, told
):
    status, [line] = fails(error)
    assert status == 1
    assert line.startswith(f"dse: {told}")
    [log] = logs(workplace)
    assert line.endswith(f"is in {log} (DSE_DEBUG=1 shows it)")
    text = log.read_text()
    assert "dse describe" in text and "Traceback (most recent call last)" in text
    assert type(error).__name__ in text
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (DseError("what it says"), "dse: what it says"),
        (
            PermissionError(13, "Permission denied", "a/b"),
            "dse: Permission denied: a/b",
        ),
        (OSError(28, "No space left on device"), "dse: No space left on device"),
        (OSError(18, "Cross-device", "a", None, b"b"), "dse: Cross-device: a -> b"),
    ],
)
def test_what_is_clear_needs_no_file(fails, workplace, error, told):
    assert fails(error) == (1, [told])
    assert logs(workplace) == []


def test_on_demand_the_traceback_is_shown(fails, workplace, monkeypatch):
    monkeypatch.setenv("DSE_DEBUG", "1")
    for error in (RuntimeError("one"), DseError("two")):
        status, lines = fails(error)
        assert status == 1
        assert lines[0] == "Traceback (most recent call last):"
        assert lines[-1].startswith("dse: ")
    assert logs(workplace) == []


def test_passwords_are_neither_told_nor_kept(fails, workplace):
    url = "postgresql://me:secret@host/runs"
    error = RuntimeError(f"cannot reach {url}")
    [line] = fails(error, "--version", "1.0")[1]
    assert "postgresql://me:***@host/runs" in line
    [log] = logs(workplace)
    assert "secret" not in line + log.read_text()
    far = RuntimeError(f"{180 * 'x'} postgresql://me:secret@host/runs")
    assert "secre" not in fails(far)[1][0]
    assert ending.again(["query", f"--storage={url}"]) == (
        "dse query '--storage=postgresql://me:***@host/runs'"
    )


def test_where_no_file_can_be_written_the_traceback_is_printed(
    fails, workplace, monkeypatch
):
    (workplace / "cache").write_text("a file in its place")
    status, lines = fails(RuntimeError("one"))
    assert status == 1
    assert "Traceback (most recent call last):" in lines
    assert lines[-1].startswith("dse: internal error, RuntimeError: one; the traceback")
    assert "is above, since" in lines[-1]


def test_old_logs_go(fails, workplace, monkeypatch):
    monkeypatch.setattr(ending, "KEPT_LOGS", 2)
    for number in range(4):
        fails(RuntimeError(str(number)))
    kept = [log.read_text() for log in logs(workplace)]
    assert [text.splitlines()[-1] for text in kept] == [
        "RuntimeError: 2",
        "RuntimeError: 3",
    ]


def test_the_working_folder_comes_last():
    here = ["/here", "/lib", "/site"]
    assert step_back(here, "/here", by_module=True) == ["/lib", "/site"]
    assert step_back(here, "/here", by_module=False) == ["/lib", "/site", "/here"]
    named = ["/here", "/here", "/lib", ""]
    assert step_back(named, "/here", by_module=True) == ["/lib", "/here"]
    assert step_back(["/lib"], "/here", by_module=True) == ["/lib"]
    assert runs_as_module(["python", "-m", "dse.cli", "status"])
    assert runs_as_module(["python", "-X", "dev", "-m", "dse"])
    for spelling in ("-mdse", "-um dse", "-W error -Im dse", "-Xdev -m dse.cli"):
        assert runs_as_module(["python", *spelling.split(), "status"])
    for other in ("-m pytest dse", "run.py -m dse", "-m", "-c pass -m dse", "-mdsex"):
        assert not runs_as_module(["python", *other.split()])


def test_a_link_to_the_working_folder_comes_last(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path)
    path = [str(tmp_path / "link"), "/lib"]
    stepped = step_back(path, str(tmp_path), by_module=False)
    assert stepped == ["/lib", str(tmp_path / "link")]


@pytest.mark.parametrize("pythonpath", ["", ".", ":"])
def test_modules_in_the_working_folder_are_not_run(workplace, pythonpath):
    for name in SHADOWS:
        (workplace / f"{name}.py").write_text(f"open('ran_{name}', 'w').close()\n")
    around = {**os.environ, **({"PYTHONPATH": pythonpath} if pythonpath else {})}
    done = subprocess.run([*RUN, "describe"], env=around, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert list(workplace.glob("ran_*")) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_that_a_library_made_its_own_error(monkeypatch, capsys, number):
    """A compiled module that is imported at Ctrl-C raises an ImportError instead."""

    def lost(self):
        try:
            os.kill(os.getpid(), number)
            time.sleep(5)
        except KeyboardInterrupt:
            raise ImportError("initialization failed") from None

    monkeypatch.setattr(describe.Describe, "__call__", lost)
    with pytest.raises(SystemExit) as ended:
        cli.main(["describe"])
    assert ended.value.code == 130
    told = "dse: interrupted; what is finished is kept, go on with: dse describe\n"
    assert capsys.readouterr().err == told


def test_an_error_of_ours_after_an_interruption_is_said(monkeypatch, capsys):
    def fails(self):
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)
        except KeyboardInterrupt:
            raise DseError("the disk is full") from None

    monkeypatch.setattr(describe.Describe, "__call__", fails)
    with pytest.raises(SystemExit) as ended:
        cli.main(["describe"])
    assert (ended.value.code, capsys.readouterr().err) == (1, "dse: the disk is full\n")
