"""Executors: jobs in, events out. They know nothing of databases, nor of Optuna."""

import contextlib
import os
import pickle
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from multiprocessing.connection import Pipe, wait
from pathlib import Path
from typing import Protocol

from dse.data.dataset import ImageData
from dse.errors import DseError
from dse.train.cell import Cell
from dse.train.device import use_one_thread, worker_environment
from dse.train.events import Done, EpochEnded, Event, Failed
from dse.train.guard import train_guarded

WORKER = (sys.executable, "-m", "dse.study.worker")
WORKERS_LOG = "workers.log"
WORKER_BYTES = 2**30
"""What a worker is given of memory when their number is chosen; most take half."""


@dataclass(frozen=True)
class Job:
    """Replicates of one cell, to be trained one after the other."""

    cell: Cell
    replicates: tuple[int, ...]


@dataclass(frozen=True)
class JobEnded:
    """What a worker sends when it is free again."""


class Executor(Protocol):
    """Runs jobs on one dataset and yields their events as they come.

    Jobs are taken one by one as workers become free, so a lazy iterable may end early.
    """

    workers: int

    @property
    def peak_bytes(self) -> int:
        """Most memory that the workers were seen to hold, all together."""

    def start(self, jobs: int) -> None:
        """Get ready for so many jobs, while the caller goes on."""

    def run(self, jobs: Iterable[Job]) -> Iterator[Event]:
        """Run `jobs` to their end; every run ends in `Done` or `Failed`."""

    def close(self) -> None:
        """Stop what is under way."""


class SerialExecutor:
    """One job after the other in this process, the next one compiled meanwhile."""

    workers = 1

    def __init__(self, dataset: ImageData, folder: Path | None = None) -> None:
        if not has_accelerator():
            use_one_thread()
        from dse.train.trainers import trainer_for

        self._trainer = trainer_for(dataset, folder)

    def start(self, jobs: int) -> None:
        """See `Executor.start`."""

    def run(self, jobs: Iterable[Job]) -> Iterator[Event]:
        """See `Executor.run`. Of jobs in a list, the next is known ahead."""
        following = jobs[1:] if isinstance(jobs, list) else []
        for job, upcoming in zip_longest(jobs, following):
            events = train_guarded(self._trainer, job.cell, job.replicates)
            for event in events:
                yield event
                if upcoming is not None and isinstance(event, EpochEnded):
                    self._trainer.prepare(upcoming.cell, upcoming.replicates)

    @property
    def peak_bytes(self) -> int:
        """See `Executor`."""
        return _peak_bytes(os.getpid())

    def close(self) -> None:
        """Nothing is under way between two events, but for a compilation."""
        self._trainer.close()


class ProcessExecutor:
    """Worker processes on this machine, each with one thread of its own.

    A worker that dies is replaced; its unfinished runs fail with reason `lost`. Where
    the workers take all cores, each keeps to one.
    """

    def __init__(
        self, dataset: ImageData, workers: int, folder: Path | None = None
    ) -> None:
        self.workers = workers
        self._peaks: dict[int, int] = {}
        self._dataset = dataset
        self._folder = folder
        self._pool: list[_Worker] = []

    def start(self, jobs: int) -> None:
        """See `Executor.start`."""
        while len(self._pool) < min(jobs, self.workers):
            self._add_worker()

    def run(self, jobs: Iterable[Job]) -> Iterator[Event]:
        """See `Executor.run`."""
        waiting = iter(jobs)
        while self._hand_out(waiting):
            ready = wait([worker.connection for worker in self._pool if worker.job])
            for worker in [w for w in self._pool if w.connection in ready]:
                yield from self._receive(worker)

    def _hand_out(self, waiting: Iterator[Job]) -> bool:
        """Give every free worker a job; whether any worker is busy then."""
        busy = sum(worker.job is not None for worker in self._pool)
        while busy < self.workers and (job := next(waiting, None)) is not None:
            worker = next((w for w in self._pool if w.job is None), None)
            if worker is None:
                worker = self._add_worker()
            worker.start(job)
            busy += 1
        return busy > 0

    def _add_worker(self) -> "_Worker":
        worker = _Worker(self._dataset, self._folder, self._free_core())
        self._pool.append(worker)
        return worker

    def _free_core(self) -> int | None:
        """A core for the next worker to keep to."""
        if not hasattr(os, "sched_getaffinity"):
            return None
        cores = os.sched_getaffinity(0)
        taken = {worker.core for worker in self._pool}
        return min(cores - taken, default=None) if len(cores) == self.workers else None

    @property
    def peak_bytes(self) -> int:
        """See `Executor`."""
        return sum(self._peaks.values())

    def _receive(self, worker: "_Worker") -> Iterator[Event]:
        try:
            message = worker.connection.recv()
        except (EOFError, ConnectionError, pickle.UnpicklingError):
            self._pool.remove(worker)
            yield from worker.lost()
            return
        if isinstance(message, JobEnded):
            self._peaks[worker.process.pid] = _peak_bytes(worker.process.pid)
            worker.job, worker.unfinished = None, set()
            return
        if isinstance(message, Done | Failed):
            worker.unfinished.discard(message.replicate)
        yield message

    def close(self) -> None:
        """Stop the workers at once."""
        for worker in self._pool:
            worker.process.kill()
        for worker in self._pool:
            worker.connection.close()
            worker.process.wait()
        self._pool.clear()


