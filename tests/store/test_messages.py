"""What befalls a SQLite file amid a sweep: nothing completed is lost by it."""

import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
import pytest
from older import make_older

from dse import files
from dse.errors import DseError
from dse.families.squeezenet import SqueezeNet
from dse.files import on_network
from dse.passwords import shown
from dse.runs.events import Done, EpochEnded, Started
from dse.runs.recipe import Recipe
from dse.store import database, engine
from dse.store.database import open_store
from dse.store.engine import SQLITE_OPTIONS
from dse.store.query import view
from dse.store.views import VIEWS
from dse.study.driver import complete, register
from dse.study.optuna_study import open_study
from dse.study.plan import Plan, make_point, study_record
from dse.study.tries import Tries

URL = "sqlite:///results/dse.db"
FILE = Path("results/dse.db")
NOBODY = 65534
TIMES = ["created_at", "tries", "run_id"]


class Pretence:
    """An executor whose runs are made up, the same each time.

    Before its event number n it calls `meddle[n]`. Four runs of two epochs have sixteen
    events: started, two epochs and done of each.
    """

    workers = 1
    peak_bytes = 0

    def __init__(self, meddle=None):
        self.meddle, self.told = meddle or {}, 0

    def start(self, jobs):
        pass

    def close(self):
        pass

    def run(self, queue):
        while (job := queue.take()) is not None:
            for replicate in job.replicates:
                for event in made_up(job.cell.id, replicate):
                    self.meddle.get(self.told, lambda: None)()
                    self.told += 1
                    yield event


def made_up(cell_id, replicate):
    """A run of two epochs, whose scores its identity decides."""
    digest = hashlib.sha256(f"{cell_id} {replicate}".encode()).digest()
    value = int.from_bytes(digest[:6], "big") / 2**48
    scores = {"loss": 1 / (1 + value), "accuracy": value}
    metrics = {"train": scores, "validation": scores}
    yield Started(cell_id, replicate, "cpu")
    for epoch in (1, 2):
        yield EpochEnded(cell_id, replicate, epoch, metrics, 100, 0.5)
    kernel = np.full((1, 1, 1, 2), value, np.float32)
    yield Done(
        cell_id,
        replicate,
        metrics={**metrics, "test": scores},
        train_seconds=2.0,
        compile_seconds=1.0,
        step_seconds=1.5,
        weights={"conv1": {"kernel": kernel}},
    )


def plan_of(dataset, study="fig", recipe=None):
    """Two cells, two replicates."""
    record = study_record(study, "quick", dataset, recipe or Recipe(2, 0.05), 2)
    points = [
        make_point(SqueezeNet(4, 4, pct_3x3=pct), record.recipe, dataset)
        for pct in (0.25, 0.75)
    ]
    return Plan(record, dict(enumerate(points)))


def sweep(url, plan, meddle=None):
    """What the command does, with made-up training; the runs that were missing."""
    tries = Tries()
    store = open_store(url)
    with store.sweeping([plan.study.trains]) as held:
        missing = register(held, [plan], tries)
        executor = Pretence(meddle)
        parts = ([plan], missing, held, executor, lambda event: None, tries)
        complete(*parts)
    return sum(map(len, missing.values()))


def table(url=URL):
    """All rows of all views, less what a clock or the order of events decides."""
    store = open_store(url, create=False)
    frames = [view(store, name).drop(columns=TIMES, errors="ignore") for name in VIEWS]
    orders = (["cell_id", "replicate"], ["cell_id"], ["cell_id", "replicate", "epoch"])
    return [
        frame.sort_values(order).reset_index(drop=True)
        for frame, order in zip(frames, orders, strict=True)
    ]


def assert_same(tables, expected):
    for mine, theirs in zip(tables, expected, strict=True):
        pd.testing.assert_frame_equal(mine, theirs, check_exact=True)


def completed(url=URL):
    runs = view(open_store(url, create=False), "runs")
    return int((runs["status"] == "complete").sum())


