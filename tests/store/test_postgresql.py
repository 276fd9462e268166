"""A team's database on a real server: the same rows, and what the server refuses."""

import getpass
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, closing, suppress

import pandas as pd
import psycopg
import pytest
from samples import READ, SMALL_EXPERIMENT
from sqlalchemy import make_url
from test_messages import (
    assert_same,
    completed,
    means_told,
    plan_of,
    sweep,
    table,
)
from test_store import fill, finish

from dse.cli import main
from dse.errors import DseError
from dse.passwords import shown
from dse.runs.events import Failed, Started
from dse.runs.recipe import Recipe
from dse.store.append import begin_run, fail_run
from dse.store.database import open_store
from dse.store.enter import register_points, register_study
from dse.store.messages import Unreachable
from dse.store.query import load_network, status, view
from dse.store.statement import sql
from dse.store.status import read_standing
from dse.store.transfer import export_studies, import_file

pytest_plugins = ["postgresql"]

DSE = [sys.executable, "-m", "dse.cli"]
LITE = "sqlite:///results/dse.db"
WAITS = "; waiting for it"


@pytest.fixture
def store(database, workplace):
    return open_store(database)


def connect(url):
    """A connection past SQLAlchemy; each statement is a transaction."""
    return psycopg.connect(url, autocommit=True)


def value(url, query):
    with closing(connect(url)) as connection:
        return connection.execute(query).fetchone()[0]


# The life of a run


def live(store, dataset):
    """A study with runs that completed, failed, and are under way."""
    record, points = fill(store, dataset)
    for replicate in (0, 1):
        begin_run(store, Started(points[1].cell.id, replicate, "cpu"))
    fail_run(store, Failed(points[1].cell.id, 0, "lost", "it died"))
    return record, points


def test_the_views_are_those_of_sqlite(store, tiny):
    record, _ = live(store, tiny)
    lite = open_store(LITE)
    live(lite, tiny)
    assert_same(table(store.url), table(LITE))
    pd.testing.assert_frame_equal(status(store), status(lite), check_exact=True)
    here, there = read_standing(store).open_runs, read_standing(lite).open_runs
    assert len(here) == len(there) == 2
    assert sorted(here.columns) == sorted(there.columns)
    runs = view(store, "runs", record.name)
    assert runs["created_at"].dtype == "datetime64[us, UTC]"
    assert sorted(runs["status"]) == ["complete", "complete", "failed", "running"]


def test_numbers_keep_every_bit(store, tiny):
    _, points = fill(store, tiny, replicates=1)
    for replicate, accuracy in enumerate((1 / 3, 0.1 + 0.2, 5e-324, 1 - 2**-53)):
        finish(store, points[1].cell.id, replicate, accuracy)
        runs = view(store, "runs")
        kept = runs[(runs["replicate"] == replicate) & (runs["val_accuracy"] != 0.75)]
        assert kept["val_accuracy"].tolist() == [accuracy]


def test_a_repeated_run_replaces_what_was_left(store, tiny):
    _, points = live(store, tiny)
    finish(store, points[1].cell.id, 0, accuracy=0.5)
    finish(store, points[1].cell.id, 1)
    runs = view(store, "runs").sort_values(["val_accuracy", "replicate"])
    assert runs["status"].tolist() == ["complete"] * 4
    assert runs["tries"].tolist() == [2, 1, 1, 1]
    network = load_network(store, int(runs["run_id"].iloc[0]))
    assert network.class_names == tiny.class_names


def test_a_study_refuses_a_second_recipe(store, tiny):
    fill(store, tiny)
    with pytest.raises(DseError, match=r"another recipe \(epochs 2 there, 3 here\)"):
        fill(store, tiny, recipe=Recipe(3, 0.05, batch_size=16))


def test_a_persons_sql(store, tiny):
    fill(store, tiny)
    counted = sql(store, "SELECT COUNT(*) AS n FROM runs WHERE study LIKE 'fig%';")
    assert counted["n"].tolist() == [2]
    left = sql(store, "SELECT 7 % 4 AS x, '%s :y' AS y, '100 %%' AS z")
    assert left.values.tolist() == [[3, "%s :y", "100 %%"]]
    with pytest.raises(DseError, match=r"^no such column: accuracy \(did you") as error:
        sql(store, "SELECT accuracy FROM runs")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM dse_runs",
        "SELECT 1; DELETE FROM dse_runs",
        "SELECT 1; COMMIT; DELETE FROM dse_runs",
        "SELECT 1; SET TRANSACTION READ WRITE; DELETE FROM dse_runs",
        "WITH gone AS (DELETE FROM dse_runs RETURNING id) SELECT * FROM gone",
        "WITH x AS (SELECT 1) DELETE FROM dse_runs",
        "EXPLAIN ANALYZE DELETE FROM dse_runs",
        "SELECT set_config('transaction_read_only', 'off', false)",
        "SELECT nextval('dse_runs_id_seq')",
    ],
)
def test_a_write_is_refused(store, tiny, query):
    fill(store, tiny)
    for _ in range(2):
        with pytest.raises(DseError) as error:
            sql(store, query)
        assert "\n" not in str(error.value)
    assert len(view(store, "runs")) == 2
    finish(store, view(store, "runs")["cell_id"].iloc[0], 1)  # writing still works


