"""The driver: it runs jobs, stores their events, and updates Optuna's study."""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from statistics import fmean

from dse.arch.cost import cost
from dse.execute.executors import Executor
from dse.execute.jobs import Job, JobQueue
from dse.runs.cell import Cell
from dse.runs.events import FINAL, Done, EpochEnded, Event, Failed, Started
from dse.runs.run_state import RunState
from dse.store.append import add_epoch, begin_run, complete_run, fail_run
from dse.store.database import Store
from dse.store.enter import refuse_other_study, register_points, register_study
from dse.store.families import enter_families
from dse.store.parents import complete_replicates, parent_files
from dse.store.run_states import points_of, run_states
from dse.study.plan import Plan, jobs_for, refuse_other_experiment
from dse.study.tries import Tries

Listener = Callable[[Event], None]


def register(
    store: Store, plans: Sequence[Plan], tries: Tries
) -> dict[str, tuple[int, ...]]:
    """Enter plans in the database, and warn of points that a study loses.

    Returns:
        The missing replicates by cell; a cell of several plans is one cell.

    Raises:
        DseError: a study of that name has another recipe or another experiment, or a
            family shares no table with those of the database.
    """
    missing: dict[str, tuple[int, ...]] = {}
    for plan in plans:
        read = partial(points_of, store, plan.study.name)
        there = store.patiently(read)
        refuse_other_experiment(plan, there)
        known = {point.key for point in plan.completed(there)}
        lost = known - {point.key for point in plan.points}
        if lost:
            print(
                f"dse: study {plan.study.name} had {len(lost)} more "
                f"point{'s' if len(lost) > 1 else ''}, which the experiment names no "
                "longer; their runs are kept",
                file=sys.stderr,
            )
    for plan in plans:
        store.patiently(partial(refuse_other_study, store, plan.study))
    # Before the studies: a refusal leaves none without points.
    points = [point.metaparameters for plan in plans for point in plan.points]
    store.patiently(partial(enter_families, store, points))
    for plan in plans:
        store.patiently(partial(register_study, store, plan.study))
        enter = partial(register_points, store, plan.study.name, plan.points)
        store.patiently(partial(enter, only=True))
        states = store.patiently(partial(run_states, store, plan.cells))
        lacking = plan.missing(states, tries)
        for cell_id, wanted in lacking.items():
            missing[cell_id] = max(missing.get(cell_id, ()), wanted, key=len)
    return missing


def project(plans: Sequence[Plan], store: Store, tries: Tries) -> None:
    """Add the cells that have ended to Optuna's studies, without training."""
    for plan in plans:
        store.patiently(partial(_Projection, store, plan, tries))


def complete(
    plans: Sequence[Plan],
    missing: Mapping[str, tuple[int, ...]],
    store: Store,
    executor: Executor,
    listener: Listener,
    tries: Tries,
) -> None:
    """Train the missing runs of plans; events are stored before `listener` hears them.

    A cell becomes a trial as soon as its last planned replicate ends.
    """
    cells = {cell_id: cell for plan in plans for cell_id, cell in plan.cells.items()}
    projections = [
        store.patiently(partial(_Projection, store, plan, tries)) for plan in plans
    ]

    def hear(event: Event) -> None:
        for of_plan in projections:
            of_plan.hear(event)
        listener(event)

    wanted = [(cells[cell_id], numbers) for cell_id, numbers in missing.items()]
    execute_in_order(wanted, store, executor, hear, tries)


def execute_in_order(
    wanted: Sequence[tuple[Cell, tuple[int, ...]]],
    store: Store,
    executor: Executor,
    listener: Listener,
    tries: Tries,
    closed: Callable[[], bool] = lambda: False,
) -> None:
    """Execute cells, those with stages after those whose weights they begin from.

    Args:
        wanted: cells with the replicates to run.
        store: the database.
        executor: runs the jobs.
        listener: hears every event, after it is stored.
        tries: which failures are tried again.
        closed: tells that no further job is to begin.
    """
    for depth in sorted({len(cell.stages) for cell, _ in wanted}):
        if closed():
            return
        some = [each for each in wanted if len(each[0].stages) == depth]
        if depth:
            some = list(_with_parents(some, store, listener))
        jobs = jobs_for(some, executor.workers)
        queue = JobQueue(jobs, closed, _equip(store))
        execute(queue, store, executor, listener, tries)


