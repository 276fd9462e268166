"""Status of studies: their cells, and their running and failed runs."""

from dataclasses import dataclass
from typing import Any

import pandas as pd
from sqlalchemy import ColumnElement, Select, and_, func, select

from dse.fields import Fields
from dse.runs.recipe import Recipe
from dse.store.database import Store
from dse.store.query import check_study, read_view, typed
from dse.store.schema import metrics, runs, studies, study_cells
from dse.store.views import stored_fields

SNAPSHOT = {True: "BEGIN", False: "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"}
"""Statement that makes several reads see one state; the key is `is_sqlite`."""


@dataclass(frozen=True)
class Standing:
    """Status of studies as read from the database.

    Attributes:
        cells: the view `cells`, a row for each point, with `images`, the length of a
            run in epochs or, where the recipe counts steps, in images. `set` names the
            dataset and that unit.
        open_runs: the running and failed runs, the oldest first; running ones with the
            validation accuracy and speed of their newest epoch.
        fields: the fields of metaparameters, by family.
    """

    cells: pd.DataFrame
    open_runs: pd.DataFrame
    fields: Fields


def read_standing(store: Store, study: str | None = None) -> Standing:
    """Read the status of a study, or of all, in short reads.

    Raises:
        DseError: there is no such study, or none at all.
    """
    check_study(store, study)
    lengths = select(studies.c.name, studies.c.dataset_fingerprint, studies.c.recipe)
    with store.reading() as connection:
        connection.exec_driver_sql(SNAPSHOT[store.is_sqlite])
        trained = {row.name: _trained(row) for row in connection.execute(lengths)}
        points = read_view(connection, "cells", study)
        open_runs = pd.read_sql_query(_open_runs(study), connection)
        fields = stored_fields(connection)
    points = points.sort_values(["study", "position"], ignore_index=True)
    points["set"] = points["study"].map(lambda name: trained[name][0])
    images = points["study"].map(lambda name: trained[name][1])
    points["images"] = images.astype("int64")  # also where there are no points yet
    return Standing(points, typed(open_runs), fields)


def _trained(study: Any) -> tuple[str, int]:
    """The dataset and unit of length of a study's runs, and their length in it."""
    recipe = Recipe.of(study.recipe)
    if recipe.steps is None:
        return f"{study.dataset_fingerprint} by epochs", recipe.epochs
    return f"{study.dataset_fingerprint} by steps", recipe.steps * recipe.batch_size


def _open_runs(study: str | None) -> Select[Any]:
    running = select(runs.c.id).where(runs.c.status == "running")
    newest = (
        select(metrics.c.run_id, func.max(metrics.c.epoch).label("epoch"))
        .where(metrics.c.run_id.in_(running))
        .group_by(metrics.c.run_id)
        .subquery()
    )
    accuracy, speed = metrics.alias(), metrics.alias()

    def of_newest(values: Any, split: str, name: str) -> ColumnElement[bool]:
        return and_(
            values.c.run_id == newest.c.run_id,
            values.c.split == split,
            values.c.epoch == newest.c.epoch,
            values.c.name == name,
        )

    query = (
        select(
            runs.c.id.label("run_id"),
            runs.c.cell_id,
            runs.c.replicate,
            runs.c.status,
            runs.c.reason,
            runs.c.detail,
            runs.c.tries,
            runs.c.device,
            runs.c.epochs,
            runs.c.created_at,
            func.coalesce(newest.c.epoch, 0).label("epoch"),
            accuracy.c.value.label("val_accuracy"),
            speed.c.value.label("images_per_second"),
        )
        .select_from(runs)
        .outerjoin(newest, newest.c.run_id == runs.c.id)
        .outerjoin(accuracy, of_newest(accuracy, "validation", "accuracy"))
        .outerjoin(speed, of_newest(speed, "train", "images_per_second"))
        .where(runs.c.status.in_(["running", "failed"]))
        .order_by(runs.c.id)
    )
    if study is None:
        return query
    own = select(study_cells.c.cell_id).where(study_cells.c.study == study)
    return query.where(runs.c.cell_id.in_(own))
