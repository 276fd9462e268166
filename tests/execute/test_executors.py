"""The serial executor, the same bits from every executor, and what is refused."""

import numpy as np
import pytest

from dse.errors import DseError
from dse.execute import executors
from dse.execute.execution import Execution
from dse.execute.executors import SerialExecutor, make_executor
from dse.execute.jobs import Job, JobQueue
from dse.execute.processes import ProcessExecutor
from dse.families.squeezenet import SqueezeNet
from dse.runs.events import Done, EpochEnded, Failed, Started
from dse.runs.recipe import Recipe
from dse.study.plan import make_point

RECIPE = Recipe(4, 0.05, batch_size=16, warmup_share=0.3)


@pytest.fixture(scope="module")
def jobs(tiny):
    recipe = RECIPE.resolved(tiny.name, tiny.image_shape)
    points = [
        make_point(SqueezeNet(8, 8, sr=0.5, pct_3x3=pct), recipe, tiny)
        for pct in (0.25, 0.75)
    ]
    return [Job(point.cell, (0, 1)) for point in points]


def results(executor, jobs):
    """What every run came to; a failure is a result like another."""
    try:
        events = list(executor.run(JobQueue(jobs)))
    finally:
        executor.close()
    return {
        (e.cell_id, e.replicate): (e.metrics, e.weights)
        if isinstance(e, Done)
        else (e.detail, {})
        for e in events
        if isinstance(e, Done | Failed)
    }


def assert_same_bits(these, those):
    assert len(these) == 4
    assert sum(bool(weights) for _, weights in these.values()) >= 2
    assert these.keys() == those.keys()
    for key, (metrics, weights) in these.items():
        assert those[key][0] == metrics
        for name, arrays in weights.items():
            for part, values in arrays.items():
                np.testing.assert_array_equal(those[key][1][name][part], values)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2, 4])
def test_serial_and_processes_give_the_same_bits(tiny, jobs, workers):
    serial = results(SerialExecutor(tiny), jobs)
    assert_same_bits(serial, results(ProcessExecutor(tiny, workers), jobs))


class Recorder:
    """In place of a trainer: two epochs a replicate, and a record of what was asked."""

    def __init__(self, fails=()):
        self.asked = []
        self._fails = set(fails)

    def prepare(self, cell, replicates):
        self.asked.append(("prepare", cell.id, replicates))

    def train(self, cell, replicates):
        self.asked.append(("train", cell.id, replicates))
        for replicate in replicates:
            yield Started(cell.id, replicate, "none")
            if replicate in self._fails:
                raise RuntimeError("no such luck")
            for epoch in (1, 2):
                yield EpochEnded(cell.id, replicate, epoch, {}, 10, 0.1)
            scores = {
                part: {"accuracy": 0.5, "loss": 1.0} for part in ("validation", "test")
            }
            yield Done(cell.id, replicate, scores, 0.0, 0.0, 0.0, {})


def test_the_next_job_is_prepared_while_one_trains(tiny, jobs):
    executor = SerialExecutor(tiny)
    executor.close()
    executor._trainer = recorder = Recorder()
    first, second = (job.cell.id for job in jobs)
    list(executor.run(JobQueue([Job(job.cell, (0,)) for job in jobs])))
    assert recorder.asked == [
        ("train", first, (0,)),
        ("prepare", second, (0,)),
        ("prepare", second, (0,)),
        ("train", second, (0,)),
    ]


def test_what_was_to_follow_an_error_is_done_all_the_same(tiny, jobs, tmp_path):
    executor = SerialExecutor(tiny, tmp_path)
    executor.close()
    executor._trainer = Recorder(fails=[0])
    events = list(executor.run(JobQueue(jobs[:1])))
    ends = [e for e in events if isinstance(e, Done | Failed)]
    assert [(e.replicate, type(e)) for e in ends] == [(0, Failed), (1, Done)]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (
            {"executor": "threads"},
            "executor is 'threads'; expected one of serial, process, ray",
        ),
        ({"workers": 0}, "workers is 0; expected a whole number from 1 to 4,096"),
        ({"executor": "serial", "workers": 2}, "the serial executor has one"),
        ({"gpus": -1}, "gpus is -1"),
        ({"time_limit": 0}, "time_limit is 0; expected a number from 0.01 to"),
        ({"memory_limit": -1}, "memory_limit is -1"),
        ({"executor": "serial", "memory_limit": 2}, "only --executor process has"),
        ({"executor": "ray", "memory_limit": 2}, "only --executor process has"),
        ({"memory_limit": 0.01}, "memory_limit is 0.01; expected a number from 0.25"),
        ({"address": "here:1"}, "goes with --executor ray"),
    ],
)
def test_what_makes_no_sense_is_refused(asked, said):
    with pytest.raises(DseError, match=said):
        Execution(**asked)


def test_more_gpus_than_there_are(tiny):
    with pytest.raises(DseError, match="gpus is 3; this machine has 0 that JAX can"):
        make_executor(Execution(executor="process", gpus=3), tiny)


def test_a_serial_executor_cannot_do_without_a_gpu_that_is_here(tiny, monkeypatch):
    monkeypatch.setattr(executors, "visible_gpus", lambda: ("0",))
    with pytest.raises(DseError, match="gpus is 0, and the serial executor takes what"):
        make_executor(Execution(executor="serial", gpus=0), tiny)