def test_to_sqlite_and_back(store, tiny, tmp_path, postgresql):
    record, points = fill(store, tiny)
    assert export_studies(store, tmp_path / "study.zip", record.name) == 2
    lite = open_store(f"sqlite:///{tmp_path}/lite/dse.db")
    assert import_file(lite, tmp_path / "study.zip") == 2
    assert_same(table(lite.url), table(store.url))
    load_network(lite, int(view(lite, "runs")["run_id"].iloc[0]))
    finish(lite, points[1].cell.id, 0)
    assert export_studies(lite, tmp_path / "more.zip") == 3
    assert import_file(store, tmp_path / "more.zip") == 1
    assert import_file(store, tmp_path / "more.zip") == 0
    assert_same(table(lite.url), table(store.url))


def test_a_database_without_runs_is_left_alone(database):
    with pytest.raises(DseError, match="holds no runs of dse"):
        open_store(database, create=False)
    count = "SELECT COUNT(*) FROM pg_tables WHERE schemaname = 'public'"
    assert value(database, count) == 0


def test_a_user_who_may_not_write(store, tiny, database, postgresql):
    fill(store, tiny)
    with closing(connect(database)) as connection:
        connection.execute("DROP ROLE IF EXISTS guest")
        connection.execute("CREATE ROLE guest LOGIN PASSWORD 'as-they-please'")
    name = make_url(database).database
    guests = postgresql.url(name, "as-they-please", "guest")
    with pytest.raises(DseError, match=r"permission denied .* have its owner grant"):
        view(open_store(guests), "runs")
    with closing(connect(database)) as connection:
        connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO guest")
    reader = open_store(guests, create=False)
    assert len(view(reader, "runs")) == 2
    with pytest.raises(DseError, match="permission denied"):
        finish(reader, view(reader, "runs")["cell_id"].iloc[0], 0)
    with closing(connect(database)) as connection:
        connection.execute("DROP OWNED BY guest")
        connection.execute("DROP ROLE guest")


# Sweeps with made-up training


@pytest.fixture(scope="module")
def plan(tiny):
    return plan_of(tiny)


@pytest.fixture(scope="module")
def undisturbed(plan, tmp_path_factory):
    """What the sweep comes to on SQLite."""
    url = f"sqlite:///{tmp_path_factory.mktemp('undisturbed')}/dse.db"
    sweep(url, plan)
    return table(url), means_told(url, plan)


def test_a_sweep_and_its_trials(database, plan, undisturbed, workplace):
    assert sweep(database, plan) == 4
    assert_same(table(database), undisturbed[0])
    assert means_told(database, plan) == undisturbed[1]
    assert sweep(database, plan) == 0
    assert means_told(database, plan) == undisturbed[1]


@pytest.mark.parametrize("moment", [0, 2, 7])
def test_a_server_that_is_away_for_a_while(
    database, plan, undisturbed, workplace, postgresql, capsys, moment
):
    """Whether a run begins, an epoch is written, or a run and its trial's values."""
    timers = []

    def stop():
        postgresql.stop()
        timers.append(threading.Timer(0.7, postgresql.start))
        timers[0].start()

    assert sweep(database, plan, {moment: stop}) == 4
    timers[0].join()
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"dse: database {shown(database)}: ")
    assert line.endswith(WAITS)
    assert_same(table(database), undisturbed[0])
    assert means_told(database, plan) == undisturbed[1]


def test_a_server_that_restarts_again_and_again(
    database, plan, undisturbed, workplace, postgresql
):
    sweep(database, plan, dict.fromkeys(range(0, 16, 3), postgresql.restart))
    assert_same(table(database), undisturbed[0])
    assert means_told(database, plan) == undisturbed[1]