def means_told(url, plan):
    """What Optuna knows of the plan: the mean by cell."""
    study = open_study(open_store(url), plan.study.name)
    trials = study.get_trials(deepcopy=False)
    assert len(trials) == len({trial.user_attrs["cell_id"] for trial in trials})
    return {trial.user_attrs["cell_id"]: trial.values for trial in trials}


@pytest.fixture(scope="module")
def plan(tiny):
    return plan_of(tiny)


@pytest.fixture(scope="module")
def undisturbed(plan, tmp_path_factory):
    """The table of a sweep that nothing befell, and what Optuna was told."""
    url = f"sqlite:///{tmp_path_factory.mktemp('undisturbed')}/dse.db"
    assert sweep(url, plan) == 4
    assert completed(url) == 4
    return table(url), means_told(url, plan)


def assert_repeat_completes(plan, undisturbed, *, missing, url=URL):
    assert sweep(url, plan) == missing
    assert_same(table(url), undisturbed[0])
    assert means_told(url, plan) == undisturbed[1]


def pragma(name, file=FILE):
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute(f"PRAGMA {name}").fetchone()[0]


def leftovers(folder=Path("results")):
    return sorted(file.name for file in folder.glob("dse.db-*"))


class Stopped(BaseException):
    """What no handler in the product catches."""


def stop_amid(plan, moment):
    """A sweep that ends at its event number `moment`."""

    def stop():
        raise Stopped

    with pytest.raises(Stopped):
        sweep(URL, plan, {moment: stop})


@pytest.fixture(scope="module")
def stopped(plan, tmp_path_factory):
    """A folder whose sweep ended amid its third run."""
    folder = tmp_path_factory.mktemp("stopped")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        stop_amid(plan, 9)
        assert completed() == 2
    return folder


@pytest.fixture
def half(workplace, stopped):
    """A folder to work in, with a copy of that."""
    shutil.copytree(stopped, workplace, dirs_exist_ok=True)
    return workplace


# Read-only


