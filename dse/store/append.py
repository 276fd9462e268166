"""Write runs to the database as they begin, proceed and end.

Every write may be repeated: a server may be lost between a commit and its answer.
"""

import datetime
from contextlib import suppress

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    delete,
    insert,
    select,
    update,
)

from dse.errors import DseError
from dse.runs.events import Done, EpochEnded, Event, Failed, Metrics, Started
from dse.runs.recipe import Recipe
from dse.runs.stages import stage_of
from dse.runs.weights import save_weights
from dse.store.database import Store
from dse.store.schema import (
    artifacts,
    cells,
    metrics,
    runs,
)
from dse.version import code_version


def begin_run(store: Store, started: Started) -> int:
    """Enter a run as `running`, in place of an earlier try.

    If its driver ended while it was `running`, both count as one try.

    Returns:
        The run's id.
    """
    where = _is_run_of(started)
    with store.writing() as connection:
        query = select(cells.c.recipe, cells.c.stages)
        of_cell = connection.execute(query.where(cells.c.id == started.cell_id)).one()
        recipe = Recipe.of(of_cell.recipe)
        stages = [stage_of(stage) for stage in of_cell.stages]
        values = {
            "cell_id": started.cell_id,
            "replicate": started.replicate,
            "seed": recipe.seed,
            "status": "running",
            "epochs": stages[-1].epochs if stages else recipe.epochs,
            "device": started.device,
            "code_version": code_version(),
            "created_at": started.begun or _now(),
        }
        before = connection.execute(
            select(runs.c.tries, runs.c.status, runs.c.created_at).where(where)
        ).first()
        tries = 0 if before is None else before.tries
        if before is None or before.status != "running":
            tries += 1
        else:
            # Weights may have been written just before the driver ended.
            store.place.delete_unfinished(
                started.cell_id, started.replicate, before.created_at
            )
        connection.execute(delete(runs).where(where))
        entered = insert(runs).values(tries=tries, **values).returning(runs.c.id)
        return int(connection.execute(entered).scalar_one())


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC).replace(tzinfo=None)


def add_epoch(store: Store, ended: EpochEnded) -> None:
    """Enter an epoch's metrics."""
    train = {**ended.metrics["train"], "images_per_second": ended.images_per_second}
    with store.writing() as connection:
        run_id = _run_id(connection, ended)
        values = {**ended.metrics, "train": train}
        _set_metrics(connection, run_id, ended.epoch, values)


def complete_run(store: Store, done: Done) -> None:
    """Enter a run's result, after its weights are on disk.

    Weights from a worker that does not share the database's folder are written here.
    """
    kept = done.kept
    if kept is None and done.weights:
        query = select(runs.c.created_at).where(_is_run_of(done))
        with store.reading() as connection:
            begun = connection.execute(query).scalar_one()
        kept = save_weights(store.place.own, done, begun)
    with store.writing(lasting=True) as connection:
        run_id = _run_id(connection, done)
        connection.execute(
            update(runs)
            .where(runs.c.id == run_id)
            .values(
                status="complete",
                val_accuracy=done.metrics["validation"]["accuracy"],
                test_accuracy=done.metrics["test"]["accuracy"],
                test_top5=done.metrics["test"].get("top5_accuracy"),
                train_seconds=done.train_seconds,
                step_seconds=done.step_seconds,
                compile_seconds=done.compile_seconds,
                bytes=done.size,
            )
        )
        last = select(runs.c.epochs).where(runs.c.id == run_id)
        scored = {"test": done.metrics["test"]}
        _set_metrics(connection, run_id, connection.execute(last).scalar_one(), scored)
        if kept is not None:
            connection.execute(delete(artifacts).where(artifacts.c.run_id == run_id))
            connection.execute(
                insert(artifacts).values(
                    run_id=run_id, kind="weights", path=kept.path, hash=kept.hash
                )
            )


def fail_run(store: Store, failed: Failed) -> int:
    """Enter the failure of a run that began, with its reason.

    Returns:
        The number of times the run was tried.
    """
    where = _is_run_of(failed)
    with store.writing(lasting=True) as connection:
        connection.execute(
            update(runs)
            .where(where)
            .values(status="failed", reason=failed.reason, detail=failed.detail)
        )
        found = select(runs.c.tries, runs.c.created_at).where(where)
        row = connection.execute(found).one()
    # A lost worker may have written weights without reporting them.
    with suppress(DseError):  # an invalid name has no file
        store.place.delete_unfinished(failed.cell_id, failed.replicate, row.created_at)
    return int(row.tries)


def _is_run_of(event: Event) -> ColumnElement[bool]:
    return and_(runs.c.cell_id == event.cell_id, runs.c.replicate == event.replicate)


def _run_id(connection: Connection, event: Event) -> int:
    query = select(runs.c.id).where(_is_run_of(event))
    return int(connection.execute(query).scalar_one())


def _set_metrics(
    connection: Connection, run_id: int, epoch: int, values: Metrics
) -> None:
    """Enter an epoch's metrics, replacing those of the same splits."""
    rows = [
        {
            "run_id": run_id,
            "split": split,
            "epoch": epoch,
            "name": name,
            "value": value,
        }
        for split, named in values.items()
        for name, value in named.items()
    ]
    of_epoch = (metrics.c.run_id == run_id) & (metrics.c.epoch == epoch)
    connection.execute(
        delete(metrics).where(of_epoch & metrics.c.split.in_(list(values)))
    )
    connection.execute(insert(metrics), rows)