def _with_parents(
    wanted: Iterable[tuple[Cell, tuple[int, ...]]], store: Store, listener: Listener
) -> Iterator[tuple[Cell, tuple[int, ...]]]:
    """Yield the cells with the replicates whose parents are complete; fail others."""
    for cell, replicates in wanted:
        assert cell.parent is not None
        read = partial(complete_replicates, store, cell.parent, replicates)
        complete = store.patiently(read)
        for number in replicates:
            if number in complete:
                continue
            detail = f"cell {cell.parent.id}, replicate {number} is not complete"
            begun = Started(cell.id, number, "none")
            failed = Failed(cell.id, number, "parent", detail)
            run_id = store.patiently(partial(begin_run, store, begun))
            listener(replace(begun, run_id=run_id))
            store.patiently(partial(fail_run, store, failed))
            listener(failed)
        if complete:
            yield cell, complete


def _equip(store: Store) -> Callable[[Job], Job]:
    """Give jobs of cells with stages the files of the parents."""

    def equip(job: Job) -> Job:
        if not job.cell.stages:
            return job
        read = partial(parent_files, store, job.cell, job.replicates)
        return replace(job, parents=store.patiently(read))

    return equip


class _Projection:
    """The cells of a plan as Optuna trials."""

    def __init__(self, store: Store, plan: Plan, tries: Tries) -> None:
        from dse.study.optuna_study import PlanProjection

        self._store, self._plan, self._tries = store, plan, tries
        several = len({point.metaparameters.name for point in plan.points}) > 1
        self._projection = PlanProjection(store, plan.study.name, several=several)
        self._points = {point.cell.id: point for point in reversed(plan.points)}
        states = run_states(store, plan.cells)
        for cell_id in plan.cells:
            self._tell(cell_id, states)

    def hear(self, event: Event) -> None:
        if isinstance(event, Done | Failed) and event.cell_id in self._plan.cells:
            self._store.patiently(lambda: self._tell_anew(event.cell_id))

    def _tell_anew(self, cell_id: str) -> None:
        if not self._projection.is_told(cell_id):
            self._tell(cell_id, run_states(self._store, [cell_id]))

    def _tell(self, cell_id: str, states: Mapping[tuple[str, int], RunState]) -> None:
        """Make the cell a trial, once all its planned replicates have ended."""
        if self._projection.is_told(cell_id):
            return
        replicates = range(self._plan.study.replicates)
        first = [states.get((cell_id, replicate)) for replicate in replicates]
        if all(map(self._tries.ended, first)):
            mean = mean_val_accuracy(filter(None, first))
            size: float = cost(self._plan.cells[cell_id].architecture).bytes_fp32
            measured = [s.bytes for s in first if s is not None and s.bytes is not None]
            if measured:  # files of compressed networks
                size = fmean(measured)
            self._projection.tell(cell_id, self._points[cell_id], mean, size)


def execute(
    queue: JobQueue,
    store: Store,
    executor: Executor,
    listener: Listener,
    tries: Tries,
) -> None:
    """Run jobs, and store every event before `listener` hears it.

    A run whose failure is worth another try is put back as the next job.
    """
    cells = queue.cells
    for cell_id, replicate in queue.runs:
        store.place.adopt_checkpoints(cell_id, replicate)
    for event in executor.run(queue):
        match event:
            case Started():
                run_id = store.patiently(partial(begin_run, store, event))
                event = replace(event, run_id=run_id)
            case EpochEnded():
                store.patiently(partial(add_epoch, store, event))
            case Done():
                store.patiently(partial(complete_run, store, event))
                _forget_checkpoints(store, event)
            case Failed():
                tried = store.patiently(partial(fail_run, store, event))
                if tries.are_left(event.reason, tried):
                    queue.put_back(Job(cells[event.cell_id], (event.replicate,)))
                    event = replace(event, again=True)
                elif event.reason in FINAL:
                    _forget_checkpoints(store, event)
        listener(event)


def _forget_checkpoints(store: Store, event: Event) -> None:
    """Delete the checkpoints of a run with a final outcome; only retries need them."""
    store.place.delete_checkpoints(event.cell_id, event.replicate)


def mean_val_accuracy(states: Iterable[RunState]) -> float | None:
    """Mean validation accuracy of the completed runs; None if there are none."""
    values = [s.val_accuracy for s in states if s.val_accuracy is not None]
    return fmean(values) if values else None
