"""Searches of spaces of any family, with made-up training."""

import hashlib
import itertools
from dataclasses import dataclass

import pytest

from dse.arch.build import Build
from dse.arch.cost import cost
from dse.arch.family import Family
from dse.errors import DseError
from dse.families.nin import Nin
from dse.families.squeezenet import SqueezeNet
from dse.fields import Grid, choice, flag, text, whole
from dse.runs.events import Done, EpochEnded, Started
from dse.runs.recipe import Recipe
from dse.spaces.budget import Budget
from dse.spaces.space import Space
from dse.store.database import open_store
from dse.store.query import study_names, view
from dse.study.optuna_study import open_study
from dse.study.plan import study_record
from dse.study.search import Search, run_search
from dse.study.tries import Tries

SAMPLERS = ("tpe", "nsga2", "random")


class Executor:
    """Whatever it is given is trained at once; an accuracy is the network's own."""

    workers = 1

    def __init__(self, ends_after=None):
        self.left = ends_after

    def run(self, queue):
        while (job := queue.take()) is not None:
            if self.left == 0:
                raise KeyboardInterrupt
            self.left = None if self.left is None else self.left - 1
            cell_id = job.cell.id
            digest = hashlib.sha256(job.cell.architecture.id.encode()).digest()
            scores = {"loss": 1.0, "accuracy": digest[0] / 255}
            metrics = {"train": scores, "validation": scores}
            yield Started(cell_id, 0, "cpu")
            yield EpochEnded(cell_id, 0, 1, metrics, 10, 0.1)
            yield Done(cell_id, 0, {**metrics, "test": scores}, 1.0, 1.0, 1.0, {})


def search(dataset, space, trials, *, sampler="tpe", budget=None, executor=None):
    """Whether it is exhausted, and its study's name."""
    wanted = Search(space, "own", sampler, budget or Budget(), trials, None)
    recipe = Recipe(1, 0.1).resolved(dataset.name, dataset.image_shape)
    study = study_record(wanted.name, "quick", dataset, recipe, 1)
    store = open_store("sqlite:///results/dse.db")
    with store.sweeping([study.trains]) as held:
        exhausted = run_search(
            wanted,
            study,
            dataset,
            held,
            executor or Executor(),
            lambda event: None,
            Tries(),
            announce=lambda points: None,
        )
    return exhausted, study.name


def cells(study):
    store = open_store("sqlite:///results/dse.db", create=False)
    return view(store, "cells", study).sort_values("position")


def points(study, names):
    return list(cells(study)[list(names)].itertuples(index=False, name=None))


SHAPES = Space(
    SqueezeNet(4, 4),
    {
        "bypass": ("none", "simple", "complex"),
        "version": ("1.0", "1.1"),
        "pools": ("version", "1,4,8", "2,4", "9"),
        "freq": Grid(1, 3, 1),
        "sr": Grid(0.25, 0.75, 0.25),
        "pct_3x3": (0.25, 0.5),
    },
)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_bypass_version_and_pools_are_searched(workplace, tiny, sampler):
    exhausted, study = search(tiny, SHAPES, 30, sampler=sampler)
    assert not exhausted
    found = points(study, SHAPES.values)
    assert cells(study)["cell_id"].nunique() == 30
    asked = set(itertools.product(*map(SHAPES.listed, SHAPES.values)))
    assert set(found) <= asked
    for column in zip(*found, strict=True):
        assert len(set(column)) > 1
    # What does not vary is the anchor's.
    assert set(cells(study)["base_e"]) == {4}
    told = open_study(open_store("sqlite:///results/dse.db"), study).trials
    assert {tuple(t.params[x] for x in SHAPES.values) for t in told} >= set(found)


def test_two_points_of_one_network_are_trained_once(workplace, tiny):
    """1,4,8 are version 1.0's own pools."""
    space = Space(SqueezeNet(4, 4), {"pools": ("version", "1,4,8", "1,4")})
    exhausted, study = search(tiny, space, 10)
    assert exhausted
    assert cells(study)["arch_id"].nunique() == 2
    runs = view(open_store("sqlite:///results/dse.db"), "runs", study)
    assert runs["run_id"].nunique() == 2


def test_a_search_of_another_family(workplace, tiny):
    values = {"width": (1 / 64, 1 / 32), "head": ("average", "dense")}
    space = Space(Nin(), {**values, "pool2": ("max", "average")})
    exhausted, study = search(tiny, space, 20)
    assert exhausted
    assert set(cells(study)["family"]) == {"nin"}
    assert set(points(study, space.values)) == set(
        itertools.product((1 / 64, 1 / 32), ("average", "dense"), ("max", "average"))
    )


