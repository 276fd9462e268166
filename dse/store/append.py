"""What is written: studies and their cells, then runs as they begin and end.

What a sweep writes can be written twice: a server may be lost between a commit and its
answer.
"""

import datetime
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    and_,
    delete,
    insert,
    select,
    update,
)

from dse.arch.cost import cost
from dse.errors import DseError
from dse.runs.cell import NUMERICS_VERSION
from dse.runs.events import Done, EpochEnded, Event, Failed, Metrics, Started
from dse.runs.recipe import Recipe
from dse.runs.records import Point, StudyRecord
from dse.store.artifacts import save_weights
from dse.store.database import Store
from dse.store.schema import (
    architectures,
    artifacts,
    cells,
    metrics,
    runs,
    studies,
    study_cells,
)
from dse.version import code_version


def register_study(store: Store, study: StudyRecord) -> None:
    """Enter the study, or raise its number of replicates; it is never lowered.

    Raises:
        DseError: the study there has another recipe, dataset or numerics version.
    """
    values = {
        **asdict(study),
        "recipe": study.recipe.to_json(),
        "numerics_version": NUMERICS_VERSION,
    }
    with store.writing() as connection:
        row = connection.execute(
            select(studies).where(studies.c.name == study.name)
        ).one_or_none()
        if row is None:
            connection.execute(insert(studies).values(values))
            return
        _refuse_other_recipe(study, row)
        connection.execute(
            update(studies)
            .where(studies.c.name == study.name)
            .values(replicates=max(study.replicates, row.replicates))
        )


def refuse_other_study(store: Store, study: StudyRecord) -> None:
    """Read alone: that what is called `study` there, if anything, is the same.

    Raises:
        DseError: it has another recipe, dataset or numerics version.
    """
    with store.reading() as connection:
        query = select(studies).where(studies.c.name == study.name)
        row = connection.execute(query).one_or_none()
    if row is not None:
        _refuse_other_recipe(study, row)


def _refuse_other_recipe(study: StudyRecord, row: Any) -> None:
    different = study.recipe.differences(Recipe.from_json(row.recipe))
    if row.dataset_fingerprint != study.dataset_fingerprint:
        different = f"{different}; " if different else ""
        different += f"the content of dataset {study.dataset}"
    if row.numerics_version != NUMERICS_VERSION:
        different = f"{different}; " if different else ""
        different += (
            f"numerics version {row.numerics_version} there, {NUMERICS_VERSION} here"
        )
    if different:
        raise DseError(
            f"study {study.name} was begun with another recipe ({different}); a study "
            "holds one: take another --storage, or copy the experiment under a new name"
        )


def register_points(
    store: Store, study: str, points: Sequence[Point], *, only: bool = False
) -> None:
    """Enter the cells of a study, with their architectures, where they are new.

    Args:
        store: the database.
        study: the study's name.
        points: its cells.
        only: whether the study wants these alone, in this order. Runs of a cell that
            it no longer wants are kept, and come back with it.
    """
    with store.writing() as connection:
        if only:
            connection.execute(delete(study_cells).where(study_cells.c.study == study))
        query = select(study_cells.c.point).where(study_cells.c.study == study)
        known = set(connection.execute(query).scalars())
        for point in points:
            if point.key in known:
                continue
            _enter_cell(connection, point)
            values = asdict(point.metaparameters)
            connection.execute(
                insert(study_cells).values(
                    study=study,
                    point=point.key,
                    position=len(known),
                    cell_id=point.cell.id,
                    **values,
                )
            )
            known.add(point.key)


