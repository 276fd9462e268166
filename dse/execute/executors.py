"""Executors: jobs in, events out. They know nothing of databases, nor of Optuna."""

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
    """Runs jobs on one dataset and yields their events as they come.

    Attributes:
        workers: jobs that are done at a time.
    """

    workers: int

    @property
    def peak_bytes(self) -> int:
        """Most memory that the workers were seen to hold, all together."""

    def start(self, jobs: int) -> None:
        """Get ready for so many jobs, while the caller goes on."""

    def run(self, queue: JobQueue) -> Iterator[Event]:
        """Do the jobs of `queue`, and those that come into it, until it is empty.

        Every run ends in `Done` or `Failed`, but for those that the queue is closed to.
        Where a worker is lost, what it had begun has failed, and what it was to begin
        is put back.
        """

    def close(self) -> None:
        """Stop what is under way."""


class SerialExecutor:
    """One job after the other in this process, the next one compiled meanwhile.

    Raises:
        DseError: this process computes with JAX already, otherwise than a worker.
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
                upcoming = queue.following()
                if upcoming is not None and isinstance(event, EpochEnded):
                    self._trainer.prepare(upcoming.cell, upcoming.replicates)
            queue.put_back_rest(assignment)

    @property
    def peak_bytes(self) -> int:
        """See `Executor`."""
        return peak_bytes()

    def close(self) -> None:
        """Nothing is under way between two events, but for a compilation."""
        self._trainer.close()


def make_executor(
    execution: Execution,
    dataset: ImageData,
    folder: Path | None = None,
    *,
    keeps_weights: bool = True,
) -> Executor:
    """What executes runs on `dataset` in that way.

    Args:
        execution: how and where.
        dataset: what to train on.
        folder: for logs, checkpoints and weights; None for none of them.
        keeps_weights: whether weights of completed runs are kept.

    Raises:
        DseError: it asks for what is not here.
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
    gpus = visible_gpus()
    if (execution.gpus or 0) > len(gpus):
        raise DseError(
            f"gpus is {execution.gpus}; this machine has {len(gpus)} that JAX can use"
        )
    if execution.gpus is not None:
        gpus = gpus[: execution.gpus]
    if execution.executor == "serial":
        if execution.gpus == 0 and visible_gpus():
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
