from dataclasses import dataclass, replace

import numpy as np
import pytest

from dse.arch.build import Build
from dse.arch.cost import cost
from dse.arch.family import Family
from dse.console.state import outlook
from dse.errors import DseError
from dse.families.nin import Nin
from dse.families.squeezenet import SqueezeNet
from dse.fields import choice, share, whole
from dse.runs.recipe import Recipe
from dse.runs.run_state import RunState
from dse.store.database import open_store
from dse.store.enter import register_study
from dse.store.query import study_names
from dse.store.run_states import points_of
from dse.store.status import read_standing
from dse.study.driver import register
from dse.study.experiment import Experiment
from dse.study.loading import load_experiment, load_together
from dse.study.plan import cells_of_shard, jobs_for, make_plans
from dse.study.preset import Preset
from dse.study.presets import PRESETS
from dse.study.tries import Tries

EXPERIMENT = Experiment(
    "Aliases",
    SqueezeNet(),
    {"quick": Preset(width=1 / 32, replicates=3, recipe=Recipe(1, 0.1))},
    varied="pct_3x3",
    # Both 0 and 1 % of so few filters are no 3x3 filter at all: one network.
    values=(0.0, 0.01, 0.5),
)


def plan_of(experiment, dataset):
    [plan] = make_plans("aliases", experiment, "quick", dataset)
    return plan


@pytest.fixture
def plan(tiny):
    return plan_of(EXPERIMENT, tiny)


def test_two_settings_of_one_network_are_one_cell(plan):
    assert len(plan.points) == 3
    assert len(plan.cells) == 2
    assert plan.runs == 6


def test_missing_is_what_neither_completed_nor_failed_for_good(plan):
    first, second = plan.cells
    states = {
        (first, 0): RunState("complete", None, 0.9),
        (first, 1): RunState("running", None, None),
        (first, 2): RunState("failed", "lost", None, tries=2),
        (second, 0): RunState("failed", "diverged", None),
        (second, 1): RunState("failed", "untrained", None),
        (second, 2): RunState("failed", "lost", None, tries=3),
        (second, 3): RunState("complete", None, 0.9),
    }
    assert plan.missing(states, Tries()) == {first: (1, 2)}
    assert plan.missing(states, Tries(2)) == {first: (1,)}
    assert plan.missing({}, Tries()) == {first: (0, 1, 2), second: (0, 1, 2)}


def test_shards_are_a_plan_s_cells_once_each(tiny):
    plan = plan_of(replace(EXPERIMENT, values=(0.0, 0.25, 0.5, 0.75, 1.0)), tiny)
    everything = cells_of_shard([plan, plan], None)
    assert everything == set(plan.cells)
    shards = [cells_of_shard([plan, plan], f"{i}/2") for i in (1, 2)]
    assert shards[0] | shards[1] == everything
    assert not shards[0] & shards[1]
    assert [len(shard) for shard in shards] == [3, 2]
    # Dealt out by cost: the dearest is in the first, the next in the second.
    dear = sorted(plan.cells.values(), key=lambda c: -cost(c.architecture).macs)
    assert dear[0].id in shards[0]
    assert dear[1].id in shards[1]
    assert cells_of_shard([plan], "9/9") == set()
    for wrong in ("0/2", "3/2", "2", "a/b", "1/2/3", "-1/2", ""):
        with pytest.raises(DseError, match="expected I/N with I from 1 to N"):
            cells_of_shard([plan], wrong)


def test_replicates_share_a_job_unless_workers_would_idle(plan):
    cells = [(cell, (0, 1, 2)) for cell in plan.cells.values()]
    together = jobs_for(cells, workers=2)
    assert [job.replicates for job in together] == [(0, 1, 2)] * 2
    # The longest first: more 3x3 filters, more work.
    assert together[0].cell == cells[1][0]
    apart = jobs_for(cells, workers=3)
    assert [job.replicates for job in apart] == [(0,), (1,), (2,)] * 2


def test_experiments_that_train_together_agree_on_the_preset(workplace):
    text = """from dse import Experiment, Preset, Recipe, SqueezeNet
QUICK = Preset(width=1 / 32, replicates=3, recipe=Recipe(1, 0.1))
EXPERIMENT = Experiment("X", SqueezeNet(), {"quick": QUICK})
"""
    (workplace / "own.py").write_text(text)
    loaded, name, preset = load_together(["fig3a", "table3"], None)
    assert name == "quick"
    assert list(loaded) == ["fig3a", "table3"]
    assert preset == PRESETS["quick"]
    for names, complaint in (
        ([], "no experiment is given"),
        (["fig3a", "fig3b", "fig3a"], "given twice: fig3a, fig3b, fig3a"),
        (
            ["fig3a", "own.py"],
            "fig3a and own mean different things by the preset",
        ),
        (["fig3a", "absent"], "no experiment is called 'absent'"),
    ):
        with pytest.raises(DseError, match=complaint):
            load_together(names, "quick")