@dataclass(frozen=True)
class Mine(Family, name="mine"):
    """As a person writes one, with all kinds of values."""

    filters: int = whole(4, "filters", cost="rises")
    deep: bool = flag(False, "whether there is a second layer")
    kernel: int | None = whole(None, "of the first layer; none for 1")
    order: str = text("a", "in which it is said")
    head: str = choice("plain", ("plain", "wide"), "the end")

    def architecture(self, input_shape, classes):
        net = Build(input_shape, classes)
        net.conv("conv1", self.filters, self.kernel or 1, stride=4)
        if self.deep:
            net.conv("conv2", self.filters, 1)
        if self.head == "wide":
            net.conv("conv3", 2 * self.filters, 1)
        net.conv("scores", classes, 1)
        net.average("average")
        return net.done()


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_kind_of_value_is_searched(workplace, tiny, sampler):
    space = Space(
        Mine(),
        {
            "filters": Grid(4, 8, 4),
            "deep": (False, True),
            "kernel": (None, 3),
            "head": ("plain", "wide"),
        },
    )
    exhausted, study = search(tiny, space, 40, sampler=sampler)
    assert exhausted
    found = cells(study)
    assert len(found) == 2**4
    assert found["kernel"].isna().sum() == 8
    assert found["deep"].sum() == 8
    # It has ended: again there is nothing to do.
    assert search(tiny, space, 40, sampler=sampler, executor=Executor(0)) == (
        True,
        study,
    )


@pytest.mark.parametrize("names", [("sr", "freq"), ("sr", "bypass", "pools")])
def test_nothing_over_budget_is_trained(workplace, tiny, names):
    """Narrowed where fields say how cost moves with them, or point by point."""
    space = Space(SqueezeNet(4, 4), {name: SHAPES.values[name] for name in names})
    sizes = {}
    for values in itertools.product(*map(space.listed, names)):
        point = space.point(dict(zip(names, values, strict=True)))
        network = point.architecture(tiny.image_shape, tiny.classes)
        sizes[network.id] = cost(network).params
    limit = sorted(sizes.values())[len(sizes) // 2]
    within = {network for network, params in sizes.items() if params <= limit}
    assert 0 < len(within) < len(sizes)
    exhausted, study = search(tiny, space, 99, budget=Budget(max_params=limit))
    assert exhausted
    assert set(cells(study)["arch_id"]) == within


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_search_that_is_interrupted_proposes_the_same(
    workplace, tiny, sampler, monkeypatch
):
    names = [*SHAPES.values]
    for folder in ("whole", "parts"):
        (workplace / folder).mkdir()
    monkeypatch.chdir(workplace / "whole")
    _, study = search(tiny, SHAPES, 14, sampler=sampler)
    expected = points(study, names)
    monkeypatch.chdir(workplace / "parts")
    for ends_after in (0, 3, 6):
        with pytest.raises(KeyboardInterrupt):
            search(tiny, SHAPES, 14, sampler=sampler, executor=Executor(ends_after))
    search(tiny, SHAPES, 14, sampler=sampler)
    assert points(study, names) == expected
    assert len(expected) == 14


def test_a_search_is_called_after_what_it_is(tiny):
    budget = Budget(max_bytes=60_000, max_macs=10**6)
    named = Search(SHAPES, "paper", "nsga2", budget, 1, None).name
    assert named == "search-nsga2-paper-bytes60000-macs1000000"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "a space varies nothing"),
        ({"width": (1,)}, "squeezenet has no 'width'; expected some of base_e"),
        ({"bypass": ("none", "odd")}, "bypass is 'odd'; expected one of none, simple"),
        ({"bypass": Grid(0, 1, 1)}, "a space has a grid of bypass; expected a tuple"),
        ({"sr": Grid(0.5, 1.5, 0.5)}, r"sr is 1\.5; expected a number from 0 to 1"),
        ({"pools": ("0",)}, "pools is '0'; expected modules from 1 to 9"),
        ({"base_e": (1.5,)}, r"base_e is 1\.5; expected a whole number"),
    ],
)
def test_spaces_that_make_no_sense(values, said):
    with pytest.raises(DseError, match=said):
        Space(SqueezeNet(), values)


@dataclass(frozen=True)
class Worded(Mine, name="worded"):
    """`sr` is a word here, and SqueezeNet's is a number."""

    sr: str = choice("half", ("half", "whole"), "as SqueezeNet's, in a word")


def test_a_search_that_a_database_refuses_leaves_no_study(workplace, tiny):
    space = Space(SqueezeNet(4, 4), {"sr": (0.25, 0.5)})
    search(tiny, space, 1)
    before = study_names(open_store("sqlite:///results/dse.db"))
    with pytest.raises(DseError, match="sr is a word in family worded"):
        search(tiny, Space(Worded(), {"sr": ("half", "whole")}), 1)
    assert study_names(open_store("sqlite:///results/dse.db")) == before