def test_a_server_that_stays_away(
    database, plan, undisturbed, workplace, postgresql, monkeypatch
):
    monkeypatch.setattr("dse.store.database.MOST_SECONDS_AWAY", 0.3)
    with pytest.raises(Unreachable, match=r"refused; check that the server runs"):
        sweep(database, plan, {9: postgresql.stop})
    postgresql.start()
    assert completed(database) == 2
    assert sweep(database, plan) == 2
    assert_same(table(database), undisturbed[0])


def test_several_begin_at_once_on_an_empty_database(database, tiny, workplace):
    """Networks that they share are entered once, and nobody is turned away."""
    plans = [plan_of(tiny, f"fig{n}", Recipe(2, 0.1 + n)) for n in range(4)]
    together = threading.Barrier(len(plans))
    errors = []

    def begin(plan):
        try:
            together.wait()
            store = open_store(database)
            together.wait()
            register_study(store, plan.study)
            register_points(store, plan.study.name, plan.points)
        except BaseException as error:  # noqa: BLE001
            errors.append(error)

    threads = [threading.Thread(target=begin, args=[plan]) for plan in plans]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    cells = view(open_store(database), "cells")
    assert len(cells) == 8
    assert len(set(cells["arch_id"])) == 2


def test_another_writer_is_waited_for(
    database, plan, undisturbed, workplace, monkeypatch, capsys
):
    monkeypatch.setattr("dse.store.transactions.MOST_MILLISECONDS_LOCKED", "100")
    with ExitStack() as writing:

        def write():
            writing.enter_context(open_store(database).writing())
            timers.append(threading.Timer(0.5, writing.close))
            timers[0].start()

        timers = []
        assert sweep(database, plan, {9: write}) == 4
    [line] = capsys.readouterr().err.splitlines()
    assert "due to lock timeout; another process holds it" in line
    assert line.endswith(WAITS)
    assert_same(table(database), undisturbed[0])


def test_alone_is_one_at_a_time(database, workplace):
    store, order = open_store(database), []

    def stay(name):
        with store.alone():
            order.append(name)
            time.sleep(0.2)
            order.append(name)

    threads = [threading.Thread(target=stay, args=[name]) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert "".join(order) in ("aabb", "bbaa")


# The lock


def refused(url, trained):
    """What a sweep of the same is told; None where it may go on."""
    store = open_store(url)
    try:
        with store.sweeping(trained):
            return None
    except DseError as error:
        return str(error)
    finally:
        store.engine.dispose()


ME = f"{getpass.getuser()}@{socket.gethostname()}"


def test_the_same_is_trained_once_at_a_time(database, postgresql):
    with open_store(database).sweeping(["digits", "shoes"]) as held:
        for same in (["digits"], ["hats", "shoes"]):
            assert refused(database, same) == (
                f"another sweep ({ME}, process {os.getpid()}) trains the same in "
                f"{shown(database)}; wait for its end, or take another --storage"
            )
        assert refused(database, ["hats"]) is None
        # What the refused one had got of it, it has given back.
        assert refused(database, ["hats", "coats"]) is None
        assert held.patiently(lambda: 5) == 5
    assert refused(database, ["shoes", "digits"]) is None


def test_databases_of_one_server_have_locks_of_their_own(database, postgresql):
    with closing(postgresql.connect()) as connection:
        connection.execute("CREATE DATABASE besides")
    try:
        with open_store(database).sweeping(["digits"]):
            assert refused(postgresql.url("besides"), ["digits"]) is None
    finally:
        with closing(postgresql.connect()) as connection:
            connection.execute("DROP DATABASE besides WITH (FORCE)")


def test_a_name_too_long_for_a_session_keeps_the_process(database, monkeypatch):
    monkeypatch.setattr(socket, "gethostname", lambda: "é" + 80 * "x")
    monkeypatch.setattr(getpass, "getuser", no_name)
    with open_store(database).sweeping(["digits"]):
        said = refused(database, ["digits"])
    assert f"({os.getuid()}@?xxx" in said
    assert f", process {os.getpid()}) trains" in said


def no_name():
    raise KeyError("getpwuid(): uid not found: 4711")


def test_the_lock_is_taken_again_after_a_restart(database, postgresql):
    """Also where the sweep never noticed that the server was away."""
    with open_store(database).sweeping(["digits"]) as held:
        for _ in range(2):
            postgresql.restart()
            held.patiently(lambda: None)
            assert refused(database, ["digits"]) is not None


def test_one_that_took_the_lock_meanwhile_keeps_it(database, postgresql):
    with open_store(database).sweeping(["digits"]) as first:
        postgresql.restart()
        with open_store(database).sweeping(["digits"]) as second:
            with pytest.raises(DseError, match=r"another sweep \(.*\) trains the same"):
                first.patiently(lambda: pytest.fail("it wrote without the lock"))
            second.patiently(lambda: None)
        # And it may go on when the other has ended.
        first.patiently(lambda: None)
        assert refused(database, ["digits"]) is not None


class Wire:
    """What is between a client and the server, and can be cut."""

    def __init__(self, port):
        self._port, self._pairs = port, []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._port))
                self._pairs.append((client, server))
                for pair in ((client, server), (server, client)):
                    threading.Thread(target=self._carry, args=pair, daemon=True).start()

    @staticmethod
    def _carry(source, target):
        with suppress(OSError):
            while data := source.recv(2**16):
                target.sendall(data)

    def cut(self):
        """End the client's side; the server hears nothing of it."""
        for client, _ in self._pairs:
            with suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)

    def close(self):
        self._listener.close()
        for pair in self._pairs:
            for end in pair:
                end.close()