def test_the_plan_of_the_paper(tiny):
    _, fig3a = load_experiment("fig3a")
    _, fig3b = load_experiment("fig3b")
    _, table3 = load_experiment("table3")
    _, table1 = load_experiment("table1")
    assert [p.sr for p in fig3a.scaled(1.0).values()] == [0.125, 0.25, 0.5, 0.75, 1.0]
    whole = fig3b.scaled(1.0).values()
    assert {(p.base_e, p.incr_e, p.freq) for p in whole} == {(128, 128, 2)}
    assert [p.bypass for p in table3.scaled(1 / 8).values()] == [
        "none",
        "simple",
        "complex",
    ]
    shared = plan_of(fig3a, tiny), plan_of(fig3b, tiny)
    # SR 0.5 at 50 % is in both figures: one cell.
    assert len(set(shared[0].cells) & set(shared[1].cells)) == 1
    [vanilla] = plan_of(table1, tiny).cells
    assert vanilla in shared[0].cells
    assert vanilla in plan_of(table3, tiny).cells
    assert (PRESETS["quick"].replicates, PRESETS["full"].replicates) == (2, 5)
    assert PRESETS["full"].width == 1


@pytest.mark.parametrize("replicates", [0, -1])
def test_zero_replicates(tiny, replicates):
    with pytest.raises(DseError, match=f"is {replicates}; expected 1 or more"):
        make_plans("x", EXPERIMENT, "quick", tiny, replicates)


def test_unknown_names(tiny, workplace):
    with pytest.raises(DseError, match="no preset is called 'huge'; expected quick"):
        make_plans("x", EXPERIMENT, "huge", tiny)
    with pytest.raises(
        DseError, match="'fig9'; expected ablations, downsampling, fig3a"
    ):
        load_experiment("fig9")
    with pytest.raises(DseError, match=r"is called 'gone\.py'"):
        load_experiment("gone.py")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("x = 1", "defines no EXPERIMENT"),
        (
            "import nothing_of_that_name",
            "ModuleNotFoundError: No module",
        ),
        ("EXPERIMENT = (", "cannot be run: SyntaxError"),
        ("{}[1]", "cannot be run: KeyError"),
        ("exit(3)", "cannot be run: SystemExit: 3"),
    ],
)
def test_files_that_are_no_experiment(workplace, text, complaint):
    (workplace / "mine.py").write_text(text)
    with pytest.raises(DseError, match=complaint):
        load_experiment("mine.py")


def test_an_experiment_is_checked_when_it_is_made():
    presets = EXPERIMENT.presets
    with pytest.raises(DseError, match="varies 'width'"):
        Experiment("x", SqueezeNet(), presets, varied="width", values=(1,))
    with pytest.raises(DseError, match="over no values"):
        Experiment("x", SqueezeNet(), presets, varied="sr")
    with pytest.raises(DseError, match="sr is 2"):
        Experiment("x", SqueezeNet(), presets, varied="sr", values=(2,))
    with pytest.raises(DseError, match="has no presets; expected one or more"):
        Experiment("x", SqueezeNet(), {})
    for values in (np.array([0.25, 0.5]), {0.25, 0.5}, "abc"):
        with pytest.raises(DseError, match="expected a list or a tuple"):
            Experiment("x", SqueezeNet(), presets, varied="sr", values=values)
    with pytest.raises(DseError, match="nothing is published as 'table 9'"):
        Experiment("x", SqueezeNet(), presets, published="table 9")


