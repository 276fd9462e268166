"""The points of studies as objects that need no code of their families."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from dse.arch.graph import Architecture
from dse.bounds import MOST, brief, is_whole
from dse.errors import DseError
from dse.runs.recorded import Recorded
from dse.runs.records import point_key
from dse.runs.staged import DONE, OF_STAGES, Staged
from dse.runs.stages import stage_of
from dse.store.database import Store
from dse.store.schema import architectures, artifacts, cells, runs, study_cells
from dse.store.views import stored_fields

POINTS = (
    select(
        study_cells.c.study,
        study_cells.c.cell_id,
        study_cells.c.family,
        study_cells.c.metaparameters,
        study_cells.c.derived,
        study_cells.c.note,
        cells.c.stages,
        architectures.c.graph,
    )
    .join(cells, cells.c.id == study_cells.c.cell_id)
    .join(architectures, architectures.c.id == cells.c.arch_id)
    .order_by(study_cells.c.study, study_cells.c.position)
)


@dataclass(frozen=True)
class StoredCell:
    """A point of a study with the id of its cell.

    Attributes:
        study: the study's name.
        cell_id: the cell.
        point: the network, with the stages that it went through.
    """

    study: str
    cell_id: str
    point: Recorded | Staged


def stored_cells(
    store: Store, *, study: str | None = None, cell_id: str | None = None
) -> list[StoredCell]:
    """Read the points of a study, or of every study that has a cell, in order."""
    query = POINTS
    if study is not None:
        query = query.where(study_cells.c.study == study)
    if cell_id is not None:
        query = query.where(study_cells.c.cell_id == cell_id)
    with store.reading() as connection:
        fields = stored_fields(connection)
        rows = connection.execute(query).all()
    return [
        StoredCell(row.study, row.cell_id, _point(row, fields[row.family]))
        for row in rows
    ]


def _point(row: Any, known: Mapping[str, Any]) -> Recorded | Staged:
    stored = dict(row.metaparameters)
    if DONE in stored:
        stored = {name: x for name, x in stored.items() if name not in OF_STAGES}
    network = Recorded(
        row.family,
        point_key(row.family, stored),
        {name: known[name] for name in stored},
        stored,
        Architecture.from_json(row.graph),
        row.derived,
        row.note,
    )
    stages = tuple(stage_of(values) for values in row.stages)
    return Staged(network, stages) if stages else network


def run_named(store: Store, run_id: int) -> tuple[str, int]:
    """The cell and the replicate of a complete run.

    Raises:
        DseError: there is no such run, or it is not complete.
    """
    query = select(runs.c.cell_id, runs.c.replicate, runs.c.status)
    row = None
    if is_whole(run_id, 0, MOST):
        with store.reading() as connection:
            row = connection.execute(query.where(runs.c.id == run_id)).one_or_none()
    if row is None:
        raise DseError(
            f"there is no run {brief(run_id)}; dse query 'SELECT run_id, study FROM "
            "runs' lists them"
        )
    if row.status != "complete":
        raise DseError(f"run {run_id} is {row.status}; only a complete run has weights")
    return row.cell_id, row.replicate


def runs_without_weights(store: Store, cell_ids: Collection[str]) -> Sequence[int]:
    """Complete runs of these cells whose weights were not kept."""
    query = (
        select(runs.c.id, runs.c.cell_id)
        .outerjoin(
            artifacts,
            (artifacts.c.run_id == runs.c.id) & (artifacts.c.kind == "weights"),
        )
        .where(runs.c.status == "complete", artifacts.c.path.is_(None))
        .order_by(runs.c.id)
    )
    with store.reading() as connection:
        rows = connection.execute(query).all()
    return [row.id for row in rows if row.cell_id in set(cell_ids)]
