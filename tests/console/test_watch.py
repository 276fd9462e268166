"""What a person sees of studies: printed once, and again and again."""

import io
import json
import sqlite3
import subprocess
import sys
from contextlib import closing

import pandas as pd
import pytest
from filelock import FileLock
from rich.console import Console

from dse.console.live import SETTLING, watch
from dse.console.look import look, reading_store, sweep_holds
from dse.console.status import print_json, print_status
from dse.errors import DseError
from dse.families.nin import Nin
from dse.families.squeezenet import SqueezeNet
from dse.runs.events import Done, EpochEnded, Failed, Started
from dse.runs.paths import log_of
from dse.runs.recipe import Recipe
from dse.store.append import add_epoch, begin_run, complete_run, fail_run
from dse.store.database import open_store
from dse.store.enter import register_points, register_study
from dse.store.status import read_standing
from dse.study.plan import make_point, study_record

pytest_plugins = ["postgresql"]

RECIPE = Recipe(4, 0.05, batch_size=16)
SHARES = (0.25, 0.26, 0.75)
LONG = "XlaRuntimeError: RESOURCE_EXHAUSTED: " + "f32[64,224,224,96], " * 99


class Study:
    """Two networks of four base filters, three points; two replicates of each."""

    def __init__(self, store, dataset, experiment="fig", replicates=2):
        self.store = store
        record = study_record(experiment, "quick", dataset, RECIPE, replicates)
        points = [
            make_point(SqueezeNet(4, 4, pct_3x3=share), RECIPE, dataset)
            for share in SHARES
        ]
        register_study(store, record)
        register_points(store, record.name, points)
        self.name = record.name
        self.first, alias, self.second = [point.cell.id for point in points]
        assert alias == self.first

    def begin(self, cell_id, replicate, epochs=0):
        begin_run(self.store, Started(cell_id, replicate, "cpu"))
        for epoch in range(1, epochs + 1):
            self.train(cell_id, replicate, epoch)

    def train(self, cell_id, replicate, epoch):
        scores = {"loss": 0.5, "accuracy": 0.1 * epoch}
        metrics = {"train": scores, "validation": scores}
        add_epoch(self.store, EpochEnded(cell_id, replicate, epoch, metrics, 360, 0.36))

    def finish(self, cell_id, replicate):
        self.begin(cell_id, replicate, 4)
        scores = {"loss": 0.5, "accuracy": 0.75}
        metrics = {"train": scores, "validation": scores, "test": scores}
        done = Done(cell_id, replicate, metrics, 40.0, 2.0, 36.0, {})
        complete_run(self.store, done)

    def fail(self, cell_id, replicate, reason="memory", detail=LONG):
        self.begin(cell_id, replicate)
        fail_run(self.store, Failed(cell_id, replicate, reason, detail))


@pytest.fixture
def study(workplace, tiny):
    return Study(open_store("sqlite:///results/dse.db"), tiny)


@pytest.fixture
def sweep(study):
    """A driver of another process would hold this."""
    with FileLock("results/sweep.lock"):
        yield


def screen(width=80, *, terminal=False):
    return Console(
        file=io.StringIO(), width=width, height=24, record=True, force_terminal=terminal
    )


def printed(study, width=80, *, terminal=False):
    console = screen(width, terminal=terminal)
    print_status(study.store, study.name, console)
    return console.export_text()


def watched(study, *happenings, terminal=False):
    """What is shown until all of these have happened, one between two readings."""
    console, left = screen(terminal=terminal), list(happenings)

    def wait(seconds):
        assert seconds > 0
        if not left:
            raise KeyboardInterrupt
        left.pop(0)()

    watch(study.store, study.name, console, wait)
    assert not left
    return console.export_text()


def nothing():
    pass


