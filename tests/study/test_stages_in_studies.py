"""Studies whose points have stages: trained in order, stored, and taken elsewhere."""

import json
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import select

import dse
from dse.arch.build import Build
from dse.arch.family import Family
from dse.compress.container import read_network
from dse.compress.networks import network_shapes
from dse.errors import DseError
from dse.execute.executors import SerialExecutor
from dse.families.squeezenet import SqueezeNet
from dse.fields import whole
from dse.runs.events import Done, EpochEnded, Failed, Started
from dse.runs.recipe import Recipe
from dse.runs.staged import Staged
from dse.runs.stages import Code, Prune, Quantise
from dse.store.database import open_store
from dse.store.forget import forget
from dse.store.query import load_network, view, weights_path
from dse.store.schema import cells
from dse.store.transfer import export_studies, import_file
from dse.study.driver import complete, register
from dse.study.plan import Plan, cells_of_shard, make_point, study_record
from dse.study.tries import Tries

RECIPE = Recipe(8, 0.05, batch_size=16, warmup_share=0.3, crop_padding=0, mirror=False)
POINT = SqueezeNet(8, 8, sr=0.5)
STAGES = (Prune(0.4, prune_epochs=2), Quantise(5), Code())
POINTS = [POINT, *(Staged(POINT, STAGES[:depth]) for depth in (1, 2, 3))]
STUDY = "small/tiny-quick"


def plan_of(points, dataset, replicates=1):
    study = study_record("small", "quick", dataset, RECIPE, replicates)
    keyed = {i: make_point(point, RECIPE, dataset) for i, point in enumerate(points)}
    return Plan(study, keyed, None)


def trained(store, plan, executor, tries=None):
    events = []
    tries = tries or Tries()
    with store.sweeping([plan.study.trains]) as held:
        missing = register(held, [plan], tries)
        complete([plan], missing, held, executor, events.append, tries)
    return events


@pytest.fixture(scope="module")
def swept(tiny, tmp_path_factory):
    """A database in which a network went through three stages."""
    folder = tmp_path_factory.mktemp("stages")
    store = open_store(f"sqlite:///{folder}/dse.db")
    executor = SerialExecutor(tiny, store.place.own)
    events = trained(store, plan_of(POINTS, tiny), executor)
    yield store, events
    executor.close()


def runs_of(store):
    return view(store, "runs", STUDY).sort_values("run_id").reset_index(drop=True)


@pytest.mark.slow
def test_stages_follow_the_runs_that_they_begin_from(swept, tiny):
    store, events = swept
    begun = [event.cell_id for event in events if isinstance(event, Started)]
    assert begun == [point.cell.id for point in plan_of(POINTS, tiny).points]
    runs = runs_of(store)
    assert runs["status"].tolist() == ["complete"] * 4
    assert runs["stages"].isna().tolist() == [True, False, False, False]
    assert runs["stages"].tolist()[1:] == [
        "prune",
        "prune, quantise",
        "prune, quantise, code",
    ]
    assert runs["density"].tolist()[1:] == [0.4] * 3
    assert runs["bits"].dropna().tolist() == [5, 5]
    assert runs["epochs"].tolist() == [8, 2, 1, 0]
    assert runs["bytes"].iloc[0] == 4 * runs["params"].iloc[0]
    assert runs["bytes"].is_monotonic_decreasing
    assert runs["bytes_fp32"].nunique() == 1
    epochs = view(store, "epochs", STUDY)
    assert epochs.groupby("run_id").size().tolist() == [8, 2, 1]


@pytest.mark.slow
def test_the_bytes_are_those_of_the_file_and_it_predicts(swept, tiny):
    store, _ = swept
    runs = runs_of(store)
    for row in runs.iloc[1:].itertuples():
        file = weights_path(store, row.run_id)
        assert file.suffix == ".dsenet"
        assert file.stat().st_size == row.bytes
    network = load_network(store, int(runs["run_id"].iloc[-1]))
    tensors = read_network(file.read_bytes(), network_shapes(network.architecture))
    kernel = tensors["conv10"]["kernel"]
    assert len(kernel.codebook) <= 32
    assert np.count_nonzero(kernel.array()) == np.ceil(0.4 * kernel.array().size)
    model = dse.load_model(int(runs["run_id"].iloc[-1]), storage=store.url)
    found = model.probabilities(tiny.test.pixels).argmax(1)
    accuracy = (found == tiny.test.labels).mean()
    assert accuracy == pytest.approx(runs["test_accuracy"].iloc[-1])


