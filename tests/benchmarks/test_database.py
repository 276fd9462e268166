"""The benchmark of the database, on a small one."""

import json
import sys
from pathlib import Path

import pytest

import dse
from dse.console.look import look
from dse.store.database import open_store
from dse.store.query import view

FOLDER = Path(dse.__file__).parents[1] / "experiments" / "benchmarks"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="not a checkout")


@pytest.fixture(autouse=True)
def among_the_benchmarks(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))


def test_a_made_up_database_is_like_a_real_one(tmp_path):
    from made_up import LARGE, Sizes, fill

    store = open_store(f"sqlite:///{tmp_path}/full.db")
    fill(store, Sizes(studies=3, cells=20, replicates=2, epochs=2))
    runs = view(store, "runs", "study001/pretended-quick")
    assert len(runs) == 40
    assert runs["cell_id"].nunique() == runs["arch_id"].nunique() == 20
    # Every fiftieth run has failed, and the last cell of the first study goes on.
    state = look(store)[1]
    assert sum(counts.planned for counts in state.studies.values()) == 2 * 120
    assert (state.total.planned, state.total.failed, state.total.running) == (120, 3, 2)
    assert state.studies[LARGE] == state.total
    assert [(run.epoch, run.epochs) for run in state.under_way] == [(2, 2), (2, 2)]
    # Each run's metrics: two epochs.
    assert len(view(store, "epochs", "study002/pretended-quick")) == 2 * 40


def test_what_is_asked_is_timed_and_written(tmp_path, monkeypatch, capsys):
    from database import main

    file = tmp_path / "results" / "database.json"
    small = ["--studies=2", "--cells=3", "--epochs=1", "--rounds=2"]
    monkeypatch.setattr(sys, "argv", ["database.py", *small, f"--output={file}"])
    main()
    told = json.loads(file.read_text())
    assert told["machine"]["cores"]
    assert told["sizes"]["cells"] == 3
    asked = told["seconds"]
    assert "dse status of 6 runs" in asked
    assert "a reading of --live of 12 runs" in asked
    assert "run_states of 500 cells" in asked
    for answer in asked.values():
        assert 0 < answer["median"] <= answer["slowest"]
    assert "12 runs" in capsys.readouterr().out