def test_a_status_names_aliases_failures_and_the_time_left(study, sweep):
    study.finish(study.first, 0)
    study.fail(study.first, 1, "untrained", "train accuracy 0.26 is that of chance")
    study.begin(study.second, 0, 1)
    log = log_of(study.store.place.weights.parent, study.first, 1)
    log.parent.mkdir()
    log.write_text("all of it")
    lines = printed(study).splitlines()
    first, second = study.first, study.second
    assert lines[:4] == [
        "fig/tiny-quick",
        "cell_id           pct_3x3  complete  failed  running  missing  planned  "
        "same network as",
        f"{first}     0.25         1       1        0        0        2",
        f"{first}     0.26{'':47}pct_3x3 25 %",
    ]
    assert lines[4] == f"{second}     0.75         0       0        1        2        2"
    assert lines[6:9] == [
        f"untrained, 1 try: pct_3x3 25 %, replicate 1 ({first})",
        "    train accuracy 0.26 is that of chance",
        f"    results/logs/{first}-1.log",
    ]
    cells = read_standing(study.store).cells.drop_duplicates("cell_id")
    one, other = cells["macs"].tolist()
    # A run of the first took 40 s; of two of the second a quarter of one is done.
    seconds = 40 * 1.75 * other / one
    assert 60 < seconds < 120
    assert lines[-1] == (
        "1 of 4 runs complete, 1 failed (1 untrained), 2 missing (1 of them running); "
        f"1,000 images/s, 86 runs/h, about {seconds:.0f} s left"
    )


@pytest.mark.parametrize("width", [80, 160])
def test_a_long_detail_pushes_nothing_apart(study, sweep, width):
    study.fail(study.first, 0)
    study.begin(study.second, 0, 1)
    *_, shown = watched(study, nothing, terminal=True).split("fig/tiny-quick")
    assert max(map(len, shown.splitlines())) == 80
    assert "failed, memory  XlaRuntimeError: RESOURCE_EXHAUSTED:…" in shown
    lines = printed(study, width, terminal=True).splitlines()
    assert max(map(len, lines)) <= width
    table = [line for line in lines if study.first in line or study.second in line]
    assert len(table) == 4
    assert len([line for line in lines if "f32" in line]) == (4 if width == 80 else 2)
    # Who reads a pipe gets all of it, in one line.
    assert LONG.strip() in printed(study)


def test_a_narrow_terminal_is_told_which_columns_it_lacks(study, sweep):
    study.finish(study.first, 0)
    whole = printed(study, 200, terminal=True)
    assert "cell_id" in whole and "do not fit" not in whole
    narrow = printed(study, 44, terminal=True)
    said = " ".join(narrow.split())
    assert "of 8 columns do not fit here: cell_id, " in said
    assert "same network as" in said
    assert max(map(len, narrow.splitlines())) <= 44
    assert "do not fit" not in printed(study, 44)


@pytest.mark.parametrize("terminal", [False, True])
def test_no_word_of_a_run_steers_the_terminal(study, sweep, terminal):
    study.fail(study.first, 1, "error", "\x1b]0;title\x07 and\x9b2J \u202eand")
    told = printed(study, 120, terminal=terminal)
    assert r"\x1b]0;title\x07 and\x9b2J \u202eand" in told
    assert not set(told) & set("\x07\x9b\u202e")
    live = watched(study, nothing, terminal=terminal)
    assert r"\x1b]0;title\x07" in live
    assert not set(live) & set("\x07\x9b\u202e")


def test_json_has_the_cells_with_their_aliases(study, capsys):
    study.begin(study.second, 0)
    print_json(study.store, study.name)
    rows = json.loads(capsys.readouterr().out)
    assert [row["alias_of"] for row in rows] == [None, "pct_3x3 25 %", None]
    assert [row["running"] for row in rows] == [0, 0, 1]
    assert [row["missing"] for row in rows] == [2, 2, 2]
    assert rows[0]["cell_id"] == rows[1]["cell_id"] == study.first
    assert "label" not in rows[0]


def of_two_families(dataset):
    """A database with a study of three points, and the last one's cell."""
    store = open_store("sqlite:///results/dse.db")
    record = study_record("both", "quick", dataset, RECIPE, 1)
    points = [SqueezeNet(4, 4), SqueezeNet(4, 4, sr=0.5), Nin(width=0.125)]
    made = [make_point(point, RECIPE, dataset) for point in points]
    register_study(store, record)
    register_points(store, record.name, made)
    return store, made[-1].cell.id


