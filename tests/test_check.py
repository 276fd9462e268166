"""`dse check` on runs whose accuracies are made up."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from samples import write_image_folder
from sqlalchemy import select, update

import dse
from dse.console.tables import print_claims
from dse.data.load import load
from dse.errors import DseError
from dse.runs.events import Done, Failed, Started
from dse.store.append import begin_run, complete_run, fail_run
from dse.store.database import open_store
from dse.store.enter import register_points, register_study
from dse.store.schema import studies
from dse.study.loading import load_experiment
from dse.study.plan import make_plans

NARROW = Console(force_terminal=True, width=80, color_system=None)
ACCURACIES = {0.125: 0.70, 0.25: 0.74, 0.5: 0.78, 0.75: 0.80, 1.0: 0.804}


@pytest.fixture
def storage(tiny, workplace):
    """A database in which Figure 3(a) was swept, two replicates of each cell."""
    write_image_folder(workplace / "mine/train", tiny.train)
    write_image_folder(workplace / "mine/test", tiny.test)
    url = f"sqlite:///{workplace}/runs.db"
    store = open_store(url)
    name, experiment = load_experiment("fig3a")
    [plan] = make_plans(name, experiment, "quick", load("mine"))
    register_study(store, plan.study)
    register_points(store, plan.study.name, plan.points, only=True)
    generator = np.random.default_rng(0)
    for point in plan.points:
        for replicate in (0, 1):
            mean = ACCURACIES[point.metaparameters.sr] + 0.01 * replicate
            scored = {"loss": 1.0, "accuracy": mean + generator.normal(0, 0.001)}
            done = Done(
                point.cell.id,
                replicate,
                metrics=dict.fromkeys(("train", "validation", "test"), scored),
                train_seconds=1.0,
                compile_seconds=1.0,
                step_seconds=1.0,
                weights={},
            )
            begin_run(store, Started(point.cell.id, replicate, "cpu"))
            complete_run(store, done)
    return url


def check(*words):
    command = [sys.executable, "-m", "dse.cli", "check", *words]
    return subprocess.run(command, capture_output=True, text=True)


def test_the_verdicts_of_figure_3a(storage):
    told = check("fig3a", "--dataset", "mine", "--storage", storage)
    assert told.returncode == 0, told.stderr
    lines = told.stdout.splitlines()
    assert lines[0] == "fig3a/mine-quick:"
    verdicts = [line.split()[0] for line in lines[2:6]]
    assert verdicts == ["PASS", "PASS", "PASS", "SLIP"]
    assert "5 of 5 sizes" in lines[2]
    assert "0.125 to 0.75: +10." in lines[3]
    assert "0.75 to 1.0: +0." in lines[4]
    assert lines[6].startswith("measured as top-1 on mine, base_e = incr_e = 16, ")
    [claims] = dse.check(["fig3a"], dse.Options(dataset="mine", storage=storage))
    assert isinstance(claims.table, pd.DataFrame)
    assert claims.table["estimate"][1] == pytest.approx(0.10, abs=0.005)
    assert claims.table["low"][1] > 0.05


def test_what_is_missing_is_named(storage):
    store = open_store(storage)
    _, experiment = load_experiment("fig3a")
    [plan] = make_plans("fig3a", experiment, "quick", load("mine"))
    lost = plan.points[3].cell.id
    for replicate in (0, 1):
        fail_run(store, Failed(lost, replicate, "lost", "gone"))
    told = check("fig3a", "--dataset", "mine", "--storage", storage)
    assert told.returncode == 1
    assert "fig3a/mine-quick: no run of sr 0.75 is complete" in told.stderr
    with pytest.raises(DseError, match="table1 makes no claims"):
        dse.check(["table1"], dse.Options(dataset="mine", storage=storage))
    with pytest.raises(DseError, match="there is no study 'fig3b/mine-quick'"):
        dse.check(["fig3b"], dse.Options(dataset="mine", storage=storage))


def test_verdicts_are_whole_on_a_narrow_terminal(storage, monkeypatch):
    monkeypatch.setattr("dse.console.tables.open_console", lambda: NARROW)
    [claims] = dse.check(["fig3a"], dse.Options(dataset="mine", storage=storage))
    with NARROW.capture() as captured:
        print_claims(claims)
    text = captured.get()
    assert max(map(len, text.splitlines())) <= 80
    verdicts = [line.split()[0] for line in text.splitlines() if line[:1] != " "]
    assert verdicts == ["claims", "PASS", "PASS", "PASS", "SLIP"]
    assert "\u2026" not in text


def test_another_recipe_than_the_runs_have_is_refused(storage, workplace):
    store = open_store(storage)
    with store.writing() as connection:
        recipe = connection.execute(select(studies.c.recipe)).scalar_one()
        changed = {**recipe, "epochs": 77}
        connection.execute(update(studies).values(recipe=changed))
    told = check("fig3a", "--dataset", "mine", "--storage", storage)
    assert told.returncode == 1
    assert "begun with another recipe (epochs 77 there, " in told.stderr
