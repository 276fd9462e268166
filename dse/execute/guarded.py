"""Training that goes on: what goes wrong with a run is its failure, with a reason."""

import datetime
import math
from collections.abc import Iterator
from dataclasses import replace

from dse.errors import DseError
from dse.execute.jobs import Assignment, Job
from dse.runs.events import Done, Event, Failed, Reason, Started
from dse.runs.runlog import RunLogs
from dse.runs.weights import Keeper
from dse.train.trainers import CellTrainer

OUT_OF_MEMORY = ("RESOURCE_EXHAUSTED", "Out of memory", "out of memory")
"""What XLA's errors say where memory was not enough."""


def train_guarded(
    trainer: CellTrainer, job: Job, logs: RunLogs, keeper: Keeper
) -> Iterator[Event]:
    """As `CellTrainer.train`, with logs; an error fails the runs that it stopped.

    Weights are written here, before anybody hears of the result.

    Of replicates that had not begun nothing is said: they can begin elsewhere.

    Raises:
        DseError: what is around stands in the way, a full disk for one: of every run.
        ImportError: a package is missing, or a broken one.
    """
    assignment = Assignment(job)
    begun: dict[int, datetime.datetime] = {}
    try:
        for told in trainer.train(job.cell, job.replicates):
            event = _checked(told)
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
        line = f"{type(error).__name__}: {error}".splitlines()[0]
        for event in assignment.fail(_reason(error), line):
            logs.hear(event)
            logs.explain(event, error)
            yield event


def _checked(event: Event) -> Event:
    """A result whose accuracy is no number counts as diverged."""
    if isinstance(event, Done):
        for split in ("validation", "test"):
            accuracy = event.metrics[split]["accuracy"]
            if not math.isfinite(accuracy):
                detail = f"{split} accuracy is {accuracy}"
                return Failed(event.cell_id, event.replicate, "diverged", detail)
    return event


def _reason(error: Exception) -> Reason:
    told = any(words in str(error) for words in OUT_OF_MEMORY)
    return "memory" if told or isinstance(error, MemoryError) else "error"
