"""What Optuna knows: one trial a cell, told once, rebuilt when lost."""

from dataclasses import dataclass

import pytest
from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import OperationalError

from dse.arch.build import Build
from dse.arch.family import Family
from dse.errors import DseError
from dse.families.nin import Nin
from dse.families.squeezenet import SqueezeNet
from dse.fields import choice, flag, share, text, whole
from dse.runs.recipe import Recipe
from dse.runs.records import Point
from dse.spaces.budget import Budget
from dse.spaces.space import named_space
from dse.store.database import open_store
from dse.store.messages import Unreachable
from dse.study.optuna_search import SearchProjection, make_sampler
from dse.study.optuna_study import PlanProjection, forget_study, open_study
from dse.study.plan import make_point
from dse.study.search import Search

_, NARROW = named_space("narrow", 1 / 8)


@pytest.fixture
def store(workplace):
    return open_store("sqlite:///results/dse.db")


def points(dataset) -> dict[str, Point]:
    made = [
        make_point(SqueezeNet(4, 4, sr=sr), Recipe(1, 0.1), dataset)
        for sr in (0.25, 0.5, 1.0)
    ]
    return {point.cell.id: point for point in made}


def trials(store, name="study"):
    return open_study(store, name).get_trials()


def states(store):
    return [trial.state.name for trial in trials(store)]


def test_a_cell_is_a_trial_once_it_is_told(store, tiny):
    cells = points(tiny)
    first, second, third = cells
    projection = PlanProjection(store, "study", several=False)
    projection.tell(second, cells[second], 0.8, 100)
    assert projection.is_told(second)
    assert not projection.is_told(first)
    # Another session, after a kill, knows all that.
    again = PlanProjection(store, "study", several=False)
    assert again.is_told(second)
    again.tell(second, cells[second], 0.8, 100)
    again.tell(third, cells[third], None, 100)
    again.tell(first, cells[first], 0.0, 100)
    assert states(store) == ["COMPLETE", "FAIL", "COMPLETE"]
    assert [t.values for t in trials(store)] == [[0.8, 100], None, [0.0, 100]]
    assert trials(store)[0].params["sr"] == 0.5
    assert trials(store)[0].user_attrs["pools"] == "version"


def test_a_trial_that_was_added_before_the_server_was_lost_is_added_once(
    store, tiny, monkeypatch
):
    cells = points(tiny)
    first = next(iter(cells))
    projection = PlanProjection(store, "study", several=False)
    study, add = projection._study, projection._study.add_trial

    def added_and_lost(trial):
        add(trial)
        error = OperationalError("INSERT", {}, Exception("server closed"))
        raise StorageInternalError("no answer") from error

    monkeypatch.setattr(study, "add_trial", added_and_lost)
    with pytest.raises(Unreachable, match="server closed"):
        projection.tell(first, cells[first], 0.8, 100)
    monkeypatch.setattr(study, "add_trial", add)
    projection.tell(first, cells[first], 0.8, 100)
    assert states(store) == ["COMPLETE"]


def test_a_forgotten_study_is_made_again(store, tiny):
    cells = points(tiny)
    first = next(iter(cells))
    PlanProjection(store, "study", several=False).tell(first, cells[first], 0.8, 100)
    forget_study(store, "study")
    forget_study(store, "never there")
    assert states(store) == []


def test_infeasible_points_are_told_with_their_excess(store):
    projection = SearchProjection(store, "study")
    proposals = projection.propose("random", seed=0)
    proposals.ask(NARROW)
    proposals.reject({"bytes": 0.5}, 150)
    proposals.ask(NARROW)
    proposals.accept({"bytes": -0.5}, "cell")
    assert projection.unfinished() == {}
    projection.add(proposals)
    [within] = projection.unfinished()
    projection.tell(within, 0.3, 50)
    assert projection.unfinished() == {}
    assert projection.propose("random", seed=0).known_cells == {"cell"}
    study = open_study(store, "study")
    assert study.trials[0].constraints == {"bytes": 0.5}
    # The fake accuracy of what was not trained never wins.
    assert [trial.number for trial in study.best_trials] == [within]


def propose(projection, name, seed=0, size=4):
    """A batch whose first point is over budget."""
    proposals = projection.propose(name, seed)
    asked = [proposals.ask(NARROW)]
    proposals.reject({"bytes": 0.5}, 150)
    for place in range(size - 1):
        asked.append(proposals.ask(NARROW))
        proposals.accept({"bytes": -0.5}, f"cell {proposals.number} {place}")
    return proposals, asked


@pytest.mark.parametrize("name", ["tpe", "nsga2", "random"])
def test_samplers_repeat_themselves_from_one_seed_only(name, workplace):
    def proposed(seed, database):
        store = open_store(f"sqlite:///{database}.db")
        return propose(SearchProjection(store, "study"), name, seed)[1]

    assert proposed(0, "a") == proposed(0, "b")
    assert proposed(0, "c") != proposed(1, "d")


