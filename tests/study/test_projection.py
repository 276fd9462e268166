"""What Optuna knows: one trial a cell, told once, rebuilt when lost."""

import pytest

from dse.arch.space import SPACES, Budget
from dse.arch.squeezenet import Metaparameters
from dse.errors import DseError
from dse.store.append import Point
from dse.store.database import open_store
from dse.study.plan import make_point
from dse.study.projection import (
    PlanProjection,
    SearchProjection,
    make_sampler,
    open_study,
)
from dse.study.search import Search
from dse.train.recipe import Recipe


@pytest.fixture
def store(workplace):
    return open_store("sqlite:///results/dse.db")


def points(dataset) -> dict[str, Point]:
    made = [
        make_point(Metaparameters(4, 4, sr=sr), Recipe(1, 0.1), dataset)
        for sr in (0.25, 0.5, 1.0)
    ]
    return {point.cell.id: point for point in made}


def trials(store, name="study"):
    return open_study(store, name).get_trials()


def states(store):
    return [trial.state.name for trial in trials(store)]


def test_cells_are_enqueued_once_and_told_once(store, tiny):
    cells = points(tiny)
    first, second, third = cells
    projection = PlanProjection(store, "study")
    projection.enqueue(cells)
    projection.enqueue(cells)
    assert states(store) == ["WAITING"] * 3
    projection.claim(second)
    assert states(store) == ["RUNNING", "RUNNING", "WAITING"]
    projection.tell(second, 0.8, 100)
    assert projection.is_told(second)
    assert not projection.is_told(first)
    # Another session, after a kill, knows all that.
    again = PlanProjection(store, "study")
    again.enqueue(cells)
    again.tell(third, None, 100)
    again.tell(first, 0.7, 100)
    assert states(store) == ["COMPLETE", "COMPLETE", "FAIL"]
    assert trials(store)[1].values == [0.8, 100]
    assert trials(store)[1].params["sr"] == 0.5


def test_infeasible_points_are_told_with_their_excess(store, tiny):
    projection = SearchProjection(store, "study")
    projection.use_sampler("random", seed=0)
    over, _ = projection.ask(SPACES["narrow"])
    within, _ = projection.ask(SPACES["narrow"])
    projection.reject(over, {"bytes": 0.5}, 150)
    projection.accept(within, {"bytes": -0.5}, "cell")
    assert projection.told == 1
    assert projection.cells == {"cell"}
    assert list(projection.unfinished()) == [within]
    projection.tell(within, 0.3, 50)
    assert projection.unfinished() == {}
    study = open_study(store, "study")
    assert study.trials[over].constraints == {"bytes": 0.5}
    # The fake accuracy of what was not trained never wins.
    assert [trial.number for trial in study.best_trials] == [within]


@pytest.mark.parametrize("name", ["tpe", "nsga2", "random"])
def test_samplers_repeat_themselves_from_one_seed_only(name, workplace):
    def proposals(seed, database):
        store = open_store(f"sqlite:///{database}.db")
        projection = SearchProjection(store, "study")
        projection.use_sampler(name, seed)
        return [projection.ask(SPACES["narrow"])[1] for _ in range(3)]

    assert proposals(0, "a") == proposals(0, "b")
    assert proposals(0, "c") != proposals(1, "d")


def test_bad_searches():
    with pytest.raises(DseError, match="give --trials or --minutes"):
        Search("narrow", "tpe", Budget(), None, None)
    with pytest.raises(DseError, match="trials is 0"):
        Search("narrow", "tpe", Budget(), 0, None)
    with pytest.raises(DseError, match="minutes is -1"):
        Search("narrow", "tpe", Budget(), None, -1)
    with pytest.raises(DseError, match="no space is called"):
        Search("huge", "tpe", Budget(), 1, None)
    with pytest.raises(DseError, match="no sampler is called 'grid'"):
        make_sampler("grid", (0,))