def test_a_network_that_was_cut_does_not_lock_a_sweep_out(database, postgresql):
    """The server still holds the lock for the session that the sweep has lost."""
    with closing(Wire(postgresql.port)) as wire:
        by_wire = database.replace(f":{postgresql.port}/", f":{wire.port}/")
        with open_store(by_wire).sweeping(["digits"]) as held:
            wire.cut()
            assert refused(database, ["digits"]) is not None
            held.patiently(lambda: None)
            assert refused(database, ["digits"]) is not None


def test_the_server_notices_when_the_machine_that_holds_a_lock_is_gone(database):
    with open_store(database).sweeping(["digits"]) as held:
        settings = held.lock._connection.exec_driver_sql(
            "SELECT current_setting('tcp_keepalives_idle')::int"
        )
        assert settings.scalar() == 60


# URLs that lead nowhere


def bad_urls(server):
    """With a part of what is said of each."""
    return {
        server.url(password="secret"): f'user "{server.user}"; check the user and the',
        server.url(user="nemo", password="secret"): 'for user "nemo"; check the user',
        server.url().replace(f":{server.password}", ""): "no password supplied; give",
        server.url("nothing"): 'database "nothing" does not exist; create it, or name',
        "postgresql://me:secret@127.0.0.1:1/runs": (
            "Connection refused; check that the server runs and that host and port are"
        ),
        "postgresql://me:secret@nowhere.invalid/runs": "check the host's name",
        "postgresql://me:secret@/runs?host=/nowhere": "where its socket is",
        "postgresql://127.0.0.1:1/runs?user=me&password=secret": "refused",
        "postgresql//me:secret@host/runs": "is no database URL; expected one like",
        "postgresql://me:secret@host:port/runs": "is no database URL; expected",
        f"postgresql://me:secret@{80 * 'x'}/runs": "is no database URL; expected",
        "postgresql://me:half@secret@host/runs": "write one of a password as %40",
        "postgresql://me:a@secret:b@host:1/runs": "is no database URL; expected",
        "postgresql+nodriver://me:secret@host/runs": "needs a driver that is not",
        "firebird+fdb://me:secret@host/runs": "needs a driver that is not installed",
    }


def test_urls_that_lead_nowhere(postgresql, small_experiment, capfd):
    for number, (url, reason) in enumerate(bad_urls(postgresql).items()):
        words = ["sweep", "small.py"] if number in (0, 8) else ["status"]
        with pytest.raises(SystemExit) as end:
            main([*words, "--storage", url])
        assert end.value.code == 1
        out, err = capfd.readouterr()
        assert out in ("", f"{READ}\n")
        assert (err.count("\n"), err[:5]) == (1, "dse: ")
        assert reason in err
        assert "secret" not in err
        assert postgresql.password not in err
    files = [file for file in small_experiment.parent.rglob("*") if file.is_file()]
    assert files == [small_experiment]


def test_no_traceback_shows_a_password(postgresql, workplace):
    """Of a script that does not catch the error, cause and all."""
    program = "import os, dse; dse.load_runs(storage=os.environ['URL'])"
    for url in (
        postgresql.url(password="secret"),
        "postgresql://me:secret@host:port/runs",
    ):
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "URL": url},
            capture_output=True,
            text=True,
        )
        assert "dse.errors.DseError: " in done.stderr
        assert "secret" not in done.stdout + done.stderr


def test_a_store_is_printed_without_its_password(database, postgresql):
    assert postgresql.password in database
    assert postgresql.password not in repr(open_store(database))


# The command line


TIMES = ["train_seconds", "step_seconds", "compile_seconds", "created_at", "tries"]


