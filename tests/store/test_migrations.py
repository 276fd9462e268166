"""Databases of schema 2 and 3 are brought forward, and nothing is lost."""

import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pytest
from filelock import FileLock
from older import begin, make_older, rows, version_of
from sqlalchemy import text
from test_messages import assert_same, leftovers, pragma, table
from test_store import fill

from dse.cli import main
from dse.errors import DseError
from dse.families.squeezenet import SqueezeNet
from dse.passwords import shown
from dse.runs.events import Failed, Started
from dse.runs.recipe import Recipe
from dse.store.append import begin_run, fail_run
from dse.store.database import open_store
from dse.store.enter import register_points, register_study
from dse.store.migrations import migrate
from dse.store.query import load_network, view
from dse.store.schema import SCHEMA_VERSION
from dse.store.transfer import export_studies, import_file
from dse.study.plan import make_point, study_record

pytest_plugins = ["postgresql"]

LITE = "sqlite:///results/dse.db"
FILE = Path("results/dse.db")
ODD = (
    SqueezeNet(3, 5, 3, sr=1 / 3, pct_3x3=0.1 + 0.2, bypass="complex", pools="1,3"),
    SqueezeNet(2, 0, 8, sr=0.0, pct_3x3=5e-324, bypass="simple", version="1.1"),
)
BACKENDS = ["sqlite", "postgresql"]
OLDER = [(backend, version) for backend in BACKENDS for version in (2, 3, 4)]


def url_of(backend, request):
    return LITE if backend == "sqlite" else request.getfixturevalue("database")


def filled(url, dataset):
    """Two studies: runs that completed, failed and are under way, and odd points."""
    store = open_store(url)
    _, points = fill(store, dataset)
    for replicate in (0, 1):
        begin_run(store, Started(points[1].cell.id, replicate, "cpu"))
    fail_run(store, Failed(points[1].cell.id, 0, "lost", "it {died} [at once]"))
    record = study_record("odd", "quick", dataset, Recipe(3, 0.1), 1)
    register_study(store, record)
    odd = [make_point(point, record.recipe, dataset) for point in ODD]
    register_points(store, record.name, odd)
    store.engine.dispose()


@pytest.fixture
def older(request, workplace, tiny):
    """Makes a database of an older schema: its URL, and its rows and views of today."""

    def make(backend, version):
        url = url_of(backend, request)
        filled(url, tiny)
        today, shown_today = rows(url, *ALL), table(url)
        make_older(url, version)
        return url, today, shown_today

    return make


ALL = ("architectures", "cells", "studies", "study_cells", "runs", "metrics")
ALL += ("artifacts", "families", "schema")


@pytest.mark.parametrize(("backend", "version"), OLDER)
def test_all_rows_are_kept(older, capsys, backend, version):
    url, today, shown_today = older(backend, version)
    before = rows(url)
    store = open_store(url)
    assert rows(url, *ALL) == today
    assert_same(table(url), shown_today)
    run = int(view(store, "runs").query("status == 'complete'")["run_id"].iloc[0])
    assert load_network(store, run).class_names == tuple("abcd")
    told = capsys.readouterr().err
    assert told.startswith(
        f"dse: database {shown(url)} is brought from schema {version} to "
        f"{SCHEMA_VERSION}, with all its rows"
    )
    assert told.count("\n") == 1
    copy = Path(f"results/dse.db.schema{version}")
    assert copy.exists() == (backend == "sqlite")
    if backend == "sqlite":
        assert told.endswith(f"; as it was it is kept as {copy}\n")
        assert rows(f"sqlite:///{copy}") == before
        assert version_of(f"sqlite:///{copy}") == version


@pytest.mark.parametrize("version", [2, 3, 4])
def test_the_copy_is_a_file_that_anybody_can_read(older, version):
    """Without a log beside it, which a reader would have to make."""
    url, *_ = older("sqlite", version)
    open_store(url)
    copy = Path(f"results/dse.db.schema{version}")
    assert pragma("journal_mode", copy) == pragma("journal_mode") == "delete"
    assert pragma("integrity_check", copy) == "ok"
    assert leftovers() == []
    with pytest.raises(DseError, match=f"has schema version {version}; the next dse"):
        open_store(f"sqlite:///{copy}", create=False)


@pytest.mark.parametrize(("backend", "version"), OLDER)
def test_a_second_opening_changes_nothing(older, capsys, backend, version):
    url, today, _ = older(backend, version)
    for create in (True, True, False):
        open_store(url, create=create)
    assert rows(url, *ALL) == today
    assert capsys.readouterr().err.count("\n") == 1
    assert len(list(Path("results").glob("dse.db.schema*"))) == (backend == "sqlite")


@pytest.mark.parametrize(("backend", "version"), OLDER)
def test_one_that_is_cut_off_leaves_what_was(
    older, monkeypatch, capsys, backend, version
):
    url, today, shown_today = older(backend, version)
    before = rows(url)

    def migrate_and_stop(*steps):
        migrate(*steps)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("dse.store.database.migrate", migrate_and_stop)
        with pytest.raises(KeyboardInterrupt):
            open_store(url)
    assert rows(url) == before
    with pytest.raises(DseError, match=f"has schema version {version}"):
        open_store(url, create=False)
    assert capsys.readouterr().err == ""
    open_store(url)
    assert rows(url, *ALL) == today
    assert_same(table(url), shown_today)
    for copy in Path("results").glob("dse.db.schema*"):
        assert rows(f"sqlite:///{copy}") == before


