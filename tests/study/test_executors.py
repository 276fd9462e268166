"""The same bits from every executor, and lost workers replaced."""

import os
import signal
from dataclasses import replace

import numpy as np
import pytest

from dse.arch.squeezenet import Metaparameters
from dse.study import executors
from dse.study.executors import Job, ProcessExecutor, SerialExecutor
from dse.study.plan import make_point
from dse.train.events import Done, EpochEnded, Failed, Started
from dse.train.recipe import Recipe

RECIPE = Recipe(4, 0.05, batch_size=16, warmup_share=0.3)


@pytest.fixture(scope="module")
def jobs(tiny):
    recipe = RECIPE.resolved(tiny.name, tiny.image_shape)
    points = [
        make_point(Metaparameters(8, 8, sr=0.5, pct_3x3=pct), recipe, tiny)
        for pct in (0.25, 0.75)
    ]
    return [Job(point.cell, (0, 1)) for point in points]


def results(events):
    """What every run came to; a failure is a result like another."""
    return {
        (e.cell_id, e.replicate): (e.metrics, e.weights)
        if isinstance(e, Done)
        else (e.detail, {})
        for e in events
        if isinstance(e, Done | Failed)
    }


@pytest.mark.slow
def test_serial_and_processes_give_the_same_bits(tiny, jobs):
    serial = results(SerialExecutor(tiny).run(jobs))
    executor = ProcessExecutor(tiny, workers=2)
    try:
        together = results(executor.run(jobs))
    finally:
        executor.close()
    assert len(serial) == 4
    assert sum(bool(weights) for _, weights in serial.values()) >= 2
    assert serial.keys() == together.keys()
    for key, (metrics, weights) in serial.items():
        assert together[key][0] == metrics
        for name, arrays in weights.items():
            for part, values in arrays.items():
                np.testing.assert_array_equal(together[key][1][name][part], values)


@pytest.mark.slow
def test_a_killed_workers_runs_are_lost_and_the_rest_goes_on(tiny, jobs):
    executor = ProcessExecutor(tiny, workers=1)
    try:
        events = []
        for event in executor.run(jobs):
            events.append(event)
            if len(events) == 2:
                assert isinstance(event, EpochEnded)
                os.kill(executor._pool[0].process.pid, signal.SIGKILL)
    finally:
        executor.close()
    failed = [e for e in events if isinstance(e, Failed)]
    assert {e.cell_id for e in failed} == {jobs[0].cell.id}
    assert {e.reason for e in failed} == {"lost"}
    assert "status -9" in failed[0].detail
    done = [e for e in events if isinstance(e, Done)]
    # The worker may have sent more before it died; nothing ends twice.
    ended = [(e.cell_id, e.replicate) for e in [*failed, *done]]
    assert sorted(ended) == sorted((j.cell.id, r) for j in jobs for r in (0, 1))
    assert [e.replicate for e in done if e.cell_id == jobs[1].cell.id] == [0, 1]


@pytest.mark.slow
def test_a_run_that_raises_fails_with_the_error(tiny, jobs, tmp_path):
    def in_colour(images):
        return replace(images, pixels=np.repeat(images.pixels, 3, axis=3))

    # Three channels for networks that were made for one.
    broken = replace(tiny, train=in_colour(tiny.train), test=in_colour(tiny.test))
    executor = ProcessExecutor(broken, workers=1, folder=tmp_path)
    try:
        events = list(executor.run(jobs[:1]))
    finally:
        executor.close()
    assert [type(e) for e in events if isinstance(e, Failed)] == [Failed, Failed]
    assert {e.reason for e in events if isinstance(e, Failed)} == {"error"}
    assert isinstance(events[0], Started | Failed)
    assert "Traceback" in (tmp_path / "workers.log").read_text()


class Recorder:
    """In place of a trainer: two epochs a replicate, and a record of what was asked."""

    def __init__(self):
        self.asked = []

    def prepare(self, cell, replicates):
        self.asked.append(("prepare", cell.id, replicates))

    def train(self, cell, replicates):
        self.asked.append(("train", cell.id, replicates))
        for epoch in (1, 2):
            yield EpochEnded(cell.id, replicates[0], epoch, {}, 10, 0.1)


def test_the_next_job_is_prepared_while_one_trains(tiny, jobs):
    executor = SerialExecutor(tiny)
    executor.close()
    executor._trainer = recorder = Recorder()
    first, second = (job.cell.id for job in jobs)
    list(executor.run(jobs))
    assert recorder.asked == [
        ("train", first, (0, 1)),
        ("prepare", second, (0, 1)),
        ("prepare", second, (0, 1)),
        ("train", second, (0, 1)),
    ]
    # What comes next is unknown of jobs that are made one by one.
    recorder.asked.clear()
    list(executor.run(iter(jobs)))
    assert [verb for verb, *_ in recorder.asked] == ["train", "train"]


def test_workers_by_cores_and_memory(monkeypatch):
    monkeypatch.setattr(executors, "available_cores", lambda: 4)
    for gibibytes, expected in ((100, 4), (2.5, 2), (0.1, 1)):
        free = int(gibibytes * 2**30)
        monkeypatch.setattr(executors, "_available_bytes", lambda free=free: free)
        assert executors.default_workers() == expected


def test_memory_as_linux_tells_it(tmp_path):
    file = tmp_path / "status"
    file.write_text("VmPeak:\t  9 kB\nVmHWM:\t    1234 kB\n")
    assert executors._kibibytes(file, "VmHWM", 0) == 1234 * 1024
    assert executors._kibibytes(file, "VmSwap", 7) == 7
    assert executors._kibibytes(tmp_path / "absent", "VmHWM", 7) == 7


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="needs Linux")
def test_workers_that_take_all_cores_keep_to_one_each(tiny):
    cores = os.sched_getaffinity(0)
    executor = ProcessExecutor(tiny, workers=len(cores))
    try:
        workers = []
        for _ in cores:
            workers.append(executors._Worker(tiny, None, executor._free_core()))
            executor._pool.append(workers[-1])
        pinned = [os.sched_getaffinity(worker.process.pid) for worker in workers]
    finally:
        executor.close()
    assert sorted(core for mine in pinned for core in mine) == sorted(cores)
    few = ProcessExecutor(tiny, workers=len(cores) + 1)
    assert few._free_core() is None


def test_workers_start_before_they_have_work(tiny, jobs):
    executor = ProcessExecutor(tiny, workers=2)
    try:
        executor.start(jobs=0)
        assert not executor._pool
        executor.start(jobs=1)
        [worker] = executor._pool
        executor.start(jobs=5)
        assert len(executor._pool) == 2
        assert executor._pool[0] is worker
        # One that died meanwhile is lost with its job, and replaced.
        worker.process.kill()
        worker.process.wait()
        small = Job(jobs[0].cell, (0,))
        [event] = executor.run([small])
        assert isinstance(event, Failed)
        assert event.reason == "lost"
    finally:
        executor.close()
