"""Worker processes that die, hang, raise and take too much, and are replaced."""

import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pretend
import pytest
from pretend import Mischief, plan_mischief

from dse.errors import DseError
from dse.execute import worker_process
from dse.execute.jobs import Job, JobQueue
from dse.execute.processes import Limits, ProcessExecutor
from dse.families.squeezenet import SqueezeNet
from dse.runs.events import Done, Failed, Started
from dse.runs.recipe import Recipe
from dse.study.plan import make_point

WIDE = Limits(60.0, 2**40)
PRETENDING = (sys.executable, pretend.__file__, "--worker")


@pytest.fixture(scope="module")
def jobs(tiny):
    points = [
        make_point(SqueezeNet(4, 4, pct_3x3=pct), Recipe(2, 0.1), tiny)
        for pct in (0.25, 0.75)
    ]
    return [Job(point.cell, (0, 1)) for point in points]


@pytest.fixture
def executors(tiny, tmp_path, monkeypatch):
    """Makes executors whose workers pretend, and closes them."""
    made = []

    def make(*mischief, workers=1, limits=WIDE, seconds=0.0):
        monkeypatch.setattr(worker_process, "WORKER", PRETENDING)
        told = plan_mischief(tmp_path, *mischief, seconds=seconds)
        monkeypatch.setenv("DSE_PRETEND", told["DSE_PRETEND"])
        made.append(ProcessExecutor(tiny, workers, tmp_path, limits=limits))
        return made[-1]

    yield make
    for executor in made:
        executor.close()


def ends(events):
    """How every run ended: by replicate, in order."""
    return [
        (e.replicate, e.reason if isinstance(e, Failed) else "done")
        for e in events
        if isinstance(e, Done | Failed)
    ]


def test_a_dead_workers_run_is_lost_and_the_rest_goes_on_elsewhere(executors, jobs):
    executor = executors(Mischief("die", replicate=0))
    events = list(executor.run(JobQueue(jobs[:1])))
    assert ends(events) == [(0, "lost"), (1, "done")]
    [failed] = [e for e in events if isinstance(e, Failed)]
    ended, log = failed.detail.split("; its log ends: ")
    assert ended == "the worker process ended with status -9"
    assert "epoch 2: train loss" in log and "epoch 1" not in log


def test_a_worker_that_hangs_is_ended(executors, jobs):
    limits = replace(WIDE, silent_seconds=3.0)
    executor = executors(Mischief("hang", replicate=1), limits=limits)
    began = time.monotonic()
    events = list(executor.run(JobQueue(jobs[:1])))
    assert time.monotonic() - began < 30
    assert ends(events) == [(0, "done"), (1, "hung")]
    assert "nothing was heard of it for 0.05 minutes" in events[-1].detail


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux")
def test_a_worker_that_allocates_without_end_is_ended(executors, jobs):
    limits = replace(WIDE, held_bytes=2**29)
    executor = executors(Mischief("allocate", replicate=0), limits=limits)
    events = list(executor.run(JobQueue(jobs[:1])))
    assert ends(events) == [(0, "memory"), (1, "done")]
    [failed] = [e for e in events if isinstance(e, Failed)]
    assert "GiB, and may hold 0.50 (--memory-limit)" in failed.detail


def test_a_run_that_raises_has_its_traceback_in_its_log(executors, jobs, tmp_path):
    executor = executors(Mischief("raise", replicate=0))
    events = list(executor.run(JobQueue(jobs[:1])))
    assert ends(events) == [(0, "error"), (1, "done")]
    log = (tmp_path / "logs" / f"{jobs[0].cell.id}-0.log").read_text()
    assert "failed, error: RuntimeError: a pretended error" in log
    assert "Traceback (most recent call last)" in log
    other = (tmp_path / "logs" / f"{jobs[0].cell.id}-1.log").read_text()
    assert "done: test accuracy" in other
    assert "Traceback" not in other


def test_a_result_that_is_no_number_has_diverged(executors, jobs):
    executor = executors(Mischief("nan", replicate=1))
    assert ends(executor.run(JobQueue(jobs[:1]))) == [(0, "done"), (1, "diverged")]


STARTS = (
    "import sys, os; from dse.execute import worker\n"
    "def trainer_for(dataset, folder):\n"
    "    {does}\n"
    "worker.trainer_for = trainer_for\n"
    "worker.main(int(sys.argv[1]), int(sys.argv[2]))\n"
)


