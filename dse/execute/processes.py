"""Worker processes on this machine."""

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Pipe, wait
from pathlib import Path
from typing import IO

from dse.data.dataset import ImageData
from dse.errors import DseError
from dse.execute import start
from dse.execute.environment import worker_environment
from dse.execute.execution import Execution
from dse.execute.imports import difference, import_variables
from dse.execute.jobs import (
    Assignment,
    Job,
    JobEnded,
    JobQueue,
    Ready,
    Setting,
    Unable,
)
from dse.machine import (
    available_bytes,
    available_cores,
    gpu_environments,
    held_bytes,
    killed_for_memory,
)
from dse.runs.events import Event, Reason
from dse.runs.paths import append_to
from dse.runs.runlog import end_of, end_of_run

WORKER = (sys.executable, "-P", start.__file__)
WORKERS_LOG = "logs/workers.log"
"""What workers print before their first run, beside the database."""

ENDED_BY_OTHERS = (-signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP)
"""How a process ends whom somebody ends: another may do better in its place."""

SECONDS_TO_END = 5.0
LOOK_SECONDS = 0.25
"""How often workers are looked at, besides when they say something."""


@dataclass(frozen=True)
class Limits:
    """What a worker may take before it is ended.

    Attributes:
        silent_seconds: without a word about the run under way.
        held_bytes: of memory.
    """

    silent_seconds: float
    held_bytes: int

    @classmethod
    def of(cls, execution: Execution) -> "Limits":
        """The limits that are asked for; by default all memory that is free."""
        gib = execution.memory_limit
        memory = available_bytes() if gib is None else int(gib * 2**30)
        return cls(60 * execution.time_limit, memory)


class ProcessExecutor:
    """Worker processes, each with one thread of its own, or with a GPU or part of one.

    A worker that dies, hangs or takes too much memory is replaced. On CPUs, where the
    workers take all cores, each keeps to one.

    Args:
        dataset: what to train on.
        workers: how many.
        folder: for logs, checkpoints and weights; None for none of them.
        gpus: which GPUs they share; none for CPUs.
        limits: what each may take.
        deterministic: whether a GPU must give the same bits each time.
        keeps_weights: whether weights of completed runs are kept.
    """

    def __init__(
        self,
        dataset: ImageData,
        workers: int,
        folder: Path | None = None,
        *,
        gpus: tuple[str, ...] = (),
        limits: Limits | None = None,
        deterministic: bool = False,
        keeps_weights: bool = True,
    ) -> None:
        self.workers = workers
        self._setting = Setting(dataset, folder, keeps_weights)
        # Who compiles for a GPU has cores to spare, and takes every job in turn.
        self._compile_ahead = bool(gpus) and workers == 1
        self._limits = limits or Limits.of(Execution())
        self._peaks: dict[int, int] = {}
        self._pool: list[_Worker] = []
        self._places = _places(workers, gpus, deterministic=deterministic)

    def start(self, jobs: int) -> None:
        """See `Executor.start`."""
        while len(self._pool) < min(jobs, self.workers):
            self._add_worker()

    def run(self, queue: JobQueue) -> Iterator[Event]:
        """See `Executor.run`.

        Raises:
            DseError: a worker cannot train, nor could another in its place; what was
                under way is as if its driver had been killed.
        """
        while self._hand_out(queue):
            busy = [worker.connection for worker in self._pool if worker.assignment]
            ready = wait(busy, LOOK_SECONDS)
            for worker in [w for w in self._pool if w.connection in ready]:
                yield from self._receive(worker, queue)
            for worker in [w for w in self._pool if w.assignment]:
                yield from self._look_at(worker, queue)

    def _hand_out(self, queue: JobQueue) -> bool:
        """Give every free worker a job; whether any worker is busy then."""
        busy = sum(worker.assignment is not None for worker in self._pool)
        while busy < self.workers and (job := queue.take()) is not None:
            free = (w for w in self._pool if w.assignment is None)
            upcoming = queue.following() if self._compile_ahead else None
            (next(free, None) or self._add_worker()).start(job, upcoming)
            busy += 1
        return busy > 0

    def _add_worker(self) -> "_Worker":
        taken = [worker.place for worker in self._pool]
        place = next(place for place in self._places if place not in taken)
        worker = _Worker(self._setting, place)
        self._pool.append(worker)
        return worker

    @property
    def peak_bytes(self) -> int:
        """See `Executor`."""
        return sum(self._peaks.values())

    def _receive(self, worker: "_Worker", queue: JobQueue) -> Iterator[Event]:
        try:
            message = worker.connection.recv()
        except (EOFError, OSError, pickle.UnpicklingError):
            yield from self._replace(worker, queue, *worker.how_it_ended())
            return
        worker.heard = time.monotonic()
        assert worker.assignment is not None
        if isinstance(message, Unable):
            raise worker.cannot_train(message.why)
        if isinstance(message, Ready):
            worker.is_ready = True
            if (told := difference(message.origins)) is not None:
                raise DseError(told)
            return
        if isinstance(message, JobEnded):
            queue.put_back_rest(worker.assignment)
            worker.assignment = None
            return
        worker.assignment.hear(message)
        yield message

    def _look_at(self, worker: "_Worker", queue: JobQueue) -> Iterator[Event]:
        """End a worker that goes beyond its limits."""
        limits = self._limits
        unheard = worker.connection.poll()  # while the database was away
        silent = 0.0 if unheard else time.monotonic() - worker.heard
        held = held_bytes(worker.process.pid)
        number = worker.place.number
        self._peaks[number] = max(self._peaks.get(number, 0), held)
        if silent > limits.silent_seconds:
            minutes = limits.silent_seconds / 60
            detail = f"nothing was heard of it for {minutes:g} minutes (--time-limit)"
            yield from self._replace(worker, queue, "hung", detail)
        elif held > limits.held_bytes:
            detail = (
                f"its worker held {held / 2**30:.2f} GiB, and may hold "
                f"{limits.held_bytes / 2**30:.2f} (--memory-limit)"
            )
            yield from self._replace(worker, queue, "memory", detail)

    def _replace(
        self, worker: "_Worker", queue: JobQueue, reason: Reason, detail: str
    ) -> Iterator[Event]:
        """Do without a worker; the next job gets another one."""
        self._pool.remove(worker)
        worker.end()
        if worker.assignment is not None:
            yield from worker.assignment.fail(reason, detail)
            queue.put_back_rest(worker.assignment)

    def close(self) -> None:
        """Stop the workers at once."""
        for worker in self._pool:
            worker.process.kill()
        for worker in self._pool:
            worker.end()
        self._pool.clear()


