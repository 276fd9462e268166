"""Searches of networks that are compressed, under a budget of measured bytes."""

import hashlib
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from dse.errors import DseError
from dse.families.squeezenet import SqueezeNet
from dse.report.search import report_search
from dse.runs.events import Done, EpochEnded, Started
from dse.runs.recipe import Recipe
from dse.runs.staged import Staged
from dse.runs.stages import Code, Prune, Quantise
from dse.spaces.budget import Budget
from dse.spaces.space import Space
from dse.store.database import open_store
from dse.store.query import view
from dse.study.optuna_study import open_study
from dse.study.plan import study_record
from dse.study.product import Product
from dse.study.search import Search, run_search
from dse.study.settings import experiment_of, space_of
from dse.study.staged_space import StagedSpace, staged
from dse.study.tries import Tries

NETWORKS = Space(SqueezeNet(4, 4), {"sr": (0.25, 0.5)})
SETTINGS = {"density": (0.3, 0.6), "bits": (4, 6), "prune_epochs": 1}
WEIGHTS = {"conv1": {"bias": np.zeros(1, np.float32)}}


class Executor:
    """Trains at once; files have 1,000 bytes a bit, accuracies are the cell's own."""

    workers = 1

    def __init__(self, ends_after=None):
        self.left, self.begun = ends_after, []

    def run(self, queue):
        while (job := queue.take()) is not None:
            if self.left == 0:
                raise KeyboardInterrupt
            self.left = None if self.left is None else self.left - 1
            cell = job.cell
            if cell.stages:
                assert set(job.parents) == {0}
            self.begun.append(len(cell.stages))
            bits = [x.bits for x in cell.stages if isinstance(x, Quantise)]
            size = 1_000 * bits[0] if bits else 9_000
            digest = hashlib.sha256(cell.id.encode()).digest()
            scores = {"loss": 1.0, "accuracy": digest[0] / 255}
            metrics = {"train": scores, "validation": scores}
            yield Started(cell.id, 0, "cpu")
            yield EpochEnded(cell.id, 0, 1, metrics, 10, 0.1)
            done = Done(cell.id, 0, {**metrics, "test": scores}, 1.0, 1.0, 1.0, WEIGHTS)
            yield replace(done, size=size if cell.stages else None)


def search(dataset, trials, *, budget=None, executor=None, space=None):
    whole = space or staged(NETWORKS, SETTINGS)
    wanted = Search(whole, "own", "tpe", budget or Budget(), trials, None, batch=3)
    recipe = Recipe(1, 0.1).resolved(dataset.name, dataset.image_shape)
    study = study_record(wanted.name, "quick", dataset, recipe, 1)
    store = open_store("sqlite:///results/dse.db")
    with store.sweeping([study.trains]) as held:
        run_search(
            wanted,
            study,
            dataset,
            held,
            executor or Executor(),
            lambda event: None,
            Tries(),
            announce=lambda points: None,
        )
    return study


def told(study):
    trials = open_study(open_store("sqlite:///results/dse.db"), study.name).trials
    return [(x.params, x.values, dict(x.constraints)) for x in trials]


def test_settings_of_stages_are_dimensions(workplace, tiny):
    executor = Executor()
    study = search(tiny, 8, executor=executor)
    cells = view(open_store("sqlite:///results/dse.db"), "cells", study.name)
    final = cells[cells["stages"] == "prune, quantise, code"]
    found = set(zip(final["sr"], final["density"], final["bits"], strict=True))
    assert found == set(product((0.25, 0.5), (0.3, 0.6), (4, 6)))
    assert (cells["complete"] == 1).all()
    # Two networks, each pruned twice, each of these quantised twice, and coded.
    assert sorted(executor.begun) == [0] * 2 + [1] * 4 + [2] * 8 + [3] * 8
    for params, values, _ in told(study):
        assert set(params) == {"sr", "density", "bits"}
        assert values[1] == 1_000 * params["bits"]


def test_a_measured_budget_is_a_constraint_once_a_file_is_written(workplace, tiny):
    study = search(tiny, 8, budget=Budget(max_compressed_bytes=5_000))
    assert study.name.startswith("search-tpe-own-file5000/")
    for params, values, constraints in told(study):
        assert values[1] == 1_000 * params["bits"]
        assert constraints == (
            {"compressed_bytes": pytest.approx(0.2)} if params["bits"] == 6 else {}
        )


def test_larger_files_are_on_no_front(workplace, tiny):
    study = search(tiny, 8, budget=Budget(max_compressed_bytes=5_000))
    store, done = open_store("sqlite:///results/dse.db"), "prune, quantise, code"
    told = store, study, tiny, workplace / "report", ("sr", "density", "bits"), done
    report = report_search(*told, 5_000)
    assert report.over_budget == 4
    front = report.summary[report.summary["front"]]
    assert set(front["mean_bytes"]) == {4_000}
    assert set(front["stages"]) == {done}
    assert report_search(*told, None).over_budget == 0
    with pytest.raises(
        DseError, match="a file of 3,999 bytes or less, the smallest ha"
    ):
        report_search(*told, 3_999)


def test_after_a_kill_the_same_networks_are_proposed(workplace, tiny, tmp_path_factory):
    expected = told(search(tiny, 6))
    for ends_after in (1, 4, 8):
        store = tmp_path_factory.mktemp("killed")
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(store)
            with pytest.raises(KeyboardInterrupt):
                search(tiny, 6, executor=Executor(ends_after))
            assert told(search(tiny, 6)) == expected


def test_a_budget_of_compressed_bytes_needs_a_compression():
    with pytest.raises(DseError, match="nothing says how to compress; give settings"):
        Search(NETWORKS, "own", "tpe", Budget(max_compressed_bytes=5_000), 1, None)


def test_words_become_a_space_with_stages():
    words = ("sr=0.25,0.5", "density=0.3,0.6", "bits=4")
    name, space = space_of(Product(settings=words), 1 / 8)
    assert isinstance(space, StagedSpace)
    assert name == f"squeezenet-{space.digest}"
    assert space.stages == (Prune(0.3), Quantise(4), Code())
    assert dict(space.values) == {"sr": (0.25, 0.5), "density": (0.3, 0.6)}
    assert space.anchor.point.base_e == 16
    # Without anything else the named space is compressed.
    name, space = space_of(Product(settings=("bits=4,6",)), 1 / 8)
    assert name.startswith("narrow-")
    assert set(space.varied) == {"bits"}
    with pytest.raises(DseError, match="bits is 12; expected"):
        space_of(Product(settings=("sr=0.25,0.5", "bits=4,12")), 1 / 8)


def test_words_become_an_experiment_with_stages():
    name, made = experiment_of(Product(settings=("sr=0.5", "density=0.3,0.6")))
    assert name.startswith("squeezenet-density-")
    assert isinstance(made.anchor, Staged)
    assert made.anchor.point.sr == 0.5
    assert [point.stages for point in made.keyed.values()] == [
        (Prune(0.3), Code()),
        (Prune(0.6), Code()),
    ]
    other, _ = experiment_of(Product(settings=("sr=0.5", "density=0.3,0.5")))
    assert other != name
    with pytest.raises(DseError, match="density is 2"):
        experiment_of(Product(settings=("density=0.3,2",)))