@pytest.mark.parametrize(
    ("does", "said"),
    [
        ("import no_such_package", "ModuleNotFoundError: No module named 'no_such_p"),
        ("raise RuntimeError('no device\\nat all')", "RuntimeError: no device"),
        ("print('no \\x1b[31mluck', flush=True); os.abort()", "no \\x1b[31mluck"),
        (
            "sys.stderr.write('a' * 9000); os._exit(3)",
            "with status 3; its log ends: …a",
        ),
    ],
)
@pytest.mark.parametrize("logged", [True, False])
def test_who_cannot_start_stops_the_sweep(
    executors, jobs, tmp_path, monkeypatch, does, said, logged
):
    executor = executors()
    monkeypatch.setattr(
        worker_process, "WORKER", (sys.executable, "-c", STARTS.format(does=does))
    )
    if not logged:
        executor._setting = replace(executor._setting, folder=None)
    events = []
    with pytest.raises(DseError) as refusal:
        events += executor.run(JobQueue(jobs))
    assert events == []
    assert "no worker can train here: " in str(refusal.value)
    assert said in str(refusal.value)
    assert ("workers.log" in str(refusal.value)) == logged
    assert len(str(refusal.value)) < 700
    assert str(refusal.value).isprintable()


def test_what_is_lost_quotes_what_its_worker_printed(executors, jobs):
    executor = executors(Mischief("abort", replicate=0))
    events = list(executor.run(JobQueue(jobs[:1])))
    assert ends(events) == [(0, "lost"), (1, "done")]
    [failed] = [e for e in events if isinstance(e, Failed)]
    assert failed.detail.startswith("the worker process ended with status -6; its log")
    assert failed.detail.endswith("10,000 images/s | Check failed: \\x07 1 == 2")


def test_what_stands_in_the_way_of_a_run_stops_the_sweep(executors, jobs):
    """As a disk that is full: whatever run came next would end so too."""
    executor = executors(Mischief("refuse", replicate=0))
    with pytest.raises(DseError, match=r"here: a pretended refusal \(.*workers.log"):
        list(executor.run(JobQueue(jobs[:1])))


def test_of_two_workers_one_is_lost_and_soon_replaced(executors, jobs):
    executor = executors(Mischief("die", replicate=0), workers=2, seconds=0.2)
    queue, ended = JobQueue(jobs), []
    lost_at = None
    for event in executor.run(queue):
        if isinstance(event, Failed):
            lost_at = lost_at or time.monotonic()
            queue.put_back(Job(queue.cells[event.cell_id], (event.replicate,)))
        if isinstance(event, Started) and lost_at:
            assert time.monotonic() - lost_at < 10
        if isinstance(event, Done):
            ended.append((event.cell_id, event.replicate))
    assert sorted(ended) == sorted((j.cell.id, r) for j in jobs for r in (0, 1))


def test_workers_start_before_they_have_work(executors, jobs):
    executor = executors(workers=2)
    executor.start(jobs=0)
    assert not executor._pool
    executor.start(jobs=1)
    [worker] = executor._pool
    executor.start(jobs=5)
    assert len(executor._pool) == 2
    assert executor._pool[0] is worker
    # One that died meanwhile loses the run that it is given, and is replaced.
    worker.process.kill()
    worker.process.wait()
    assert ends(executor.run(JobQueue([jobs[0]]))) == [(0, "lost"), (1, "done")]


def test_one_worker_of_a_gpu_knows_what_comes_next(executors, jobs, monkeypatch):
    sent = []
    monkeypatch.setattr(
        worker_process.WorkerProcess, "_send", lambda _, x: sent.append(x)
    )
    for gpus, upcoming in ((("0",), jobs[1]), ((), None)):
        executor = executors()
        executor._compile_ahead = bool(gpus)
        executor._hand_out(JobQueue(jobs))
        assert sent[-1] == (jobs[0], upcoming)


def test_closing_ends_the_workers(executors, jobs):
    executor = executors(Mischief("hang", replicate=0))
    for event in executor.run(JobQueue(jobs[:1])):
        if isinstance(event, Started):
            break
    pid = executor._pool[0].process.pid
    executor.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="needs Linux")
def test_workers_that_take_all_cores_keep_to_one_each(executors):
    cores = os.sched_getaffinity(0)
    executor = executors(workers=len(cores))
    executor.start(len(cores))
    pinned = [os.sched_getaffinity(w.process.pid) for w in executor._pool]
    assert sorted(core for mine in pinned for core in mine) == sorted(cores)
    few = executors(workers=len(cores) + 1)
    assert {place.core for place in few._places} == {None}


@pytest.mark.slow
def test_images_of_another_shape_are_an_error_of_each_run(tiny, jobs, tmp_path):
    """A real worker, with JAX: three channels for networks that were made for one."""

    def in_colour(images):
        return replace(images, pixels=np.repeat(images.pixels, 3, axis=3))

    broken = replace(tiny, train=in_colour(tiny.train), test=in_colour(tiny.test))
    executor = ProcessExecutor(broken, workers=1, folder=tmp_path)
    try:
        events = list(executor.run(JobQueue(jobs[:1])))
    finally:
        executor.close()
    assert ends(events) == [(0, "error"), (1, "error")]
    assert "Traceback" in (tmp_path / f"logs/{jobs[0].cell.id}-0.log").read_text()
