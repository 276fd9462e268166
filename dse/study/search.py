"""Search: a sampler proposes points within a hard budget, batch by batch."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from dse.arch.cost import cost
from dse.arch.space import Budget, Space, named_space, narrowed
from dse.arch.squeezenet import Metaparameters
from dse.data.dataset import Dataset
from dse.errors import DseError
from dse.store.append import Point, StudyRecord, register_points, register_study
from dse.store.database import Store
from dse.store.query import run_states
from dse.study.driver import Listener, execute, mean_val_accuracy
from dse.study.executors import Executor
from dse.study.plan import FINAL_REASONS, jobs_for, make_point
from dse.study.projection import SamplerName, SearchProjection, make_sampler
from dse.train.cell import Cell

BATCH = 4
"""Points proposed at a time. It does not depend on the number of workers, unless there
are more, and so neither do the points."""

MOST_REJECTED = 500
"""Proposals in a row without a new point within budget, after which a search ends."""


@dataclass(frozen=True)
class Search:
    """What to search for, and how long.

    Attributes:
        space: a named space.
        sampler: `tpe`, `nsga2` or `random`.
        budget: hard limits; points beyond are never trained.
        trials: networks to train in all, None for no limit.
        minutes: time to take in all, None for no limit.

    Raises:
        DseError: no limit is given, or one is not positive.
    """

    space: str
    sampler: SamplerName
    budget: Budget
    trials: int | None
    minutes: float | None

    def __post_init__(self) -> None:
        for name in ("trials", "minutes"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise DseError(f"{name} is {value}; expected more than 0")
        if self.trials is None and self.minutes is None:
            raise DseError("a search needs an end; give --trials or --minutes")
        named_space(self.space)
        make_sampler(self.sampler, (0,))

    @property
    def name(self) -> str:
        """Sampler, space and budget in a word."""
        limits = [
            f"{name}{limit}"
            for name, limit in self.budget.limits.items()
            if limit is not None
        ]
        return "-".join(["search", self.sampler, self.space, *limits])


def run_search(
    wanted: Search,
    study: StudyRecord,
    dataset: Dataset,
    store: Store,
    executor: Executor,
    listener: Listener,
    *,
    announce: Callable[[Sequence[Point]], None],
    keep_weights: bool,
) -> StudyRecord:
    """Train points within the budget until the trials or the time are used up.

    What an earlier session of the same search did counts; what it left unfinished is
    finished first.

    Args:
        wanted: what to search for.
        study: the study that holds the runs.
        dataset: what to train on.
        store: where results go.
        executor: what trains.
        listener: hears every event.
        announce: hears of every batch before it is trained.
        keep_weights: whether to keep the weights of completed runs.

    Returns:
        `study`.

    Raises:
        DseError: no point of the space meets the budget; the line names the cheapest.
    """
    space = narrowed(
        named_space(wanted.space), wanted.budget, dataset.image_shape, dataset.classes
    )
    register_study(store, study)
    session = _Session(wanted, space, study, dataset, store)
    while batch := session.next_batch(executor.workers):
        began = time.monotonic()
        points = list(batch.values())
        register_points(store, study.name, points)
        announce(points)
        jobs = jobs_for(session.untrained(points), executor.workers)
        execute(
            jobs, study.recipe, store, executor, listener, keep_weights=keep_weights
        )
        session.tell(batch)
        session.add_batch_seconds(time.monotonic() - began)
    return study


class _Session:
    """One command's part in a search."""

    def __init__(
        self,
        wanted: Search,
        space: Space,
        study: StudyRecord,
        dataset: Dataset,
        store: Store,
    ) -> None:
        self.wanted, self.space, self.study = wanted, space, study
        self.dataset, self.store = dataset, store
        self.projection = SearchProjection(store, study.name)
        self.last_batch_seconds = 0.0

    def next_batch(self, workers: int) -> dict[int, Point]:
        """Points to train next, by trial number; none when the search is over."""
        left_over = self.projection.unfinished()
        if left_over:
            return {number: self._point(m) for number, m in left_over.items()}
        known = self.projection.cells
        size = max(BATCH, workers)
        if self.wanted.trials is not None:
            size = min(size, self.wanted.trials - len(known))
        if size <= 0 or self._time_is_up():
            return {}
        return self._propose(size, known)

    def _time_is_up(self) -> bool:
        """Whether another batch like the last would end after the time."""
        if self.wanted.minutes is None:
            return False
        end = self.projection.elapsed + self.last_batch_seconds
        return end >= 60 * self.wanted.minutes

    def _propose(self, size: int, known: set[str]) -> dict[int, Point]:
        """Ask for `size` points within budget that are new; fewer if none are found."""
        self.projection.use_sampler(self.wanted.sampler, self.study.recipe.seed)
        batch: dict[int, Point] = {}
        new: set[str] = set()
        in_vain = 0
        while len(new) < size and in_vain < MOST_REJECTED:
            number, metaparameters = self.projection.ask(self.space)
            point = self._point(metaparameters)
            costs = cost(point.cell.architecture)
            excess = self.wanted.budget.excess(costs.params, costs.macs)
            in_vain += 1
            if any(share > 0 for share in excess.values()):
                self.projection.reject(number, excess, costs.bytes_fp32)
                continue
            self.projection.accept(number, excess, point.cell.id)
            if point.cell.id in known | new:
                self._tell_known(number, point, batch)
            else:
                batch[number] = point
                new.add(point.cell.id)
                in_vain = 0
        return batch

    def _tell_known(self, number: int, point: Point, batch: dict[int, Point]) -> None:
        """A point proposed twice gets the values that it has, or waits for its twin."""
        state = run_states(self.store, [point.cell.id]).get((point.cell.id, 0))
        if state is None:
            batch[number] = point
        else:
            self._tell(number, point)

    def untrained(self, points: Sequence[Point]) -> list[tuple[Cell, tuple[int, ...]]]:
        """The cells whose run has not ended, each with its replicate."""
        states = run_states(self.store, [point.cell.id for point in points])
        ended = {
            cell_id
            for (cell_id, _), state in states.items()
            if state.status == "complete" or state.reason in FINAL_REASONS
        }
        cells = {point.cell.id: point.cell for point in points}
        return [(cell, (0,)) for cell_id, cell in cells.items() if cell_id not in ended]

    def tell(self, batch: Mapping[int, Point]) -> None:
        """Tell the study the batch's results, in the order of the trials."""
        for number, point in sorted(batch.items()):
            self._tell(number, point)

    def add_batch_seconds(self, seconds: float) -> None:
        """Count a batch's time."""
        self.last_batch_seconds = seconds
        self.projection.add_elapsed(seconds)

    def _tell(self, number: int, point: Point) -> None:
        states = run_states(self.store, [point.cell.id])
        size = cost(point.cell.architecture).bytes_fp32
        accuracy = mean_val_accuracy([states[point.cell.id, 0]])
        self.projection.tell(number, accuracy, size)

    def _point(self, metaparameters: Metaparameters) -> Point:
        return make_point(metaparameters, self.study.recipe, self.dataset)
