"""The driver: it hands out jobs, writes their events down, and tells the study."""

from collections.abc import Callable, Iterable
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
from dse.study.executors import Executor, Job
from dse.study.plan import Plan, jobs_for
from dse.train.events import Done, EpochEnded, Event, Failed, Started
from dse.train.recipe import Recipe

Listener = Callable[[Event], None]


def register(store: Store, plan: Plan) -> dict[str, tuple[int, ...]]:
    """Enter a plan in the database.

    Returns:
        The replicates that are missing, by cell.

    Raises:
        DseError: the study there was begun with another recipe.
    """
    register_study(store, plan.study)
    register_points(store, plan.study.name, plan.points, only=True)
    return plan.missing(run_states(store, plan.cells))


def complete(
    plan: Plan,
    missing: dict[str, tuple[int, ...]],
    store: Store,
    executor: Executor,
    listener: Listener,
    *,
    keep_weights: bool,
) -> None:
    """Train what is missing of a plan; every event is in the database when it is heard.

    A cell's trial is told as soon as its last planned replicate ends.
    """
    from dse.study.projection import PlanProjection

    projection = PlanProjection(store, plan.study.name)
    points = {point.cell.id: point for point in reversed(plan.points)}
    jobs = jobs_for([(plan.cells[c], r) for c, r in missing.items()], executor.workers)
    in_turn = dict.fromkeys([job.cell.id for job in jobs] + list(plan.cells))
    projection.enqueue({cell_id: points[cell_id] for cell_id in in_turn})

    def hear(event: Event) -> None:
        if isinstance(event, Started):
            projection.claim(event.cell_id)
        if isinstance(event, Done | Failed):
            tell(event.cell_id)
        listener(event)

    def tell(cell_id: str) -> None:
        if projection.is_told(cell_id):
            return
        states = run_states(store, [cell_id])
        first = [states.get((cell_id, r)) for r in range(plan.study.replicates)]
        ended = [state for state in first if state is not None and state.ended]
        if len(ended) == plan.study.replicates:
            mean = mean_val_accuracy(ended)
            size = cost(plan.cells[cell_id].architecture).bytes_fp32
            projection.tell(cell_id, mean, size)

    for cell_id in plan.cells:
        tell(cell_id)
    execute(jobs, plan.study.recipe, store, executor, hear, keep_weights=keep_weights)


def execute(
    jobs: Iterable[Job],
    recipe: Recipe,
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
                begin_run(store, recipe, event)
            case EpochEnded():
                add_epoch(store, event)
            case Done():
                complete_run(store, recipe, event, keep_weights=keep_weights)
            case Failed():
                fail_run(store, recipe, event)
        listener(event)


def mean_val_accuracy(states: Iterable[RunState]) -> float | None:
    """Mean over the completed runs; None where there is none."""
    values = [s.val_accuracy for s in states if s.val_accuracy is not None]
    return fmean(values) if values else None