@pytest.mark.slow
def test_a_finished_study_trains_nothing_and_an_unfinished_one_goes_on(swept, tiny):
    store, _ = swept
    executor = SerialExecutor(tiny, store.place.own)
    assert trained(store, plan_of(POINTS, tiny), executor) == []
    more = [*POINTS, Staged(POINT, (STAGES[0], Quantise(2)))]
    events = trained(store, plan_of(more, tiny), executor)
    assert len([event for event in events if isinstance(event, Done)]) == 1
    executor.close()


@pytest.mark.slow
def test_it_is_exported_and_imported_whole(swept, tmp_path):
    store, _ = swept
    count = export_studies(store, tmp_path / "stages.zip")
    there = open_store(f"sqlite:///{tmp_path}/there.db")
    assert import_file(there, tmp_path / "stages.zip") == count == len(runs_of(store))
    columns = ["cell_id", "stages", "density", "bits", "bytes", "test_accuracy"]
    pd.testing.assert_frame_equal(runs_of(there)[columns], runs_of(store)[columns])
    for run_id in runs_of(there)["run_id"]:
        load_network(there, int(run_id))


@pytest.mark.slow
def test_other_stages_in_an_archive_are_refused(swept, tmp_path):
    store, _ = swept
    export_studies(store, tmp_path / "stages.zip")
    copy = open_store(f"sqlite:///{tmp_path}/copy.db")
    import_file(copy, tmp_path / "stages.zip")
    from dse.store.content import check_content

    check_content(copy)
    with copy.writing() as connection:
        row = connection.execute(select(cells.c.id, cells.c.stages)).all()[1]
        changed = json.loads(json.dumps(row.stages).replace("0.4", "0.5"))
        connection.execute(
            cells.update().where(cells.c.id == row.id).values(stages=changed)
        )
    with pytest.raises(DseError, match=f"cell {row.id} of the archive cannot be read"):
        check_content(copy)


class MadeUp:
    """Every run is done at once, but those of one cell, which fail."""

    workers = 1

    def __init__(self, fails):
        self.fails = fails

    def run(self, queue):
        while (job := queue.take()) is not None:
            for number in job.replicates:
                yield Started(job.cell.id, number, "cpu")
                if job.cell.id == self.fails:
                    yield Failed(job.cell.id, number, "diverged", "loss is nan")
                    continue
                scores = {"loss": 1.0, "accuracy": 0.5}
                metrics = {"train": scores, "validation": scores}
                yield EpochEnded(job.cell.id, number, 1, metrics, 10, 0.1)
                weights = {"conv1": {"bias": np.zeros(1, np.float32)}}
                done = {**metrics, "test": scores}
                yield Done(job.cell.id, number, done, 1.0, 1.0, 1.0, weights)


def test_without_a_parent_a_stage_fails_with_the_reason(tiny, tmp_path):
    store = open_store(f"sqlite:///{tmp_path}/dse.db")
    plan = plan_of(POINTS, tiny, replicates=2)
    first = plan.points[0].cell.id
    events = trained(store, plan, MadeUp(fails=first))
    failed = [(e.cell_id, e.reason) for e in events if isinstance(e, Failed)]
    ids = [point.cell.id for point in plan.points]
    assert failed == [
        *[(first, "diverged")] * 2,
        *((cell, "parent") for cell in ids[1:] for _ in range(2)),
    ]
    runs = view(store, "runs", STUDY)
    assert set(runs["status"]) == {"failed"}
    said = f"cell {ids[0]}, replicate 0 is not complete"
    assert said in set(runs["detail"])
    # Nothing is left to do, until they are to be tried again: all of them are.
    assert trained(store, plan, MadeUp(fails=first)) == []
    with store.sweeping([plan.study.trains]) as held:
        assert forget(held, STUDY, failed_only=True).runs == 8
    events = trained(store, plan, MadeUp(fails=None))
    assert len([event for event in events if isinstance(event, Done)]) == 8


