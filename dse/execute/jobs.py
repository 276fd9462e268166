"""Jobs for executors, the queue in which they wait, and their progress."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dse.data.dataset import ImageData
from dse.runs.cell import Cell
from dse.runs.events import Done, Event, Failed, Reason, Started


@dataclass(frozen=True)
class Job:
    """Replicates of one cell, to train one after the other or together.

    Attributes:
        cell: the cell.
        replicates: their numbers.
        parents: of a cell with stages, the file of each replicate's parent.
    """

    cell: Cell
    replicates: tuple[int, ...]
    parents: Mapping[int, bytes] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Setting:
    """Settings that a worker receives before its first job.

    Attributes:
        dataset: the dataset to train on.
        folder: folder for logs, checkpoints and weights; None for none of them.
        keeps_weights: True to keep the weights of completed runs.
    """

    dataset: ImageData
    folder: Path | None
    keeps_weights: bool = True


@dataclass(frozen=True)
class Ready:
    """First message of a worker, sent when it can train.

    Attributes:
        origins: files of its packages (`dse.execute.imports.origins`).
    """

    origins: Mapping[str, str]


@dataclass(frozen=True)
class Unable:
    """Message that neither this worker nor another in its place can train.

    Attributes:
        why: the reason, in one line.
    """

    why: str


@dataclass(frozen=True)
class JobEnded:
    """Message of a worker that has ended its job."""


class JobQueue:
    """Queue of jobs; more may be added while an executor takes them.

    Args:
        jobs: the first jobs.
        closed: returns True if no more jobs may begin; asked before each.
        equip: gives a job that begins what it needs (`Job.parents`).

    Attributes:
        cells: the cells of the first jobs, by id.
    """

    def __init__(
        self,
        jobs: Iterable[Job],
        closed: Callable[[], bool] = lambda: False,
        equip: Callable[[Job], Job] = lambda job: job,
    ) -> None:
        self._waiting = deque(jobs)
        self._closed, self._equip = closed, equip
        self.cells = {job.cell.id: job.cell for job in self._waiting}

    @property
    def runs(self) -> list[tuple[str, int]]:
        """Cell id and replicate of each waiting run."""
        return [(job.cell.id, n) for job in self._waiting for n in job.replicates]

    def take(self) -> Job | None:
        """Remove and return the next job; None if there is none now."""
        if self.following() is None:
            return None
        return self._equip(self._waiting.popleft())

    def following(self) -> Job | None:
        """The job that `take` would return; it stays in the queue."""
        return self._waiting[0] if self._waiting and not self._closed() else None

    def put_back(self, job: Job) -> None:
        """Put a job at the front of the queue."""
        self._waiting.appendleft(job)

    def put_back_rest(self, assignment: "Assignment") -> None:
        """Put the unfinished runs of an assignment at the front, if any."""
        if (rest := assignment.rest) is not None:
            self.put_back(rest)


class Assignment:
    """A job given to a worker: which of its runs began, and which have ended.

    Attributes:
        job: the job.
        begun_last: the replicate that began last; None before the first.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self._left = list(job.replicates)
        self._begun: set[int] = set()
        self.begun_last: int | None = None

    def hear(self, event: Event) -> None:
        """Record an event of the worker."""
        if isinstance(event, Started):
            self._begun.add(event.replicate)
            self.begun_last = event.replicate
        if isinstance(event, Done | Failed):
            self._left.remove(event.replicate)

    def fail(self, reason: Reason, detail: str) -> list[Event]:
        """Fail the runs under way, or else the next one, so that the job gets shorter.

        Returns:
            Failures, after a `Started` if no run was under way; empty if all ended.
        """
        cell_id, events = self.job.cell.id, list[Event]()
        if self._left and not self._begun & set(self._left):
            events.append(Started(cell_id, self._left[0], "unknown"))
            self.hear(events[0])
        for replicate in [r for r in self._left if r in self._begun]:
            events.append(Failed(cell_id, replicate, reason, detail))
            self.hear(events[-1])
        return events

    @property
    def rest(self) -> Job | None:
        """The runs that have not ended, as a job; None if there are none."""
        return Job(self.job.cell, tuple(self._left)) if self._left else None