def run(*words, folder):
    return subprocess.run(
        [*DSE, *map(str, words)], cwd=folder, capture_output=True, text=True
    )


def begin(*words, folder):
    return subprocess.Popen(
        [*DSE, *map(str, words)],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def trained(url):
    """Runs and epochs, less what a clock or the order of events decides."""
    store = open_store(url, create=False)
    runs = view(store, "runs").drop(columns=[*TIMES, "run_id"])
    epochs = view(store, "epochs").drop(columns=["run_id", "images_per_second"])
    order = ["cell_id", "replicate"]
    return [
        runs.sort_values(order).reset_index(drop=True),
        epochs.sort_values([*order, "epoch"]).reset_index(drop=True),
    ]


def wait_until(condition, seconds=60):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.1)


def counts(url, query):
    """Whether a count is positive; not where there is no such table yet."""
    try:
        return value(url, query) > 0
    except psycopg.Error:
        return False


@pytest.fixture(scope="module")
def on_sqlite(tmp_path_factory, tiny_folder):
    """The small experiment's rows as SQLite has them."""
    folder = tmp_path_factory.mktemp("on_sqlite")
    text = SMALL_EXPERIMENT.replace("DATASET", str(tiny_folder))
    (folder / "small.py").write_text(text)
    done = run("reproduce", "small.py", folder=folder)
    assert done.returncode == 0, done.stderr
    return trained(f"sqlite:///{folder}/results/dse.db")


RUNNING = "SELECT COUNT(*) FROM dse_runs WHERE status = 'running'"


@pytest.mark.slow
def test_a_server_that_restarts_twice_amid_a_sweep(
    database, small_experiment, on_sqlite, postgresql
):
    words = ["reproduce", "small.py", "--storage", database]
    folder = small_experiment.parent
    process = begin(*words, folder=folder)
    wait_until(lambda: counts(database, RUNNING))
    postgresql.stop()
    time.sleep(1.5)
    postgresql.start()
    said = [process.stdout.readline() for _ in range(4)]
    assert said[3].startswith("1 of 4 done · run ")
    postgresql.stop()
    time.sleep(1)
    postgresql.start()
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    others = [line for line in errors.splitlines() if not line.endswith(WAITS)]
    assert others == []
    assert_same(trained(database), on_sqlite)
    [report] = folder.glob("results/*.files/small/stripes-quick")
    assert len(pd.read_csv(report / "runs.csv")) == 4
    password = postgresql.password.encode()
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert not [file for file in files if password in file.read_bytes()]


OF_LOCKS = "FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1"
LOCKS, HOLDER = f"SELECT COUNT(*) {OF_LOCKS}", f"SELECT MAX(pid) {OF_LOCKS}"


@pytest.mark.slow
def test_two_drivers_at_once(database, small_experiment, postgresql, capfd):
    folder = small_experiment.parent
    text = small_experiment.read_text()
    small_experiment.write_text(text.replace("epochs=4", "epochs=4000"))
    (folder / "other.py").write_text(text.replace("epochs=4", "epochs=3000"))
    same = ["sweep", "small.py", "--storage", database]
    other = ["sweep", "other.py", "--storage", database]

    def assert_refused():
        with pytest.raises(SystemExit) as end:
            main(same)
        assert first.poll() is None, "it waited for the other's end"
        assert end.value.code == 1
        assert capfd.readouterr() == (
            f"{READ}\n",
            f"dse: another sweep ({ME}, process {first.pid}) trains the same in "
            f"{shown(database)}; wait for its end, or take another --storage\n",
        )

    first = begin(*same, "--workers", 1, folder=folder)
    try:
        wait_until(lambda: counts(database, RUNNING))
        assert_refused()
        second = begin(*other, "--workers", 1, folder=folder)
        try:
            of_other = "SELECT COUNT(*) FROM epochs WHERE study LIKE 'other/%'"
            wait_until(lambda: counts(database, of_other))
        finally:
            second.send_signal(signal.SIGINT)
            out, err = second.communicate(timeout=30)
        assert second.returncode == 130
        assert err == (
            "dse: interrupted; what is finished is kept, go on with: dse sweep "
            f"other.py --storage '{shown(database)}' --workers 1\n"
        )
        assert postgresql.password not in out
        before = value(database, HOLDER)
        postgresql.restart()
        # The lock goes with its connection, and is taken again by a new one.
        wait_until(lambda: value(database, HOLDER) not in (None, before), seconds=20)
        assert_refused()
    finally:
        first.kill()
        first.communicate()
    wait_until(lambda: value(database, LOCKS) == 0, seconds=5)
