"""One worker process: how it starts, where it runs, and how it ended."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from multiprocessing.connection import Pipe
from pathlib import Path
from typing import IO

from dse.errors import DseError
from dse.execute import start
from dse.execute.environment import worker_environment
from dse.execute.imports import import_variables
from dse.execute.jobs import Assignment, Job, Setting
from dse.machine import available_cores, gpu_environments, killed_for_memory
from dse.runs.events import Reason
from dse.runs.paths import append_to
from dse.runs.runlog import end_of, end_of_run

WORKER = (sys.executable, "-P", start.__file__)
WORKERS_LOG = "logs/workers.log"
"""The file for what workers print before their first run, beside the database."""

ENDED_BY_OTHERS = (-signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP)
"""Exit statuses of a process that somebody ended: another one may do better."""

SECONDS_TO_END = 5.0


@dataclass(frozen=True)
class Place:
    """The environment of one worker, and its core if it keeps to one."""

    number: int
    environment: tuple[tuple[str, str], ...]
    core: int | None = None


def places(workers: int, gpus: tuple[str, ...], *, deterministic: bool) -> list[Place]:
    """Share the GPUs, or the cores, among the workers: a place for each."""
    around = {**os.environ, **import_variables()}
    if gpus:
        common = worker_environment(around, on_gpu=True, deterministic=deterministic)
        return [
            Place(number, tuple((common | own).items()))
            for number, own in enumerate(gpu_environments(gpus, workers))
        ]
    no_gpu = {"JAX_PLATFORMS": "cpu"}
    environment = tuple((worker_environment(around) | no_gpu).items())
    cores: list[int | None] = [None] * workers
    if hasattr(os, "sched_getaffinity") and available_cores() == workers:
        cores = list(os.sched_getaffinity(0))
    return [Place(number, environment, core) for number, core in enumerate(cores)]


class WorkerProcess:
    """A process that trains, and the driver's connection to it."""

    def __init__(self, setting: Setting, place: Place) -> None:
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
        """Send; a worker that is gone is noticed at the next reading."""
        with contextlib.suppress(BrokenPipeError):
            self.connection.send(message)

    def how_it_ended(self) -> tuple[Reason, str]:
        """Find out why the process ended: the kernel may have killed it for memory.

        Raises:
            DseError: It ended by itself before it could train.
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
        """The error for a machine on which no worker can train."""
        log = "" if self._folder is None else f" ({self._folder / WORKERS_LOG})"
        return DseError(
            f"no worker can train here: {why}{log}; no run has lost a try, so repeat "
            "the command when that is mended"
        )

    def _last_lines(self) -> str:
        """The last lines of the log of the run that the process began last."""
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
    """Open a file for what a worker prints, readable by its driver."""
    if folder is not None:
        with contextlib.suppress(OSError):  # a link, or the like
            return append_to(folder / WORKERS_LOG)
    return tempfile.TemporaryFile()