class _Worker:
    """A process that trains, and the connection to it."""

    def __init__(
        self, dataset: ImageData, folder: Path | None, core: int | None
    ) -> None:
        self.core = core
        self.connection, theirs = Pipe()
        self.job: Job | None = None
        self.unfinished: set[int] = set()
        number = theirs.fileno()
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        log = None if folder is None else folder / WORKERS_LOG
        sink = subprocess.DEVNULL if log is None else log.open("ab")
        self.process = subprocess.Popen(
            [*WORKER, str(number), str(os.getpid())],
            env={**os.environ, **worker_environment()},
            pass_fds=[number],
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
        )
        if core is not None:
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(self.process.pid, {core})
        theirs.close()
        if not isinstance(sink, int):
            sink.close()
        self._send((dataset, folder))

    def start(self, job: Job) -> None:
        self.job, self.unfinished = job, set(job.replicates)
        self._send(job)

    def _send(self, message: object) -> None:
        """Send; a worker that is gone shows itself when it is next heard."""
        try:
            self.connection.send(message)
        except BrokenPipeError:
            return

    def lost(self) -> Iterator[Failed]:
        status = self.process.wait()
        self.connection.close()
        if self.job is not None:
            for replicate in sorted(self.unfinished):
                yield Failed(
                    self.job.cell.id,
                    replicate,
                    "lost",
                    f"the worker process ended with status {status}",
                )


def make_executor(
    kind: str | None,
    dataset: ImageData,
    workers: int | None,
    folder: Path | None = None,
) -> Executor:
    """The executor called `kind`; None for what suits the machine.

    Args:
        kind: serial or process.
        dataset: what to train on.
        workers: processes; None for one a core.
        folder: for the workers' log and for checkpoints; None for neither.

    Raises:
        DseError: there is none of that name, or fewer than one worker.
    """
    if workers is not None and workers < 1:
        raise DseError(f"workers is {workers}; expected 1 or more")
    if kind is None:
        kind = "serial" if has_accelerator() else "process"
    if kind == "serial":
        if workers is not None and workers > 1:
            raise DseError(f"workers is {workers}; the serial executor has one")
        return SerialExecutor(dataset, folder)
    if kind == "process":
        return ProcessExecutor(dataset, workers or default_workers(), folder)
    raise DseError(f"no executor is called {kind!r}; expected serial or process")


def default_workers() -> int:
    """A worker for each core, as far as memory goes."""
    return max(1, min(available_cores(), _available_bytes() // WORKER_BYTES))


def _available_bytes() -> int:
    """Memory that programs may still take; without bound where nobody tells."""
    return _kibibytes(Path("/proc/meminfo"), "MemAvailable", sys.maxsize)


def _peak_bytes(process: int) -> int:
    """Most memory that a process was seen to hold; 0 where nobody tells."""
    return _kibibytes(Path(f"/proc/{process}/status"), "VmHWM", 0)


def _kibibytes(file: Path, name: str, otherwise: int) -> int:
    """The bytes of a line `name: N kB` in one of Linux's files."""
    with contextlib.suppress(OSError):
        for line in file.read_text().splitlines():
            if line.startswith(f"{name}:"):
                return 1024 * int(line.split()[1])
    return otherwise


def available_cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def has_accelerator() -> bool:
    """Whether JAX has a plugin for a GPU that is here; asking JAX would claim it."""
    from importlib.util import find_spec

    if os.environ.get("JAX_PLATFORMS", "").startswith("cpu"):
        return False
    nvidia = Path("/dev/nvidiactl").exists() or Path("/dev/dxg").exists()
    cuda = nvidia and any(find_spec(f"jax_cuda{n}_plugin") for n in (12, 13))
    rocm = Path("/dev/kfd").exists() and find_spec("jax_rocm7_plugin")
    return bool(cuda or rocm)