def test_what_began_from_forgotten_weights_is_forgotten_too(tiny, tmp_path):
    """Also in another study, and for no other replicate."""
    store = open_store(f"sqlite:///{tmp_path}/dse.db")
    plan = plan_of(POINTS[:2], tiny, replicates=2)
    trained(store, plan, MadeUp(fails=None))
    named = replace(plan.study, name="other/tiny-quick", experiment="other")
    chain = {0: make_point(POINTS[3], RECIPE, tiny)}
    trained(store, Plan(named, chain, None), MadeUp(fails=None))
    alone = plan_of([SqueezeNet(8, 8, sr=0.25)], tiny, replicates=2)
    own = replace(alone.study, name="own/tiny-quick", experiment="own")
    trained(store, replace(alone, study=own), MadeUp(fails=None))
    first, pruned = (point.cell.id for point in plan.points)
    with store.sweeping([plan.study.trains]) as held:
        gone = forget(held, STUDY, [first], [1])
        # The network, pruned, pruned and quantised, and coded: replicate 1 of each.
        assert (gone.runs, gone.studies) == (4, ("other/tiny-quick", STUDY))
        gone = forget(held, STUDY, [pruned], [0])
        assert gone.runs == 3
    left = view(store, "runs").drop_duplicates("run_id")
    found = sorted(zip(left["cell_id"], left["replicate"], strict=True))
    other = alone.points[0].cell.id
    assert found == sorted([(first, 0), (other, 0), (other, 1)])


def test_what_a_point_begins_from_is_trained_and_entered_after_it(tiny, tmp_path):
    store = open_store(f"sqlite:///{tmp_path}/dse.db")
    plan = replace(plan_of([POINTS[3], POINTS[1]], tiny), names=("last", "first"))
    depths = [len(point.cell.stages) for point in plan.points]
    assert depths == [3, 1, 0, 2]
    assert list(plan.called.values())[:2] == ["last", "first"]
    assert (plan.runs, plan.has_stages) == (4, True)
    events = trained(store, plan, MadeUp(fails=None))
    assert len([event for event in events if isinstance(event, Done)]) == 4
    entered = view(store, "cells", STUDY).sort_values("position")
    assert entered["cell_id"].tolist() == [point.cell.id for point in plan.points]


def test_a_shard_has_whole_chains(tiny):
    other = SqueezeNet(8, 8, sr=0.25)
    points = [*POINTS, other, Staged(other, STAGES[:1])]
    plan = plan_of(points, tiny)
    ids = [point.cell.id for point in plan.points]
    parts = [cells_of_shard([plan], f"{part}/2") for part in (1, 2)]
    assert sorted(map(len, parts)) == [2, 4]
    assert {frozenset(part) for part in parts} == {
        frozenset(ids[:4]),
        frozenset(ids[4:]),
    }


@dataclass(frozen=True)
class Dense(Family, name="dense_own"):
    """A family whose metaparameter is called as a stage's."""

    bits: int = whole(4, "of something else")

    def architecture(self, input_shape, classes):
        net = Build(input_shape, classes)
        return net.average("scores").done()


def test_a_family_that_has_a_stage_s_field_is_refused():
    with pytest.raises(DseError, match="dense_own has a metaparameter bits, as a"):
        Staged(Dense(), STAGES[:1])


def test_values_of_the_network_and_of_its_stages_are_changed_alike():
    point = Staged(POINT, STAGES)
    changed = point.changed({"density": 0.5, "sr": 0.25})
    assert changed.point.sr == 0.25
    assert changed.stages[0].density == 0.5
    assert changed.values["stages"] == "prune, quantise, code"
    assert changed.short().endswith(
        ", prune 50 % kept, prune_epochs 2, quantise bits 5, code gap_bits 4"
    )
    with pytest.raises(DseError, match=r"there is no 'densty'.*did you mean density"):
        point.changed({"densty": 0.5})