@dataclass(frozen=True)
class _Place:
    """Where a worker runs."""

    number: int
    environment: tuple[tuple[str, str], ...]
    core: int | None = None


def _places(
    workers: int, gpus: tuple[str, ...], *, deterministic: bool
) -> list[_Place]:
    around = {**os.environ, **import_variables()}
    if gpus:
        common = worker_environment(around, on_gpu=True, deterministic=deterministic)
        return [
            _Place(number, tuple((common | own).items()))
            for number, own in enumerate(gpu_environments(gpus, workers))
        ]
    no_gpu = {"JAX_PLATFORMS": "cpu"}
    environment = tuple((worker_environment(around) | no_gpu).items())
    cores: list[int | None] = [None] * workers
    if hasattr(os, "sched_getaffinity") and available_cores() == workers:
        cores = list(os.sched_getaffinity(0))
    return [_Place(number, environment, core) for number, core in enumerate(cores)]


class _Worker:
    """A process that trains, and the connection to it."""

    def __init__(self, setting: Setting, place: _Place) -> None:
        self.place = place
        self.connection, theirs = Pipe()
        self.assignment: Assignment | None = None
        self.heard = time.monotonic()
        self.is_ready = False
        self._folder = setting.folder
        self._log = _open_log(setting.folder)
        self._log_before = self._log.seek(0, os.SEEK_END)
        self._killed_before = killed_for_memory()
        number = theirs.fileno()
        self.process = subprocess.Popen(
            [*WORKER, str(number), str(os.getpid())],
            env=dict(place.environment),
            pass_fds=[number],
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
        )
        if place.core is not None:
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(self.process.pid, {place.core})
        theirs.close()
        self._send(setting)

    def start(self, job: Job, upcoming: Job | None = None) -> None:
        self.assignment, self.heard = Assignment(job), time.monotonic()
        self._send((job, upcoming))

    def _send(self, message: object) -> None:
        """Send; a worker that is gone shows itself when it is next heard."""
        with contextlib.suppress(BrokenPipeError):
            self.connection.send(message)

    def how_it_ended(self) -> tuple[Reason, str]:
        """Why the process is no more: the kernel may have ended it for its memory.

        Raises:
            DseError: it ended by itself before it could train.
        """
        try:
            status = self.process.wait(SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            return "lost", "what its worker said could not be understood"
        if status == -signal.SIGKILL and killed_for_memory() > self._killed_before:
            return "memory", "the kernel ended its worker, as memory ran out"
        ended = f"the worker process ended with status {status}"
        if last := self._last_lines():
            ended = f"{ended}; its log ends: {last}"
        if not self.is_ready and status not in ENDED_BY_OTHERS:
            raise self.cannot_train(ended)
        return "lost", ended

    def cannot_train(self, why: str) -> DseError:
        """What to tell of surroundings in which no worker can train."""
        log = "" if self._folder is None else f" ({self._folder / WORKERS_LOG})"
        return DseError(
            f"no worker can train here: {why}{log}; no run has lost a try, so repeat "
            "the command when that is mended"
        )

    def _last_lines(self) -> str:
        """What the process printed last: into the log of the run that it began last."""
        job = self.assignment
        if self._folder is None or job is None or job.begun_last is None:
            return end_of(self._log, self._log_before)
        return end_of_run(self._folder, job.job.cell.id, job.begun_last)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self.connection.close()
        self._log.close()


def _open_log(folder: Path | None) -> IO[bytes]:
    """Where a worker prints to, which its driver can read."""
    if folder is not None:
        with contextlib.suppress(OSError):  # a link, or the like
            return append_to(folder / WORKERS_LOG)
    return tempfile.TemporaryFile()