@contextmanager
def unprivileged():
    """Where root runs the tests, be nobody: modes mean nothing to root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        if not os.access(optuna.__file__, os.R_OK, effective_ids=True):
            pytest.skip("another account cannot read where the packages are")
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_folder(monkeypatch):
    """A folder to work in that is anyone's; pytest's own is closed to nobody."""
    folder = Path(tempfile.mkdtemp(prefix="dse-faults-"))
    folder.chmod(0o777)
    monkeypatch.chdir(folder)
    yield folder
    for path in folder.rglob("*"):
        path.chmod(0o777)
    shutil.rmtree(folder)


def test_a_file_that_is_read_only(plan, undisturbed, open_folder):
    with unprivileged():
        stop_amid(plan, 9)
        FILE.chmod(0o444)
        with pytest.raises(DseError, match=r"readonly.* make its file, what lies"):
            sweep(URL, plan)
        assert completed() == 2
        FILE.chmod(0o644)
        assert_repeat_completes(plan, undisturbed, missing=2)


def test_a_folder_that_is_read_only(plan, undisturbed, open_folder):
    with unprivileged():
        stop_amid(plan, 9)
        Path("results/sweep.lock").unlink(missing_ok=True)
        Path("results").chmod(0o555)
        assert completed() == 2
        with pytest.raises(DseError, match=r"cannot make results/sweep\.lock \(Perm"):
            sweep(URL, plan)
        Path("results").chmod(0o755)
        assert_repeat_completes(plan, undisturbed, missing=2)


def test_made_read_only_amid_a_sweep(plan, undisturbed, open_folder):
    """The sweep goes on with the file that it has open; its log may be left behind."""
    with unprivileged():
        assert sweep(URL, plan, {9: lambda: FILE.chmod(0o444)}) == 4
        assert_same(table(), undisturbed[0])
        for file in Path("results").glob("dse.db*"):
            file.chmod(0o644)
        assert_repeat_completes(plan, undisturbed, missing=0)
        assert (pragma("journal_mode"), leftovers()) == ("delete", [])


# Locked by another


@contextmanager
def held_by_another(kind, seconds):
    """Another process has the file locked for so long."""
    program = (
        "import sqlite3, sys, time\n"
        "c = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        f"c.execute('BEGIN {kind}')\n"
        "print('held', flush=True)\n"
        f"time.sleep({seconds})\n"
        "c.execute('ROLLBACK')\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", program, FILE], stdout=subprocess.PIPE
    )
    assert holder.stdout.readline() == b"held\n"
    try:
        yield
    finally:
        holder.communicate()


@pytest.fixture
def impatient(monkeypatch):
    """SQLite waits for others a tenth of a second, not thirty."""
    monkeypatch.setitem(SQLITE_OPTIONS, "connect_args", {"timeout": 0.1})


@pytest.mark.parametrize("moment", [0, 7])
def test_locked_for_a_while(plan, undisturbed, workplace, impatient, capsys, moment):
    with ExitStack() as holding:

        def lock():
            holding.enter_context(held_by_another("IMMEDIATE", 0.6))

        assert sweep(URL, plan, {moment: lock}) == 4
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"dse: database {URL}: database is locked; another")
    assert line.endswith("; waiting for it")
    assert_repeat_completes(plan, undisturbed, missing=0)


def test_locked_for_good(plan, undisturbed, workplace, impatient, monkeypatch, capsys):
    monkeypatch.setattr(database, "MOST_SECONDS_AWAY", 0.3)
    with ExitStack() as holding:

        def lock():
            holding.enter_context(held_by_another("IMMEDIATE", 1))

        with pytest.raises(DseError, match="database is locked; another process holds"):
            sweep(URL, plan, {9: lock})
    assert completed() == 2
    assert_repeat_completes(plan, undisturbed, missing=2)


def test_locked_when_it_is_opened(plan, undisturbed, half, impatient):
    with (
        held_by_another("EXCLUSIVE", 0.5),
        pytest.raises(DseError, match="database is locked; another process holds it"),
    ):
        sweep(URL, plan)
    assert_repeat_completes(plan, undisturbed, missing=2)


# Damaged


@pytest.mark.parametrize("part", [0.5, 0.0])
def test_cut_short(plan, undisturbed, half, part):
    copy = FILE.read_bytes()
    os.truncate(FILE, int(part * len(copy)))
    complaint = "is malformed; .* put a copy" if part else "is empty, yet .* put a copy"
    for _ in range(2):
        with pytest.raises(DseError, match=complaint):
            sweep(URL, plan)
        with pytest.raises(DseError, match="malformed" if part else "holds no runs"):
            open_store(URL, create=False)
        assert FILE.stat().st_size == int(part * len(copy))
    FILE.write_bytes(copy)
    assert_repeat_completes(plan, undisturbed, missing=2)


@pytest.mark.parametrize("part", [0.5, 0.0])
def test_cut_short_amid_a_sweep(plan, undisturbed, half, part):
    copy = FILE.read_bytes()
    with pytest.raises(DseError, match="the file is damaged; put a copy in its place"):
        sweep(URL, plan, {5: lambda: os.truncate(FILE, int(part * len(copy)))})
    # What is left of it is not taken for a database with fewer runs.
    with pytest.raises(DseError, match="is malformed" if part else "is empty, yet"):
        sweep(URL, plan)
    for file in Path("results").glob("dse.db*"):
        file.unlink()
    FILE.write_bytes(copy)
    assert_repeat_completes(plan, undisturbed, missing=2)


def test_a_folder_that_goes_away_amid_a_sweep(plan, undisturbed, half):
    copy = shutil.copytree("results", "copy")
    with pytest.raises(DseError, match="unable to open database file; check that its"):
        sweep(URL, plan, {1: lambda: shutil.rmtree("results")})
    assert not Path("results/dse.db").exists()
    shutil.rmtree("results", ignore_errors=True)
    Path(copy).rename("results")
    assert_repeat_completes(plan, undisturbed, missing=2)


def test_a_second_database_beside_the_weights_of_the_first(plan, workplace):
    sweep(URL, plan)
    assert sweep("sqlite:///results/second.db", plan) == 4
    assert completed() == completed("sqlite:///results/second.db") == 4


def test_an_older_schema_is_refused(plan, workplace):
    sweep(URL, plan)
    with closing(sqlite3.connect(FILE)) as connection:
        connection.execute("UPDATE dse_schema SET version = 1")
        connection.commit()
    with pytest.raises(DseError, match="version 1; this dse works with"):
        sweep(URL, plan)
    with closing(sqlite3.connect(FILE)) as connection:
        [count] = connection.execute("SELECT COUNT(*) FROM dse_runs").fetchone()
    assert count == 4


@pytest.mark.parametrize("version", [2, 3, 4])
def test_a_sweep_of_an_older_schema_goes_on(plan, undisturbed, half, version):
    make_older(URL, version)
    cells = view(open_store(URL), "cells")
    assert sorted(cells["complete"]) == [0, 2]
    assert sorted(cells["running"]) == [0, 1]
    assert_repeat_completes(plan, undisturbed, missing=2)


# A full disk


@pytest.fixture
def small_disk(workplace):
    """A disk of two megabytes, which takes root to make."""
    disk = workplace / "results"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except OSError as error:
        pytest.skip(f"no disk can be mounted here: {error}")
    if done.returncode:
        pytest.skip(f"no disk can be mounted here: {done.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def fill_up(disk):
    """Write until nothing more goes in."""
    with suppress(OSError), (disk / "ballast").open("wb", buffering=0) as file:
        for size in (2**16, 2**12, 1):
            with suppress(OSError):
                while True:
                    file.write(bytes(size))


@pytest.mark.parametrize("moment", [0, 9, 11])
def test_a_full_disk(plan, undisturbed, small_disk, moment):
    complaint = "disk is full; free|disk I/O error|No space left on device; free"
    with pytest.raises(DseError, match=complaint):
        sweep(URL, plan, {moment: lambda: fill_up(small_disk)})
    with pytest.raises(DseError, match=complaint):
        sweep(URL, plan)
    assert completed() == moment // 4
    (small_disk / "ballast").unlink()
    assert_repeat_completes(plan, undisturbed, missing=4 - moment // 4)


# The journal


def look(seen):
    return lambda: seen.append((pragma("journal_mode"), leftovers()))


LOG_FILES = ["dse.db-shm", "dse.db-wal"]


def test_a_write_ahead_log_for_the_sweep(plan, undisturbed, workplace):
    seen = []
    sweep(URL, plan, {7: look(seen), 9: look(seen)})
    assert seen == [("wal", LOG_FILES)] * 2
    assert (pragma("journal_mode"), leftovers()) == ("delete", [])
    assert_same(table(), undisturbed[0])


def test_no_log_is_left_where_a_sweep_fails(plan, undisturbed, half):
    assert (pragma("journal_mode"), leftovers()) == ("delete", [])


def test_commits_are_not_copied_into_the_file_one_by_one(plan, half):
    """Which closing the last connection does: a log would then save nothing."""
    sizes = []

    def weigh():
        sizes.append(Path("results/dse.db-wal").stat().st_size)

    sweep(URL, plan, dict.fromkeys((1, 3, 5), weigh))
    assert len(sizes) == 3
    assert sizes == sorted(set(sizes))


def test_a_reader_that_stays(plan, undisturbed, half, monkeypatch):
    """It hinders nothing; the log outlasts that sweep, and goes with the next."""
    monkeypatch.setattr(engine, "SECONDS_FOR_READERS", 0.3)
    with closing(sqlite3.connect(FILE)) as reader:
        query = "SELECT COUNT(*) FROM runs WHERE status = 'complete'"
        seen, counts = [], []
        count = lambda: counts.append(reader.execute(query).fetchone()[0])  # noqa: E731
        sweep(URL, plan, {1: count, 3: look(seen), 5: count})
        count()
        assert counts == [2, 3, 4]
        assert seen == [("wal", LOG_FILES)]
        assert pragma("journal_mode") == "wal"
        assert_same(table(), undisturbed[0])
    assert_repeat_completes(plan, undisturbed, missing=0)
    assert (pragma("journal_mode"), leftovers()) == ("delete", [])


def in_half_a_second(do):
    timer = threading.Timer(0.5, do)
    timer.start()
    return timer


def test_a_reader_that_leaves_a_moment_after_the_sweep(plan, undisturbed, half):
    reader = sqlite3.connect(FILE, check_same_thread=False)
    timers = []

    def read():
        assert reader.execute("SELECT COUNT(*) FROM runs").fetchone() == (4,)
        timers.append(in_half_a_second(reader.close))

    sweep(URL, plan, {7: read})
    timers[0].join()
    assert (pragma("journal_mode"), leftovers()) == ("delete", [])
    assert_same(table(), undisturbed[0])


def test_a_reader_amid_a_transaction(plan, undisturbed, half, monkeypatch):
    """A file that is being read keeps its journal; writing waits for the end."""
    monkeypatch.setattr(engine, "SECONDS_FOR_READERS", 0.1)
    reader = sqlite3.connect(FILE, isolation_level=None, check_same_thread=False)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM runs").fetchall()
    timer = in_half_a_second(reader.close)
    seen = []
    assert sweep(URL, plan, {1: look(seen)}) == 2
    timer.join()
    assert seen == [("delete", [])]
    assert_same(table(), undisturbed[0])


def test_no_log_on_a_file_system_that_machines_share(plan, half, monkeypatch):
    """Its memory is of one machine."""
    monkeypatch.setattr(database, "on_network", lambda folder: True)
    seen = []
    sweep(URL, plan, {1: look(seen)})
    assert seen == [("delete", [])]


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("/", False),
        ("/data/runs", True),
        ("/data/local/runs", False),
        ("/home/a b/runs", True),
        ("/ssh/runs", True),
        ("/stick/runs", False),
        ("/database", False),
    ],
)
def test_which_folders_machines_share(folder, expected, tmp_path, monkeypatch):
    mounts = tmp_path / "mounts"
    mounts.write_text(
        "/dev/vda / ext4 rw 0 0\n"
        "server:/data /data nfs4 rw 0 0\n"
        "/dev/vdb /data/local xfs rw 0 0\n"
        "//server/a\\040b /home/a\\040b cifs rw 0 0\n"
        "host:/ /ssh fuse.sshfs rw 0 0\n"
        "/dev/sda1 /stick fuseblk rw 0 0\n"
    )
    monkeypatch.setattr(files, "MOUNTS", mounts)
    assert on_network(Path(folder)) is expected
    monkeypatch.setattr(files, "MOUNTS", tmp_path / "none")
    assert not on_network(Path(folder))


# What is shown


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://me:secret@host/runs", "postgresql://me:***@host/runs"),
        ("postgresql+psycopg://me:secret@h:5/r", "postgresql://me:***@h:5/r"),
        ("postgresql://me:s/e:c@ret@host/runs", "postgresql://me:***@host/runs"),
        ("postgresql://me@azure:secret@host/r", "postgresql://me@azure:***@host/r"),
        ("postgresql://:secret@host/runs", "postgresql://:***@host/runs"),
        ("postgresql://me:my secret@host/r", "postgresql://me:***@host/r"),
        ("postgresql//me:secret@host/runs", "postgresql//me:***@host/runs"),
        ("postgresql:/me:secret@host/runs", "postgresql:***@host/runs"),
        ("me:secret@host/runs", "me:***@host/runs"),
        ("postgresql://h/r?user=me&password=secret", None),
        ("postgresql://me@host:5432/runs", "postgresql://me@host:5432/runs"),
        ("postgresql://host/runs", "postgresql://host/runs"),
        ("sqlite:////home/me@work/a:b@c.db", "sqlite:////home/me@work/a:b@c.db"),
    ],
)
def test_a_url_is_shown_without_its_password(url, expected):
    assert "secret" not in shown(url)
    assert shown(url) == (expected or "postgresql://h/r?user=me&password=***")
