"""What stored results know stays: identities, costs, and a database of schema 3."""

import json
import sqlite3
import zipfile
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
import pytest
from make_golden import cells, rows

import dse
from dse.arch.cost import cost
from dse.families.squeezenet import SqueezeNet
from dse.runs.cell import Cell
from dse.runs.recipe import Recipe
from dse.store.database import open_store
from dse.store.query import view
from dse.store.run_states import StoredPoint
from dse.store.transfer import export_studies, import_file
from dse.study.loading import load_experiment

HERE = Path(__file__).parent
REFERENCE = HERE.parents[1] / "results" / "reference"
SHAPES = {
    "cifar10": (32, 32, 3),
    "fashion_mnist": (28, 28, 1),
    "fashion_mnist_small": (28, 28, 1),
}
NEVER_WRITTEN = {"parent_run"}
"""Columns of schema 3 that are gone: nobody wrote them, so they were empty."""


def golden(name):
    return json.loads((HERE / f"{name}.json").read_text())


def test_networks_keep_their_identities_and_costs():
    told = golden("networks")
    assert len(told) == 200
    assert len({network["id"] for network in told}) > 190
    for network in told:
        point = SqueezeNet.of(network["metaparameters"])
        made = point.architecture(tuple(network["input"]), network["classes"])
        costs = cost(made)
        assert network == {
            **network,
            "id": made.id,
            "params": costs.params,
            "macs": costs.macs,
            "activations": costs.activations,
            "peak_activations": costs.peak_activations,
        }


def test_shipped_experiments_keep_their_cells():
    found, expected = cells(), golden("cells")
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize(
    "folder", sorted(REFERENCE.glob("*/*/")), ids=lambda x: "/".join(x.parts[-2:])
)
def test_cells_of_the_reference_results_are_made_again(folder):
    config = json.loads((folder / "config.json").read_text())
    runs = pd.read_parquet(folder / "runs.parquet")
    if set(runs["family"]) != {"squeezenet"}:
        return _check_listed(folder, config, runs)
    # What the family got later is not in older tables.
    names = [name for name in SqueezeNet.fields if name in runs]
    runs = runs.drop_duplicates(["study", "cell_id", *names])
    studies = config["studies"]
    assert len(runs) > 0
    for run in runs.to_dict("records"):
        point = SqueezeNet.of({name: run[name] for name in names})
        network = point.architecture(SHAPES[config["dataset"]], 10)
        recipe = Recipe.of(studies[run["study"]]["recipe"])
        fingerprint = config["dataset_fingerprint"]
        cell = Cell(network, recipe, config["dataset"], fingerprint, ())
        assert (network.id, cell.id) == (run["arch_id"], run["cell_id"])


def _check_listed(folder, config, runs):
    """Compare the cells with those of the experiment, which lists networks."""
    _, experiment = load_experiment(folder.parent.name)
    [[name, study]] = config["studies"].items()
    recipe, shape = Recipe.of(study["recipe"]), SHAPES[config["dataset"]]
    fingerprint = config["dataset_fingerprint"]
    preset = experiment.preset(config["preset"])
    cells = {
        Cell(point.network(shape, 10), recipe, config["dataset"], fingerprint, ()).id
        for point in experiment.scaled(preset.width).values()
    }
    assert set(runs["cell_id"]) == cells
    assert name == f"{folder.parent.name}/{folder.name}"


@pytest.fixture
def kept(workplace):
    """The database of schema 3 with all that is beside it, in the working folder."""
    with zipfile.ZipFile(HERE / "schema3.zip") as archive:
        archive.extractall(workplace)
    return open_store("sqlite:///results/dse.db")


def test_a_database_of_schema_3_says_what_it_said(kept):
    before, now = golden("rows"), rows(kept)
    for name in ("runs", "cells", "epochs", "weights"):
        assert len(before[name]) == len(now[name])
        for then, row in zip(before[name], now[name], strict=True):
            gone = {key for key in then if key not in row}
            assert gone <= NEVER_WRITTEN
            assert {key: row.get(key) for key in then} == then
    statuses = [run["status"] for run in before["runs"]]
    assert (statuses.count("complete"), statuses.count("failed")) == (5, 3)
    reasons = {run["reason"] for run in before["runs"]}
    assert reasons == {None, "untrained", "diverged"}


def tables(file):
    """By table its rows, each by column, in the order that they were entered."""
    connection = sqlite3.connect(file)
    connection.row_factory = sqlite3.Row
    named = "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'dse_%'"
    told = {}
    for [name] in connection.execute(named).fetchall():
        rows = connection.execute(f"SELECT * FROM {name} ORDER BY rowid")
        told[name] = [dict(row) for row in rows]
    connection.close()
    return told