def test_a_copy_of_before_is_not_written_over(older):
    url, *_ = older("sqlite", 3)
    taken = Path("results/dse.db.schema3")
    taken.write_text("precious")
    open_store(url)
    assert taken.read_text() == "precious"
    [copy] = {*Path("results").glob("dse.db.schema3*")} - {taken}
    assert version_of(f"sqlite:///{copy}") == 3


def test_no_room_for_a_copy_leaves_what_was(older, monkeypatch):
    url, *_ = older("sqlite", 3)
    before = rows(url)

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("dse.store.database.copy_beside", fail)
    with pytest.raises(DseError) as refusal:
        open_store(url)
    assert "o space left on device" in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert rows(url) == before


@pytest.mark.parametrize("backend", BACKENDS)
def test_several_that_open_it_at_once(older, capsys, backend):
    url, today, _ = older(backend, 3)
    together, errors = threading.Barrier(4), []

    def open_it():
        try:
            together.wait()
            view(open_store(url), "runs")
        except BaseException as error:  # noqa: BLE001
            errors.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert rows(url, *ALL) == today
    assert capsys.readouterr().err.count("\n") == 1


# A sweep of another process, which an older version runs

HOLD = """
import sys
from dse.store.lock import ServerSweepLock
from sqlalchemy import create_engine
lock = ServerSweepLock(create_engine(sys.argv[1]), ["digits"], "it")
lock.acquire()
print("held", flush=True)
sys.stdin.read()
"""


def test_a_sweep_of_another_process_into_the_file(older):
    url, today, _ = older("sqlite", 3)
    before = rows(url)
    with (
        FileLock("results/sweep.lock"),
        pytest.raises(DseError, match=r"another sweep is writing to .*; wait for its"),
    ):
        open_store(url)
    assert rows(url) == before
    assert not list(Path("results").glob("dse.db.schema*"))
    open_store(url)
    assert rows(url, *ALL) == today


def test_a_sweep_of_another_process_on_the_server(older):
    """It would go on with tables that are no longer there."""
    url, today, _ = older("postgresql", 3)
    before = rows(url)
    own = url.replace("postgresql://", "postgresql+psycopg://")
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, own],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(DseError, match=f"process {holder.pid}") as refusal:
            open_store(url)
        assert "wait for its end" in str(refusal.value)
        assert rows(url) == before
    finally:
        holder.communicate()
    open_store(url)
    assert rows(url, *ALL) == today


# Who only reads

READING = {
    "status": ("status",),
    "status --json": ("status", "--json"),
    "status --live": ("status", "--live"),
    "query": ("query", "SELECT 1 AS x"),
    "export": ("export", "out.zip"),
    "predict": ("predict", "1", "image.png"),
    "forget": ("forget", "fig/tiny-quick", "sr=0.5"),
    "retry": ("retry", "fig/tiny-quick"),
}


@pytest.mark.parametrize("words", READING.values(), ids=READING)
@pytest.mark.parametrize(("backend", "version"), OLDER)
def test_who_only_reads_is_told_in_a_line(older, capsys, backend, version, words):
    url, *_ = older(backend, version)
    before, files = rows(url), {*Path().rglob("*")}
    with pytest.raises(SystemExit) as end:
        main([*words, "--storage", url])
    out, err = capsys.readouterr()
    assert (end.value.code, out) == (1, "")
    assert err == (
        f"dse: database {shown(url)} has schema version {version}; the next dse sweep "
        f"into it brings it to {SCHEMA_VERSION} and keeps all, then repeat this\n"
    )
    assert rows(url) == before
    assert {*Path().rglob("*")} == files


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("version", [0, 1, SCHEMA_VERSION + 1])
def test_what_no_step_leads_from_is_refused(request, workplace, tiny, backend, version):
    url = url_of(backend, request)
    filled(url, tiny)
    with begin(url) as connection:
        connection.execute(text(f"UPDATE dse_schema SET version = {version}"))
    before = rows(url)
    said = f"schema version {version}; this dse works with {SCHEMA_VERSION}: use the"
    for create in (True, False):
        with pytest.raises(DseError, match=said):
            open_store(url, create=create)
    assert rows(url) == before


# Archives


def archive_of(folder, version):
    """An export as an older version wrote it."""
    with zipfile.ZipFile(folder / "now.zip") as archive:
        archive.extractall(folder / "opened")
    make_older(f"sqlite:///{folder}/opened/tables.db", version)
    with zipfile.ZipFile(folder / "older.zip", "w") as archive:
        for file in sorted((folder / "opened").rglob("*")):
            archive.write(file, file.relative_to(folder / "opened"))
    return folder / "older.zip"


@pytest.mark.parametrize("version", [2, 3, 4])
def test_an_archive_of_an_older_version_is_imported(
    workplace, tiny, tmp_path_factory, capsys, version
):
    """Without a word: nobody asked for its tables."""
    store = open_store(LITE)
    fill(store, tiny)
    folder = tmp_path_factory.mktemp("archive")
    export_studies(store, folder / "now.zip")
    here = open_store("sqlite:///here/dse.db")
    assert import_file(here, archive_of(folder, version)) == 2
    assert_same(table(here.url), table(LITE))
    assert capsys.readouterr().err == ""