def test_a_study_of_two_families_names_them(workplace, tiny):
    store, last = of_two_families(tiny)
    begin_run(store, Started(last, 0, "cpu"))
    fail_run(store, Failed(last, 0, "memory", ""))
    console = screen(200)
    print_status(store, None, console)
    shown = console.export_text()
    _, heading, *lines = shown.splitlines()
    names = heading.split()
    assert names[:2] == ["cell_id", "family"]
    assert {"sr", "base_e", "width", "head"} < set(names)
    assert lines[0].split()[1:3] == ["squeezenet", "4"]
    # What a family has not is left blank.
    told = lines[2].split()
    assert told == [last, "nin", "0.125", "average", "max", *"01001"]
    assert "memory, 1 try: nin, replicate 0" in shown


def test_json_tells_the_family_of_a_row_where_there_are_two(workplace, tiny, capsys):
    store, _ = of_two_families(tiny)
    print_json(store)
    rows = json.loads(capsys.readouterr().out)
    assert [row["family"] for row in rows] == ["squeezenet", "squeezenet", "nin"]
    assert (rows[2]["sr"], rows[0]["width"]) == (None, None)


def test_what_is_not_there(study, workplace):
    empty = open_store("sqlite:///empty/dse.db")
    for show in (print_status, print_json, watch):
        with pytest.raises(DseError, match=r"no study 'x'; expected fig/tiny-quick$"):
            show(study.store, "x")
        with pytest.raises(DseError, match="holds no study yet; run a sweep first"):
            show(empty)