def test_no_row_of_schema_3_is_lost_or_changed(kept):
    before, now = tables("results/dse.db.schema3"), tables("results/dse.db")
    assert before.pop("dse_schema") == [{"version": 3}]
    assert now.pop("dse_schema") == [{"version": 5}]
    points, are = before.pop("dse_study_cells"), now.pop("dse_study_cells")
    [family] = now.pop("dse_families")
    assert (family["name"], list(json.loads(family["fields"]))) == (
        "squeezenet",
        list(SqueezeNet.fields),
    )
    gone = {
        "dse_architectures": {"family", "metaparameters"},
        "dse_runs": {"parent_run"},
    }
    come = {"dse_cells": {"stages": "[]"}, "dse_runs": {"bytes": None}}
    assert set(before) == set(now)
    for name, rows_then in before.items():
        assert rows_then
        without = gone.get(name, set())
        assert now[name] == [
            {column: x for column, x in row.items() if column not in without}
            | come.get(name, {})
            for row in rows_then
        ]
    assert len(points) == len(are) == 6
    keys = ("study", "position", "cell_id")
    assert sorted([x[key] for key in keys] for x in points) == sorted(
        [x[key] for key in keys] for x in are
    )
    of_cell = {(x["study"], x["cell_id"], x["position"]): x for x in points}
    for row in are:
        then = of_cell[row["study"], row["cell_id"], row["position"]]
        values = json.loads(row["metaparameters"])
        later = {name for name, field in SqueezeNet.fields.items() if field.later}
        named = [name for name in SqueezeNet.fields if name not in later]
        assert values == {name: then[name] for name in named}
        point = SqueezeNet.of(values)
        # As a sweep of today enters the same point: it must not be there twice.
        stored = StoredPoint("squeezenet", row["point"], values)
        assert stored.completed({"squeezenet": SqueezeNet()}) == StoredPoint.of(point)
        assert json.loads(row["derived"]) == point.derived()
        assert row["note"] == point.note()


def test_a_copy_of_schema_3_is_kept_once(kept, capsys):
    copy = Path("results/dse.db.schema3")
    with zipfile.ZipFile(HERE / "schema3.zip") as archive:
        original = archive.read("results/dse.db")
    (copy.parent / "original.db").write_bytes(original)
    assert tables(copy) == tables(copy.parent / "original.db")
    capsys.readouterr()
    open_store(kept.url)
    assert capsys.readouterr().err == ""
    assert sorted(Path("results").glob("dse.db.*")) == [copy]


def test_a_database_of_schema_3_answers_and_is_exported(kept, tmp_path):
    images = np.zeros((2, 28, 28, 1), np.uint8)
    for run in golden("rows")["weights"][:2]:
        answered = dse.load_model(run["run_id"]).probabilities(images)
        np.testing.assert_allclose(answered.sum(axis=1), 1, rtol=1e-5)
    assert export_studies(kept, tmp_path / "all.zip") == 8
    elsewhere = open_store(f"sqlite:///{tmp_path}/elsewhere.db")
    assert import_file(elsewhere, tmp_path / "all.zip") == 8


def test_a_search_of_schema_3_knows_its_trials(kept):
    names = optuna.study.get_all_study_names(kept.url)
    [search] = [name for name in names if name.startswith("search-")]
    trials = optuna.load_study(study_name=search, storage=kept.url).trials
    found = {tuple(t.values) for t in trials if t.state.name == "COMPLETE"}
    told = [run for run in golden("rows")["runs"] if run["study"] == search]
    assert found >= {(run["val_accuracy"], run["bytes_fp32"]) for run in told}
    budget = dse.Budget(max_bytes=60_000)
    dse.search(dse.Options(), budget=budget, trials=2, batch=2)
    assert len(view(kept, "runs")) == len(golden("rows")["runs"])


@pytest.mark.slow
def test_a_sweep_of_schema_3_goes_on_from_its_checkpoint(kept):
    # Its experiment as it was written then, but for a preset with its words.
    small = Path("small.py").read_text()
    positional, named = (
        "Preset(4, 2, Recipe(",
        "Preset(base_e=4, replicates=2, recipe=Recipe(",
    )
    assert positional in small
    Path("small.py").write_text(small.replace(positional, named))
    [checkpoints] = Path("results/checkpoints").iterdir()
    points = set(view(kept, "cells")[["study", "cell_id"]].itertuples(index=False))
    [again] = dse.sweep("small.py", dse.Options(seeds=3, executor="serial"))
    assert again.trained == 2
    log = Path("results/logs", f"{checkpoints.name}.log").read_text()
    assert log.count(", before") == 1
    assert log.count("epoch 2: ") == 1
    now = list(view(kept, "cells")[["study", "cell_id"]].itertuples(index=False))
    assert (len(now), set(now)) == (6, points)
