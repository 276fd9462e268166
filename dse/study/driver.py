"""The driver: it hands out jobs, writes their events down, and tells the study."""

import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import fmean

from dse.arch.cost import cost
from dse.store.append import (
    add_epoch,
    begin_run,
    complete_run,
    fail_run,
    register_points,
    register_study,
)
from dse.store.database import Store
from dse.store.query import RunState, run_states
from dse.store.schema import FINAL_REASONS
from dse.study.executors import Executor, Job
from dse.study.plan import Plan, jobs_for
from dse.train.events import Done, EpochEnded, Event, Failed, Started
from dse.train.places import checkpoints_of

Listener = Callable[[Event], None]


def register(store: Store, plans: Sequence[Plan]) -> dict[str, tuple[int, ...]]:
    """Enter plans in the database.

    Returns:
        The replicates that are missing, by cell; a cell of several plans is one cell.

    Raises:
        DseError: a study there was begun with another recipe.
    """
    missing: dict[str, tuple[int, ...]] = {}
    for plan in plans:
        register_study(store, plan.study)
        register_points(store, plan.study.name, plan.points, only=True)
        for cell_id, wanted in plan.missing(run_states(store, plan.cells)).items():
            missing[cell_id] = max(missing.get(cell_id, ()), wanted, key=len)
    return missing


def complete(
    plans: Sequence[Plan],
    missing: Mapping[str, tuple[int, ...]],
    store: Store,
    executor: Executor,
    listener: Listener,
    *,
    keep_weights: bool,
) -> None:
    """Train what is missing of plans; every event is in the database when it is heard.

    A cell's trial is told as soon as its last planned replicate ends.
    """
    cells = {cell_id: cell for plan in plans for cell_id, cell in plan.cells.items()}
    jobs = jobs_for([(cells[c], r) for c, r in missing.items()], executor.workers)
    order = [job.cell.id for job in jobs]
    trials = [_Trials(store, plan, order) for plan in plans]

    def hear(event: Event) -> None:
        for of_plan in trials:
            of_plan.hear(event)
        listener(event)

    execute(jobs, store, executor, hear, keep_weights=keep_weights)


class _Trials:
    """A plan's cells as Optuna's trials."""

    def __init__(self, store: Store, plan: Plan, order: Sequence[str]) -> None:
        from dse.study.projection import PlanProjection

        self._store, self._plan = store, plan
        self._projection = PlanProjection(store, plan.study.name)
        points = {point.cell.id: point for point in reversed(plan.points)}
        in_turn = dict.fromkeys([*filter(points.__contains__, order), *plan.cells])
        self._projection.enqueue({cell_id: points[cell_id] for cell_id in in_turn})
        for cell_id in plan.cells:
            self._tell(cell_id)

    def hear(self, event: Event) -> None:
        if event.cell_id not in self._plan.cells:
            return
        if isinstance(event, Started):
            self._projection.claim(event.cell_id)
        if isinstance(event, Done | Failed):
            self._tell(event.cell_id)

    def _tell(self, cell_id: str) -> None:
        if self._projection.is_told(cell_id):
            return
        replicates = self._plan.study.replicates
        states = run_states(self._store, [cell_id])
        first = [states.get((cell_id, r)) for r in range(replicates)]
        ended = [state for state in first if state is not None and state.ended]
        if len(ended) == replicates:
            mean = mean_val_accuracy(ended)
            size = cost(self._plan.cells[cell_id].architecture).bytes_fp32
            self._projection.tell(cell_id, mean, size)


def execute(
    jobs: Iterable[Job],
    store: Store,
    executor: Executor,
    listener: Listener,
    *,
    keep_weights: bool,
) -> None:
    """Run jobs and write down every event before `listener` hears of it."""
    for event in executor.run(jobs):
        match event:
            case Started():
                begin_run(store, event)
            case EpochEnded():
                add_epoch(store, event)
            case Done():
                complete_run(store, event, keep_weights=keep_weights)
                _forget_checkpoints(store, event)
            case Failed():
                fail_run(store, event)
                if event.reason in FINAL_REASONS:
                    _forget_checkpoints(store, event)
        listener(event)


def _forget_checkpoints(store: Store, event: Event) -> None:
    """A run whose end is in the database needs none."""
    folder = checkpoints_of(store.artifacts.parent, event.cell_id, event.replicate)
    shutil.rmtree(folder, ignore_errors=True)


def mean_val_accuracy(states: Iterable[RunState]) -> float | None:
    """Mean over the completed runs; None where there is none."""
    values = [s.val_accuracy for s in states if s.val_accuracy is not None]
    return fmean(values) if values else None
