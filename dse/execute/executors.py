"""Executors take jobs and yield events. They use neither a database nor Optuna."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from dse.data.dataset import ImageData
from dse.errors import DseError
from dse.execute.environment import say_what_is_ignored, settle_process
from dse.execute.execution import Execution
from dse.execute.guarded import train_guarded
from dse.execute.jobs import Assignment, JobQueue
from dse.execute.processes import Limits, ProcessExecutor
from dse.machine import (
    check_platforms,
    default_workers,
    has_accelerator,
    peak_bytes,
    visible_gpus,
)
from dse.runs.events import EpochEnded, Event
from dse.runs.runlog import RunLogs
from dse.runs.weights import Keeper
from dse.train.trainers import trainer_for


class Executor(Protocol):
    """Executor of jobs on one dataset, which yields their events.

    Attributes:
        workers: number of jobs at a time.
    """

    workers: int

    @property
    def peak_bytes(self) -> int:
        """Sum of the workers' peak memory in bytes; 0 if unknown."""

    def start(self, jobs: int) -> None:
        """Prepare for this number of jobs in the background."""

    def run(self, queue: JobQueue) -> Iterator[Event]:
        """Do the jobs of `queue`, and those added to it, until it is empty.

        Every run ends in `Done` or `Failed`, unless the queue is closed before it
        begins. If a worker is lost, the runs that it had begun fail, and the rest of
        its job is put back.
        """

    def close(self) -> None:
        """Stop the running jobs."""


class SerialExecutor:
    """Executor in this process, one job at a time, which compiles the next meanwhile.

    Raises:
        DseError: JAX computes here already, with other settings than in a worker.
    """

    workers = 1

    def __init__(
        self,
        dataset: ImageData,
        folder: Path | None = None,
        *,
        deterministic: bool = False,
        keeps_weights: bool = True,
    ) -> None:
        settle_process(on_gpu=has_accelerator(), deterministic=deterministic)
        self._trainer = trainer_for(dataset, folder)
        self._logs = RunLogs(folder)
        self._keeper = Keeper(folder, keeps_weights)

    def start(self, jobs: int) -> None:
        """See `Executor.start`."""

    def run(self, queue: JobQueue) -> Iterator[Event]:
        """See `Executor.run`."""
        while (job := queue.take()) is not None:
            assignment = Assignment(job)
            for event in train_guarded(self._trainer, job, self._logs, self._keeper):
                assignment.hear(event)
                yield event
                upcoming = queue.following() if isinstance(event, EpochEnded) else None
                if upcoming is not None:
                    self._trainer.prepare(upcoming.cell, upcoming.replicates)
            queue.put_back_rest(assignment)

    @property
    def peak_bytes(self) -> int:
        """See `Executor`."""
        return peak_bytes()

    def close(self) -> None:
        """Start no further compilation; between two events nothing trains."""
        self._trainer.close()


def make_executor(
    execution: Execution,
    dataset: ImageData,
    folder: Path | None = None,
    *,
    keeps_weights: bool = True,
) -> Executor:
    """Make the executor of runs on `dataset`.

    Args:
        execution: how and where to run.
        dataset: the dataset to train on.
        folder: folder for logs, checkpoints and weights; None for none of them.
        keeps_weights: True to keep the weights of completed runs.

    Raises:
        DseError: `execution` asks for what is not available here.
    """
    check_platforms()
    if execution.executor == "ray":
        try:
            from dse.execute.cluster import RayExecutor
        except ModuleNotFoundError as error:
            raise DseError(
                "executor ray needs Ray, which is not installed: pip install 'dse[ray]'"
            ) from error
        return RayExecutor(dataset, execution, folder, keeps_weights=keeps_weights)
    say_what_is_ignored(os.environ, threads=not has_accelerator())
    here = visible_gpus()
    if (execution.gpus or 0) > len(here):
        raise DseError(
            f"gpus is {execution.gpus}; this machine has {len(here)} that JAX can use"
        )
    gpus = here[: execution.gpus]
    if execution.executor == "serial":
        if execution.gpus == 0 and here:
            raise DseError(
                "gpus is 0, and the serial executor takes what JAX takes; set "
                "JAX_PLATFORMS=cpu, or leave --executor out"
            )
        return SerialExecutor(
            dataset,
            folder,
            deterministic=execution.deterministic,
            keeps_weights=keeps_weights,
        )
    return ProcessExecutor(
        dataset,
        execution.workers or len(gpus) or default_workers(),
        folder,
        gpus=gpus,
        limits=Limits.of(execution),
        deterministic=execution.deterministic,
        keeps_weights=keeps_weights,
    )
