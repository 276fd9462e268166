"""Jobs: what an executor is given to do, and how far each of them is."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from dse.data.dataset import ImageData
from dse.runs.cell import Cell
from dse.runs.events import Done, Event, Failed, Reason, Started


@dataclass(frozen=True)
class Job:
    """Replicates of one cell, to be trained one after the other or together."""

    cell: Cell
    replicates: tuple[int, ...]


@dataclass(frozen=True)
class Setting:
    """What a worker has to know before its first job.

    Attributes:
        dataset: what to train on.
        folder: for logs, checkpoints and weights; None for none of them.
        keeps_weights: whether weights of completed runs are kept.
    """

    dataset: ImageData
    folder: Path | None
    keeps_weights: bool = True


@dataclass(frozen=True)
class Ready:
    """What a worker says once it can train, before its first job.

    Attributes:
        origins: where it has its packages from (`dse.execute.imports.origins`).
    """

    origins: Mapping[str, str]


@dataclass(frozen=True)
class Unable:
    """What a worker says that cannot train, nor could another in its place.

    Attributes:
        why: in a line.
    """

    why: str


@dataclass(frozen=True)
class JobEnded:
    """What a worker says when it is free again."""


class JobQueue:
    """Jobs that wait, in order; more may come while an executor takes them.

    Args:
        jobs: the first ones.
        closed: whether nothing more is to be begun, asked before each job is taken.

    Attributes:
        cells: what the first jobs are of, by id.
    """

    def __init__(
        self, jobs: Iterable[Job], closed: Callable[[], bool] = lambda: False
    ) -> None:
        self._waiting = deque(jobs)
        self._closed = closed
        self.cells = {job.cell.id: job.cell for job in self._waiting}

    @property
    def runs(self) -> list[tuple[str, int]]:
        """The cell and the replicate of each run that waits."""
        return [(job.cell.id, n) for job in self._waiting for n in job.replicates]

    def take(self) -> Job | None:
        """The next job; None where there is none now."""
        return None if self.following() is None else self._waiting.popleft()

    def following(self) -> Job | None:
        """What `take` would give, left where it is."""
        return self._waiting[0] if self._waiting and not self._closed() else None

    def put_back(self, job: Job) -> None:
        """Have a job done next."""
        self._waiting.appendleft(job)

    def put_back_rest(self, assignment: "Assignment") -> None:
        """Have done next what of an assignment has not ended, if anything."""
        if (rest := assignment.rest) is not None:
            self.put_back(rest)


class Assignment:
    """A job in a worker's hands: which of its runs began, and which have ended.

    Attributes:
        job: the job.
        begun_last: the replicate that began last.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self._left = list(job.replicates)
        self._begun: set[int] = set()
        self.begun_last: int | None = None

    def hear(self, event: Event) -> None:
        """Note what the worker says."""
        if isinstance(event, Started):
            self._begun.add(event.replicate)
            self.begun_last = event.replicate
        if isinstance(event, Done | Failed):
            self._left.remove(event.replicate)

    def fail(self, reason: Reason, detail: str) -> list[Event]:
        """End what was under way, or what was to begin: a job does not stay as it is.

        Returns:
            The failures, each of a run that began; empty where every run had ended.
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
        """The runs that have not ended, as a job."""
        return Job(self.job.cell, tuple(self._left)) if self._left else None
