"""Enter studies and their cells before training; repeating it changes nothing."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Table, delete, insert, select, update

from dse.arch.cost import cost
from dse.errors import DseError
from dse.runs.cell import NUMERICS_VERSION
from dse.runs.recipe import Recipe
from dse.runs.records import Point, StudyRecord
from dse.store.database import Store
from dse.store.families import enter_families
from dse.store.schema import architectures, cells, studies, study_cells


def register_study(store: Store, study: StudyRecord) -> None:
    """Enter a study, or raise its number of replicates, which is never lowered.

    Raises:
        DseError: the stored study has another recipe, dataset or numerics version.
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
    """Check, without writing, that a stored study of the same name is the same.

    Raises:
        DseError: it has another recipe, dataset or numerics version.
    """
    with store.reading() as connection:
        query = select(studies).where(studies.c.name == study.name)
        row = connection.execute(query).one_or_none()
    if row is not None:
        _refuse_other_recipe(study, row)


def _refuse_other_recipe(study: StudyRecord, row: Any) -> None:
    different = study.recipe.differences(Recipe.of(row.recipe))
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
    """Enter the new points of a study, with their cells and architectures.

    Args:
        store: the database.
        study: the study's name.
        points: its points.
        only: True to make these the only points of the study, in this order. Runs of
            removed points are kept, and are used again when the point returns.
    """
    enter_families(store, (point.metaparameters for point in points))
    with store.writing() as connection:
        if only:
            connection.execute(delete(study_cells).where(study_cells.c.study == study))
        query = select(study_cells.c.point).where(study_cells.c.study == study)
        known = set(connection.execute(query).scalars())
        for point in points:
            if point.key in known:
                continue
            _enter_cell(connection, point)
            connection.execute(
                insert(study_cells).values(
                    study=study,
                    point=point.key,
                    position=len(known),
                    cell_id=point.cell.id,
                    family=point.metaparameters.name,
                    metaparameters=point.metaparameters.values,
                    derived=dict(point.metaparameters.derived()),
                    note=point.metaparameters.note(),
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
                stages=[stage.to_json() for stage in cell.stages],
            )
        )


def _has(connection: Connection, table: Table, key: str) -> bool:
    found = connection.execute(select(table.c.id).where(table.c.id == key))
    return found.first() is not None