@pytest.mark.parametrize("name", ["tpe", "nsga2", "random"])
@pytest.mark.parametrize("kept", [1, 2, 3])
def test_a_batch_that_was_cut_off_is_proposed_anew(name, kept, workplace):
    """Killed between two trials of the fourth batch, and told in the end."""

    def batches(database, cut_off):
        store = open_store(f"sqlite:///{database}.db")
        study = []
        for number in range(1, 5):
            projection = SearchProjection(store, "study")
            proposals, asked = propose(projection, name)
            if cut_off and number == 4:
                for trial in proposals.trials[:kept]:
                    open_study(store, "study").add_trial(trial)
                projection = SearchProjection(store, "study")
                assert projection.is_cut_off
                proposals, asked = propose(projection, name)
            projection.add(proposals)
            assert not projection.is_cut_off
            study.append(asked)
            for trial in projection.unfinished():
                projection.tell(trial, 0.1 * trial, 50)
        return study, [t.params for t in trials(store)]

    assert batches("undisturbed", False) == batches("cut", True)


def test_bad_searches():
    with pytest.raises(DseError, match="give --trials or --minutes"):
        Search(NARROW, "narrow", "tpe", Budget(), None, None)
    with pytest.raises(DseError, match="trials is 0"):
        Search(NARROW, "narrow", "tpe", Budget(), 0, None)
    with pytest.raises(DseError, match="minutes is -1"):
        Search(NARROW, "narrow", "tpe", Budget(), None, -1)
    with pytest.raises(DseError, match="batch is 0"):
        Search(NARROW, "narrow", "tpe", Budget(), 1, None, batch=0)
    for make in (
        lambda: make_sampler("grid", (0,)),
        lambda: Search(NARROW, "narrow", "grid", Budget(), 1, None),
    ):
        with pytest.raises(DseError, match="no sampler is called 'grid'"):
            make()


# Points of several families, and of any


class Small(Family):
    """A convolution for each class."""

    def architecture(self, input_shape, classes):
        net = Build(input_shape, classes)
        net.conv("scores", classes, kernel=3, stride=4)
        net.average("average")
        return net.done()


@dataclass(frozen=True)
class Switch(Small, name="switch"):
    gate: str = choice("on", ("on", "off"), "a word")
    sr: float = share(0.5, "a number, as SqueezeNet's")
    filters: int | None = whole(None, "a number, or none")
    deep: bool = flag(True, "yes or no")
    order: str = text("a", "any text")


@dataclass(frozen=True)
class Dial(Small, name="dial"):
    gate: float = share(0.25, "a number of the same name")


def tell(store, points_told, dataset, *, several):
    """Cells of these points, each with another accuracy."""
    projection = PlanProjection(store, "study", several=several)
    for number, point in enumerate(points_told, start=len(trials(store))):
        made = make_point(point, Recipe(1, 0.1), dataset)
        projection.tell(f"cell {number}", made, number / 10, 100)


def test_a_study_of_two_families_has_the_parameters_of_each(store, tiny):
    """Under its name: of one name they need not be of one kind."""
    told = [Switch(), Dial(), Switch(gate="off", filters=3), SqueezeNet(4, 4), Nin()]
    tell(store, told, tiny, several=True)
    first, second, third, fourth, fifth = trials(store)
    assert first.params == {
        "switch.gate": "on",
        "switch.sr": 0.5,
        "switch.deep": True,
    } | {name: first.params[name] for name in first.params if "filters" in name}
    assert second.params == {"dial.gate": 0.25}
    assert third.params["switch.gate"] == "off"
    assert fourth.params["squeezenet.sr"] == 0.125
    assert fifth.params["nin.width"] == 1.0
    assert [t.user_attrs["family"] for t in trials(store)] == [
        point.name for point in told
    ]
    assert first.user_attrs["order"] == "a"
    assert fourth.user_attrs["pools"] == "version"
    assert [t.values[0] for t in trials(store)] == [0.0, 0.1, 0.2, 0.3, 0.4]


def test_a_number_that_may_be_none_is_told(store, tiny):
    tell(store, [Switch(), Switch(filters=3), Switch()], tiny, several=False)
    numbers = [
        t.params.get("filters", t.user_attrs.get("filters")) for t in trials(store)
    ]
    assert numbers == [None, 3, None]


@dataclass(frozen=True)
class LaterSwitch(Small, name="switch"):
    """The same family, some versions later: there is more that it can be."""

    gate: str = choice("on", ("on", "off", "half"), "a word")
    sr: float = share(0.5, "a number", most=2)
    filters: int | None = whole(None, "a number, or none", most=10**6)
    deep: bool = flag(True, "yes or no")
    order: str = text("a", "any text")
    late: int = whole(1, "what came later", later=True)


def test_a_family_that_grew_goes_on_in_its_study(store, tiny):
    tell(store, [Switch(filters=2)], tiny, several=False)
    tell(store, [LaterSwitch(gate="half", filters=10**5)], tiny, several=False)
    assert [t.user_attrs["family"] for t in trials(store)] == ["switch"] * 2
    assert len(trials(store)) == 2
