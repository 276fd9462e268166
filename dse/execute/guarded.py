"""Train a job so that an error fails only the runs it stopped, with a reason."""

import datetime
import itertools
import math
from collections.abc import Iterator
from dataclasses import replace

from dse.compress.networks import network_shapes, read_any
from dse.errors import DseError, first_line
from dse.execute.jobs import Assignment, Job
from dse.runs.events import Done, Event, Failed, Reason, Started
from dse.runs.runlog import RunLogs
from dse.runs.weights import Keeper
from dse.train.trainers import CellTrainer

OUT_OF_MEMORY = ("RESOURCE_EXHAUSTED", "Out of memory", "out of memory")
"""Words in the messages of XLA's errors when memory runs out."""

MEASURED = ("accuracy", "loss")
"""Metrics of every split. Scores of NaN still have an accuracy, that of class 0."""


def train_guarded(
    trainer: CellTrainer, job: Job, logs: RunLogs, keeper: Keeper
) -> Iterator[Event]:
    """Train as `CellTrainer.train` does, with logs; an error fails the runs it stopped.

    Weights are written before the result is yielded. Other replicates that had not
    begun get no event: they can begin elsewhere.

    Raises:
        DseError: the surroundings would stop every run, for example a full disk.
        ImportError: a package is missing or broken.
    """
    assignment = Assignment(job)
    begun: dict[int, datetime.datetime] = {}
    try:
        for reported in _training(trainer, job):
            event = _checked(reported)
            if isinstance(event, Started):
                now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
                begun[event.replicate] = now
                event = replace(event, begun=now)
            elif isinstance(event, Done):
                event = keeper.keep(event, begun[event.replicate])
            assignment.hear(event)
            logs.hear(event)
            yield event
    except (DseError, ImportError):
        raise
    except Exception as error:  # noqa: BLE001 - reported as the runs' failure
        line = f"{type(error).__name__}: {first_line(error)}"
        for event in assignment.fail(_reason(error), line):
            logs.hear(event)
            logs.explain(event, error)
            yield event


def _training(trainer: CellTrainer, job: Job) -> Iterator[Event]:
    """Train a cell, or perform its last stage."""
    if not job.cell.stages:
        return trainer.train(job.cell, job.replicates)
    from dse.compress.perform import perform  # imports JAX, which no driver needs

    shapes = network_shapes(job.cell.architecture)
    parents = {
        number: read_any(content, shapes) for number, content in job.parents.items()
    }
    return perform(trainer, job.cell, job.replicates, parents)


def _checked(event: Event) -> Event:
    """Turn a result whose loss or accuracy is not finite into a failure: diverged."""
    if isinstance(event, Done):
        for split, name in itertools.product(("validation", "test"), MEASURED):
            value = event.metrics[split][name]
            if not math.isfinite(value):
                detail = f"{split} {name} is {value}"
                return Failed(event.cell_id, event.replicate, "diverged", detail)
    return event


def _reason(error: Exception) -> Reason:
    out_of_memory = any(words in str(error) for words in OUT_OF_MEMORY)
    return "memory" if out_of_memory or isinstance(error, MemoryError) else "error"
