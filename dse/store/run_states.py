"""Where runs stand: all that a sweep reads, known without pandas."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import select

from dse.families.squeezenet import Metaparameters
from dse.store.database import Store
from dse.store.schema import METAPARAMETERS, runs, study_cells

CELLS_AT_ONCE = 500


@dataclass(frozen=True)
class RunState:
    """Where a run stands, and how often it was started."""

    status: str
    reason: str | None
    val_accuracy: float | None
    tries: int = 1


def run_states(
    store: Store, cell_ids: Collection[str]
) -> dict[tuple[str, int], RunState]:
    """The state of every run of these cells, by (cell, replicate)."""
    query = select(
        runs.c.cell_id,
        runs.c.replicate,
        runs.c.status,
        runs.c.reason,
        runs.c.val_accuracy,
        runs.c.tries,
    )
    wanted, states = list(cell_ids), {}
    with store.reading() as connection:
        for first in range(0, len(wanted), CELLS_AT_ONCE):
            some = runs.c.cell_id.in_(wanted[first : first + CELLS_AT_ONCE])
            for row in connection.execute(query.where(some)):
                states[row.cell_id, row.replicate] = RunState(
                    row.status, row.reason, row.val_accuracy, row.tries
                )
    return states


def points_of(store: Store, study: str) -> list[Metaparameters]:
    """The points that a study wants, in order; none of one that is not there."""
    names = [study_cells.c[name] for name in METAPARAMETERS]
    query = (
        select(*names)
        .where(study_cells.c.study == study)
        .order_by(study_cells.c.position)
    )
    with store.reading() as connection:
        rows = connection.execute(query).mappings().all()
    return [Metaparameters.from_mapping(dict(row)) for row in rows]