def _enter_cell(connection: Connection, point: Point) -> None:
    cell, architecture = point.cell, point.cell.architecture
    if not _has(connection, architectures, architecture.id):
        costs = cost(architecture)
        connection.execute(
            insert(architectures).values(
                id=architecture.id,
                family="squeezenet",
                metaparameters=asdict(point.metaparameters),
                graph=architecture.to_json(),
                params=costs.params,
                macs=costs.macs,
                activations=costs.activations,
                peak_activations=costs.peak_activations,
            )
        )
    if not _has(connection, cells, cell.id):
        connection.execute(
            insert(cells).values(
                id=cell.id,
                arch_id=architecture.id,
                recipe=cell.recipe.to_json(),
                dataset=cell.dataset,
                dataset_fingerprint=cell.dataset_fingerprint,
                class_names=list(cell.class_names),
                numerics_version=NUMERICS_VERSION,
            )
        )


def _has(connection: Connection, table: Table, key: str) -> bool:
    found = connection.execute(select(table.c.id).where(table.c.id == key))
    return found.first() is not None


def begin_run(store: Store, started: Started) -> int:
    """Enter a run as `running`, forgetting what a try before it left.

    One that was under way when its driver ended counts as the same try.

    Returns:
        The run's id.
    """
    where = _is_run_of(started)
    with store.writing() as connection:
        query = select(cells.c.recipe).where(cells.c.id == started.cell_id)
        recipe = Recipe.from_json(connection.execute(query).scalar_one())
        values = {
            "cell_id": started.cell_id,
            "replicate": started.replicate,
            "seed": recipe.seed,
            "status": "running",
            "epochs": recipe.epochs,
            "device": started.device,
            "code_version": code_version(),
            "created_at": datetime.datetime.now(datetime.UTC).replace(tzinfo=None),
        }
        before = connection.execute(
            select(runs.c.tries, runs.c.status, runs.c.created_at).where(where)
        ).first()
        tries = 0 if before is None else before.tries
        if before is None or before.status != "running":
            tries += 1
        else:
            # Its weights may lie there, though its driver ended before the row said so.
            place = store.place
            place.delete_unfinished(
                started.cell_id, started.replicate, before.created_at
            )
        connection.execute(delete(runs).where(where))
        entered = insert(runs).values(tries=tries, **values).returning(runs.c.id)
        return int(connection.execute(entered).scalar_one())


def add_epoch(store: Store, ended: EpochEnded) -> None:
    """Enter an epoch's metrics."""
    train = {**ended.metrics["train"], "images_per_second": ended.images_per_second}
    with store.writing() as connection:
        run_id = _run_id(connection, ended)
        values = {**ended.metrics, "train": train}
        _set_metrics(connection, run_id, ended.epoch, values)


def complete_run(store: Store, done: Done, *, keep_weights: bool) -> None:
    """Enter a run's result; its weights are on disk before the row says so."""
    kept = (
        save_weights(store.place, done, _begun(store, done)) if keep_weights else None
    )
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


def _begun(store: Store, done: Done) -> datetime.datetime:
    with store.reading() as connection:
        query = select(runs.c.created_at).where(_is_run_of(done))
        begun: datetime.datetime = connection.execute(query).scalar_one()
    return begun


def fail_run(store: Store, failed: Failed) -> int:
    """Enter the failure of a run that began, with its reason.

    Returns:
        How often the run was tried.
    """
    where = _is_run_of(failed)
    with store.writing(lasting=True) as connection:
        connection.execute(
            update(runs)
            .where(where)
            .values(status="failed", reason=failed.reason, detail=failed.detail)
        )
        tries = connection.execute(select(runs.c.tries).where(where)).scalar_one()
    return int(tries)


def _is_run_of(event: Event) -> ColumnElement[bool]:
    return and_(runs.c.cell_id == event.cell_id, runs.c.replicate == event.replicate)


def _run_id(connection: Connection, event: Event) -> int:
    query = select(runs.c.id).where(_is_run_of(event))
    return int(connection.execute(query).scalar_one())


def _set_metrics(
    connection: Connection, run_id: int, epoch: int, values: Metrics
) -> None:
    """Enter an epoch's metrics, in place of any of the same splits."""
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