def test_a_status_needs_no_jax(study):
    script = (
        "import sys; from dse.cli import main; main(['status']); print(sorted("
        "{'jax', 'flax', 'optuna', 'matplotlib', 'scipy', 'orbax'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert "0 of 4 runs complete, 4 missing; nothing is under way" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


def test_every_change_is_told_until_nothing_is_missing(study):
    study.fail(study.first, 0)
    study.finish(study.first, 1)
    last = study.second
    with FileLock("results/sweep.lock") as lock:
        shown = watched(
            study,
            lambda: study.begin(last, 0),
            nothing,
            lambda: study.train(last, 0, 1),
            lambda: study.finish(last, 0),
            lambda: (study.finish(last, 1), lock.release()),
        )
    blocks = [block.splitlines() for block in shown.strip().split("\n\n")]
    told = "fig/tiny-quick: {} of 4 runs complete, 1 failed (1 memory)"
    assert [block[0] for block in blocks] == [
        f"{told.format(1)}, 2 missing",
        f"{told.format(1)}, 2 missing (1 of them running)",
        f"{told.format(1)}, 2 missing (1 of them running)",
        f"{told.format(2)}, 1 missing",
        told.format(3),
    ]
    assert blocks[0][1] == "nothing is under way"
    assert blocks[1][2] == "  pct_3x3 75 %  replicate 0  epoch 0 of 4"
    assert blocks[2][2].endswith("replicate 0  epoch 1 of 4  10.0%  1,000 images/s")
    assert blocks[2][3].startswith("  pct_3x3 25 %  replicate 0  failed, memory  Xla")
    assert blocks[4][1] == "nothing is missing"


def test_the_live_view_is_drawn_anew_and_left_with_ctrl_c(study, sweep):
    study.finish(study.first, 0)
    study.begin(study.second, 1, 2)
    shown = watched(
        study, nothing, lambda: study.train(study.second, 1, 3), terminal=True
    )
    *_, last = shown.split("fig/tiny-quick")
    bar, counted, pace, _, running, *rest = last.splitlines()
    assert bar.split() == ["━" * 6 + "╺" + "━" * 17, "1/4"]
    assert counted == "1 of 4 runs complete, 3 missing (1 of them running)"
    assert pace.startswith("1,000 images/s, 86 runs/h, about ")
    assert running.split("  ") == [
        "pct_3x3 75 %",
        "replicate 1",
        "epoch 3 of 4",
        "30.0%",
        "1,000 images/s",
    ]
    assert not any(rest)


def test_a_sweep_that_died_is_said_to_have(study):
    study.begin(study.second, 0, 1)
    lock = FileLock("results/sweep.lock")
    lock.acquire()
    shown = watched(study, nothing, lock.release, lock.acquire)
    paces = [block.splitlines()[1] for block in shown.strip().split("\n\n")]
    dead = (
        "the sweep seems not to run any more: 1 run is marked as running that nothing "
        "trains (the same command again goes on)"
    )
    assert paces == [alive := "1,000 images/s, time left unknown yet", dead, alive]
    lock.release()
    assert dead in printed(study)


def test_a_search_or_a_second_try_may_still_follow(study, sweep):
    study.fail(study.first, 0, "lost", "")
    for cell_id, replicate in ((study.first, 1), (study.second, 0), (study.second, 1)):
        study.finish(cell_id, replicate)
    again = [nothing] * (SETTLING - 2) + [lambda: study.begin(study.first, 0)]
    shown = watched(study, *again, lambda: study.finish(study.first, 0), *again[1:])
    assert "3 of 4 runs complete, 1 missing (1 of them running)" in shown
    assert "4 of 4 runs complete" in shown


def test_a_search_that_has_ended_says_so(workplace, tiny):
    store = open_store("sqlite:///results/dse.db")
    search = Study(store, tiny, "search-tpe-narrow", 1)
    search.finish(search.first, 0)
    assert printed(search).splitlines()[-1] == (
        "1 of 2 runs complete; the search has ended; networks that were not begun: 1 "
        "(the same command trains them, with more time or trials where it had used up "
        "its own)"
    )
    # The live view does not wait for it.
    assert "the search has ended" in watched(search)
    study = Study(store, tiny)
    console = screen()
    print_status(store, None, console)
    last = console.export_text().splitlines()[-1]
    assert last.endswith("that a search did not begin, among the missing: 1")
    with FileLock("results/sweep.lock"):
        assert "1 of 2 runs complete, 1 missing; nothing is under way" in printed(
            search
        )
    assert "3 of 4 runs" not in printed(study)


def test_a_database_that_is_away_for_a_moment_is_waited_for(study):
    study.begin(study.first, 0)
    other = sqlite3.connect("results/dse.db", isolation_level=None)

    def release():
        other.execute("COMMIT")
        study.finish(study.first, 0)

    with closing(other):
        shown = watched(
            study, lambda: other.execute("BEGIN EXCLUSIVE"), nothing, release, nothing
        )
    assert shown.count("is locked") == 1
    assert "waiting for it" in shown
    assert "1 of 4 runs complete" in shown


def test_watching_writes_nothing_and_hinders_no_sweep(study, workplace):
    study.begin(study.second, 0, 1)
    before = (workplace / "results/dse.db").read_bytes()
    watched(study, nothing)
    assert (workplace / "results/dse.db").read_bytes() == before
    assert [file.name for file in (workplace / "results").iterdir()] == ["dse.db"]
    reader = reading_store(study.store)
    with pytest.raises(DseError, match="readonly"):
        begin_run(reader, Started(study.first, 0, "cpu"))
    with FileLock("results/sweep.lock", timeout=0):
        assert sweep_holds(study.store)
        assert not look(reader)[1].stalled
    assert sweep_holds(study.store) is False
    with FileLock("results/sweep.lock", timeout=0):
        pass


def test_postgresql_tells_the_same(study, database, tiny):
    there = Study(open_store(database), tiny)
    for place in (study, there):
        place.finish(place.first, 0)
        place.fail(place.first, 1)
        place.begin(place.second, 0, 2)
    here, read = (read_standing(place.store) for place in (study, there))
    pd.testing.assert_frame_equal(here.cells, read.cells)
    pd.testing.assert_frame_equal(
        here.open_runs.drop(columns="created_at"),
        read.open_runs.drop(columns="created_at"),
    )
    assert sweep_holds(there.store) is None
    assert "1,000 images/s, 86 runs/h, about " in printed(there)
