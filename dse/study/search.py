"""Search: a sampler proposes points within a hard budget, batch by batch."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from dse.arch.cost import cost
from dse.bounds import check_number, check_whole
from dse.data.dataset import ImageData
from dse.errors import DseError
from dse.execute.executors import Executor
from dse.runs.cell import Cell
from dse.runs.events import Done, Event, Started
from dse.runs.records import Point, StudyRecord, with_parents
from dse.spaces.budget import Budget
from dse.spaces.space import Space, narrowed
from dse.store import SEARCHES
from dse.store.database import Store
from dse.store.enter import register_points, register_study
from dse.store.families import enter_families
from dse.store.run_states import run_states
from dse.study.driver import Listener, execute_in_order, mean_val_accuracy
from dse.study.optuna_search import SamplerName, SearchProjection, make_sampler
from dse.study.optuna_study import storage_faults
from dse.study.plan import make_point
from dse.study.staged_space import StagedSpace
from dse.study.tries import Tries

BATCH = 4
"""Default number of points proposed at a time. The points do not depend on the number
of workers."""

MOST_TRIALS, MOST_BATCH = 1_000_000, 10_000
MOST_MINUTES = 1e7
"""Longest time of a search, about twenty years."""

MOST_IN_VAIN = 200
"""Proposals in a row without a new point within budget, after which the space counts as
exhausted. The second half of them are random."""


@dataclass(frozen=True)
class Search:
    """Settings of a search.

    Attributes:
        space: the space to search.
        space_name: its name.
        sampler: `tpe`, `nsga2` or `random`.
        budget: hard limits; points beyond are never trained.
        trials: networks to train in all, None for no limit.
        minutes: time to take in all, None for no limit.
        batch: points that the sampler proposes before it gets the result of any.

    Raises:
        DseError: no limit is given, or a number or the sampler is wrong.
    """

    space: Space | StagedSpace
    space_name: str
    sampler: SamplerName
    budget: Budget
    trials: int | None
    minutes: float | None
    batch: int = BATCH

    def __post_init__(self) -> None:
        if self.trials is not None:
            check_whole("trials", self.trials, 1, MOST_TRIALS)
        if self.minutes is not None:
            check_number("minutes", self.minutes, 0, MOST_MINUTES, above=True)
        check_whole("batch", self.batch, 1, MOST_BATCH)
        if self.trials is None and self.minutes is None:
            raise DseError("a search needs an end; give --trials or --minutes")
        make_sampler(self.sampler, (0,))
        compressed = isinstance(self.space, StagedSpace)
        if self.budget.max_compressed_bytes is not None and not compressed:
            raise DseError(
                "a budget of compressed bytes is measured on compressed networks, and "
                "nothing says how to compress; give settings, as --density 0.33 "
                "--bits 6"
            )

    @property
    def name(self) -> str:
        """Sampler, space and budget in one word."""
        every = {**self.budget.limits, "file": self.budget.max_compressed_bytes}
        limits = [
            f"{name}{limit}" for name, limit in every.items() if limit is not None
        ]
        return "-".join([f"{SEARCHES}{self.sampler}", self.space_name, *limits])


def is_search(study: StudyRecord) -> bool:
    """Check whether a study belongs to a search."""
    return study.experiment.startswith(SEARCHES)


def run_search(
    wanted: Search,
    study: StudyRecord,
    dataset: ImageData,
    store: Store,
    executor: Executor,
    listener: Listener,
    tries: Tries,
    *,
    announce: Callable[[Sequence[Point]], None],
) -> bool:
    """Train points within the budget until the trials or the time are used up.

    Trials and time of earlier sessions of the same search count. Trials that they left
    unfinished are finished first.

    Args:
        wanted: settings of the search.
        study: the study that holds the runs.
        dataset: the data to train on.
        store: the database for the results.
        executor: runs the jobs.
        listener: hears every event.
        tries: which failures are tried again.
        announce: called with every batch before it is trained.

    Returns:
        True if no new point is left within the budget.

    Raises:
        DseError: no point of the space meets the budget; the line names the cheapest.
    """
    shape, classes = dataset.image_shape, dataset.classes
    space = (
        wanted.space.narrowed(wanted.budget, shape, classes)
        if isinstance(wanted.space, StagedSpace)
        else narrowed(wanted.space, wanted.budget, shape, classes)
    )
    # Before the study: a refusal leaves none without points.
    store.patiently(partial(enter_families, store, [space.anchor]))
    store.patiently(partial(register_study, store, study))
    begin = partial(_Session, wanted, space, study, dataset, store, tries)
    session = store.patiently(begin)

    def hear(event: Event) -> None:
        session.clock(event)
        listener(event)

    try:
        while batch := store.patiently(session.next_batch):
            points = with_parents(batch.values())
            store.patiently(partial(register_points, store, study.name, points))
            announce(points)
            wanted_cells = session.untrained(points)
            closed = session.time_is_up
            execute_in_order(wanted_cells, store, executor, hear, tries, closed)
            store.patiently(partial(session.tell, batch))
    finally:
        session.save_elapsed()
    return session.is_over


class _Session:
    """The part of a search that one command does."""

    def __init__(
        self,
        wanted: Search,
        space: Space | StagedSpace,
        study: StudyRecord,
        dataset: ImageData,
        store: Store,
        tries: Tries,
    ) -> None:
        self.wanted, self.space, self.study = wanted, space, study
        self.dataset, self.store, self.tries = dataset, store, tries
        self.projection = SearchProjection(store, study.name)
        with storage_faults(store):
            self._elapsed_before = self.projection.elapsed
        self._began = time.monotonic()
        self._started: dict[str, float] = {}
        self._slowest = 0.0

    def elapsed(self) -> float:
        """Seconds that the search has taken, over all its sessions."""
        return self._elapsed_before + time.monotonic() - self._began

    def save_elapsed(self) -> None:
        """Store the time taken; a search whose time is used up stays over."""
        over = 60 * (self.wanted.minutes or 0) if self.time_is_up() else 0
        with storage_faults(self.store):
            self.projection.set_elapsed(max(self.elapsed(), over))

    @property
    def is_over(self) -> bool:
        """True if no new point is left within the budget."""
        with storage_faults(self.store):
            return self.projection.exhausted

    def clock(self, event: Event) -> None:
        """Keep the longest time that a run took."""
        if isinstance(event, Started):
            self._started[event.cell_id] = time.monotonic()
        elif isinstance(event, Done):
            now = time.monotonic()
            taken = now - self._started.pop(event.cell_id, now)
            self._slowest = max(self._slowest, taken)

    def time_is_up(self) -> bool:
        """True if a run as slow as the slowest so far would end too late."""
        if self.wanted.minutes is None:
            return False
        return self.elapsed() + self._slowest >= 60 * self.wanted.minutes

    def next_batch(self) -> dict[int, Point]:
        """Points to train next, by trial number; empty when the search is over."""
        with storage_faults(self.store):
            if self.time_is_up():
                return {}
            waiting = self.projection.unfinished()
            if self.projection.is_cut_off or not (waiting or self.projection.exhausted):
                self._propose()
            left_over = self.projection.unfinished()
            return {number: self._point(x) for number, x in left_over.items()}

    def _propose(self) -> None:
        """Propose a batch of new points within budget; fewer if no more are found."""
        seed, budget = self.study.recipe.seed, self.wanted.budget
        proposals = self.projection.propose(self.wanted.sampler, seed)
        known, size = proposals.known_cells, self.wanted.batch
        if self.wanted.trials is not None:
            size = min(size, self.wanted.trials - len(known))
        new: set[str] = set()
        in_vain = 0
        while len(new) < size and in_vain < MOST_IN_VAIN and not self.time_is_up():
            if in_vain == MOST_IN_VAIN // 2:
                proposals.use_random(seed)
            in_vain += 1
            cell = self._point(proposals.ask(self.space)).cell
            costs = cost(cell.architecture)
            excess = budget.excess(costs.params, costs.macs)
            if any(share > 0 for share in excess.values()):
                proposals.reject(excess, costs.bytes_fp32)
                continue
            proposals.accept(excess, cell.id)
            if cell.id not in known | new:
                new.add(cell.id)
                in_vain = 0
        self.projection.add(proposals)
        if in_vain >= MOST_IN_VAIN:
            self.projection.set_exhausted()

    def untrained(self, points: Sequence[Point]) -> list[tuple[Cell, tuple[int, ...]]]:
        """The cells whose run has not ended, each with its only replicate."""
        states = run_states(self.store, [point.cell.id for point in points])
        cells = {point.cell.id: point.cell for point in points}
        return [
            (cell, (0,))
            for cell_id, cell in cells.items()
            if not self.tries.ended(states.get((cell_id, 0)))
        ]

    def tell(self, batch: Mapping[int, Point]) -> None:
        """Tell the study the batch's results, in the order of the trials.

        Runs that have not ended stay unfinished.
        """
        states = run_states(self.store, [point.cell.id for point in batch.values()])
        with storage_faults(self.store):
            waiting = self.projection.unfinished()
            for number, point in sorted(batch.items()):
                state = states.get((point.cell.id, 0))
                if number in waiting and state and self.tries.ended(state):
                    size = state.bytes or cost(point.cell.architecture).bytes_fp32
                    over = self.wanted.budget.over_measured(size)
                    accuracy = mean_val_accuracy([state])
                    self.projection.tell(number, accuracy, size, over)

    def _point(self, values: Mapping[str, Any]) -> Point:
        return make_point(self.space.point(values), self.study.recipe, self.dataset)
