"""Worker processes on this machine."""

import pickle
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path

from dse.data.dataset import ImageData
from dse.errors import DseError
from dse.execute.execution import Execution
from dse.execute.imports import difference
from dse.execute.jobs import (
    JobEnded,
    JobQueue,
    Ready,
    Setting,
    Unable,
)
from dse.execute.worker_process import WorkerProcess, places
from dse.machine import (
    available_bytes,
    held_bytes,
)
from dse.runs.events import Event, Reason

LOOK_SECONDS = 0.25
"""Seconds between two looks at the workers; a message is read at once."""


@dataclass(frozen=True)
class Limits:
    """Limits beyond which the driver ends a worker.

    Attributes:
        silent_seconds: Seconds without a message about its run.
        held_bytes: Bytes of memory.
    """

    silent_seconds: float
    held_bytes: int

    @classmethod
    def of(cls, execution: Execution) -> "Limits":
        """Take the limits from `execution`; by default all memory that is free."""
        gib = execution.memory_limit
        memory = available_bytes() if gib is None else int(gib * 2**30)
        return cls(60 * execution.time_limit, memory)


class ProcessExecutor:
    """Worker processes, each with one CPU thread, or with a GPU or part of one.

    A worker that dies, hangs or takes too much memory is replaced. Where there are as
    many workers as cores, each worker keeps to one core.

    Args:
        dataset: The images to train on.
        workers: Number of processes.
        folder: Folder for logs, checkpoints and weights; None keeps none of them.
        gpus: GPUs that the workers share; empty for CPUs.
        limits: Limits of each worker.
        deterministic: True if a GPU must give the same bits each time.
        keeps_weights: True if weights of completed runs are kept.
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
        # A lone GPU worker gets every job in turn, and has cores to compile the next.
        self._compile_ahead = bool(gpus) and workers == 1
        self._limits = limits or Limits.of(Execution())
        self._peaks: dict[int, int] = {}
        self._pool: list[WorkerProcess] = []
        self._places = places(workers, gpus, deterministic=deterministic)

    def start(self, jobs: int) -> None:
        """See `Executor.start`."""
        while len(self._pool) < min(jobs, self.workers):
            self._add_worker()

    def run(self, queue: JobQueue) -> Iterator[Event]:
        """See `Executor.run`.

        Raises:
            DseError: No worker can train here. The runs under way are left as if the
                driver had been killed.
        """
        while self._hand_out(queue):
            busy = [worker.connection for worker in self._pool if worker.assignment]
            ready = wait(busy, LOOK_SECONDS)
            for worker in [w for w in self._pool if w.connection in ready]:
                yield from self._receive(worker, queue)
            for worker in [w for w in self._pool if w.assignment]:
                yield from self._look_at(worker, queue)

    def _hand_out(self, queue: JobQueue) -> bool:
        """Give every free worker a job; return True if any worker is busy then."""
        busy = sum(worker.assignment is not None for worker in self._pool)
        while busy < self.workers and (job := queue.take()) is not None:
            free = (w for w in self._pool if w.assignment is None)
            upcoming = queue.following() if self._compile_ahead else None
            (next(free, None) or self._add_worker()).start(job, upcoming)
            busy += 1
        return busy > 0

    def _add_worker(self) -> WorkerProcess:
        taken = [worker.place for worker in self._pool]
        place = next(place for place in self._places if place not in taken)
        worker = WorkerProcess(self._setting, place)
        self._pool.append(worker)
        return worker

    @property
    def peak_bytes(self) -> int:
        """See `Executor`."""
        return sum(self._peaks.values())

    def _receive(self, worker: WorkerProcess, queue: JobQueue) -> Iterator[Event]:
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
            if (elsewhere := difference(message.origins)) is not None:
                raise DseError(elsewhere)
            return
        if isinstance(message, JobEnded):
            queue.put_back_rest(worker.assignment)
            worker.assignment = None
            return
        worker.assignment.hear(message)
        yield message

    def _look_at(self, worker: WorkerProcess, queue: JobQueue) -> Iterator[Event]:
        """Replace a worker that is beyond its limits."""
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
        self, worker: WorkerProcess, queue: JobQueue, reason: Reason, detail: str
    ) -> Iterator[Event]:
        """End a worker; the next job gets a new one."""
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
