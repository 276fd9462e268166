"""Training that goes on: what goes wrong with a run is its failure, with a reason."""

import math
from collections.abc import Iterator

from dse.errors import DseError
from dse.execute.jobs import Assignment, Job
from dse.runs.events import Done, Event, Failed, Reason
from dse.runs.runlog import RunLogs
from dse.train.trainers import CellTrainer

OUT_OF_MEMORY = ("RESOURCE_EXHAUSTED", "Out of memory", "out of memory")
"""What XLA's errors say where memory was not enough."""


def train_guarded(trainer: CellTrainer, job: Job, logs: RunLogs) -> Iterator[Event]:
    """As `CellTrainer.train`, with logs; an error fails the runs that it stopped.

    Of replicates that had not begun nothing is said: they can begin elsewhere.

    Raises:
        DseError: what is around stands in the way, a full disk for one: of every run.
        ImportError: a package is missing, or a broken one.
    """
    assignment = Assignment(job)
    try:
        for told in trainer.train(job.cell, job.replicates):
            event = _checked(told)
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
    """A result that is no number is none."""
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