def test_a_preset_may_train_on_a_part(tiny):
    sizes = {"width": 1 / 32, "replicates": 1, "recipe": Recipe(1, 0.1)}
    preset = Preset(**sizes, train_images=len(tiny.train) // 2)
    part = preset.part_of(tiny)
    assert len(part.train) == len(tiny.train) // 2
    assert len(set(np.bincount(part.train.labels))) == 1
    assert Preset(**sizes).part_of(tiny) is tiny
    whole, half = (plan_of(EXPERIMENT, d) for d in (tiny, part))
    assert not set(whole.cells) & set(half.cells)


def test_each_arm_is_a_study_of_its_own(tiny):
    arms = {"first": {}, "no-dropout": {"dropout": 0.0}, "same": {}}
    compared = replace(EXPERIMENT, arms=arms)
    plans = make_plans("mine", compared, "quick", tiny)
    assert [p.study.name for p in plans] == [
        "mine.first/tiny-quick",
        "mine.no-dropout/tiny-quick",
        "mine.same/tiny-quick",
    ]
    assert [p.study.recipe.dropout for p in plans] == [None, 0.0, None]
    # The same recipe makes the same cells; another recipe others.
    assert (
        plans[0].cells.keys()
        == plans[2].cells.keys()
        == plan_of(EXPERIMENT, tiny).cells.keys()
    )
    assert not set(plans[0].cells) & set(plans[1].cells)


@pytest.mark.parametrize("changes", [{"epochs": 9}, {"seed": 1}, {"rate": 0.1}])
def test_arms_train_equally_long_on_the_same_images(changes):
    [name] = changes
    with pytest.raises(DseError, match=f"arm longer changes {name}; expected some of"):
        replace(EXPERIMENT, arms={"longer": changes})


def test_late_pools_cost_work_and_no_parameters(tiny):
    _, downsampling = load_experiment("downsampling")
    plan = plan_of(downsampling, tiny)
    costs = [cost(cell.architecture) for cell in plan.cells.values()]
    assert len({c.params for c in costs}) == 1
    macs = [c.macs for c in costs]
    assert macs == sorted(macs)
    assert macs[-1] > 3 * macs[0]
    # Three pools each, so that conv10 works on as many positions everywhere.
    shapes = {cell.architecture.shapes["conv10"] for cell in plan.cells.values()}
    assert shapes == {(4, 4, 4)}


# A family that grows, and points of several


class Small(Family):
    """Networks of one layer."""

    def architecture(self, input_shape, classes):
        net = Build(input_shape, classes)
        net.conv("scores", classes, kernel=self.kernel, stride=2)
        net.average("average")
        return net.done()


@dataclass(frozen=True)
class Young(Small, name="grown"):
    kernel: int = whole(3, "of the layer", most=9)


@dataclass(frozen=True)
class Grown(Small, name="grown"):
    kernel: int = whole(3, "of the layer", most=9)
    gate: float = share(0.25, "what came later", later=True)


def of_kernels(family, kernels):
    return Experiment("Kernels", family(), EXPERIMENT.presets, "kernel", kernels)


def test_a_field_that_came_later_leaves_a_study_as_it_was(workplace, tiny, capsys):
    """At its default it is no part of what a point is."""
    store = open_store("sqlite:///results/dse.db")
    before = plan_of(of_kernels(Young, (1, 3)), tiny)
    register(store, [before], Tries())
    now = plan_of(of_kernels(Grown, (1, 3, 5)), tiny)
    missing = register(store, [now], Tries())
    assert list(missing) == list(now.cells)
    assert set(before.cells) <= set(now.cells)
    assert capsys.readouterr().err == ""
    assert len(points_of(store, now.study.name)) == 3
    other = replace(of_kernels(Grown, (1, 3)), anchor=Grown(gate=0.5))
    with pytest.raises(DseError, match=r"holds another experiment \(gate"):
        register(store, [plan_of(other, tiny)], Tries())


def test_a_list_of_points_may_gain_and_lose_some(workplace, tiny, capsys):
    store = open_store("sqlite:///results/dse.db")
    points = [Young(1), Young(5), SqueezeNet(4, 4), Nin(width=1 / 32)]

    def plan(*chosen):
        listed = Experiment("List", presets=EXPERIMENT.presets, points=chosen)
        return plan_of(listed, tiny)

    whole_list = plan(*points)
    assert list(whole_list.keyed) == [
        "grown kernel 1",
        "grown kernel 5",
        *(f"{x.name} {x.short()}" for x in points[2:]),
    ]
    register(store, [whole_list], Tries())
    register(store, [plan(*points[1:], Young(7))], Tries())
    assert "had 1 more point, which the experiment names no longer" in (
        capsys.readouterr().err
    )
    told = points_of(store, whole_list.study.name)
    assert [point.family for point in told] == ["grown", "squeezenet", "nin", "grown"]
    assert told[1].values == SqueezeNet(4, 4).values
    with pytest.raises(DseError, match=r"holds another experiment \(family"):
        register(store, [plan(SqueezeNet(8, 8))], Tries())


# A family that the database refuses


@dataclass(frozen=True)
class Worded(Family, name="worded"):
    """`sr` is a word here, and SqueezeNet's is a number."""

    sr: str = choice("half", ("half", "whole"), "as SqueezeNet's, in a word")

    def architecture(self, input_shape, classes):
        net = Build(input_shape, classes)
        net.conv("scores", classes, kernel=1)
        net.average("average")
        return net.done()


def test_a_family_that_a_database_refuses_leaves_no_study(tiny, workplace, plan):
    store = open_store("sqlite:///results/dse.db")
    register(store, [plan], Tries())
    alone = replace(EXPERIMENT, anchor=Worded(), varied=None, values=())
    with pytest.raises(DseError, match="sr is a word in family worded") as refusal:
        register(store, make_plans("worded", alone, "quick", tiny), Tries())
    assert "take another --storage" in str(refusal.value)
    assert study_names(store) == [plan.study.name]


def test_families_that_share_no_table_are_no_experiment():
    with pytest.raises(DseError, match="sr is a word in family worded"):
        Experiment("Both", presets=EXPERIMENT.presets, points=[SqueezeNet(), Worded()])


def test_a_study_that_was_killed_before_its_points_has_a_status(tiny, workplace, plan):
    store = open_store("sqlite:///results/dse.db")
    register_study(store, plan.study)
    standing = read_standing(store, plan.study.name)
    state = outlook(standing.cells, standing.open_runs, standing.fields)
    assert (state.total.planned, state.finished) == (0, False)
    assert len(register(store, [plan], Tries())) == 2
