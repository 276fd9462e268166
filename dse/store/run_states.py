"""Read the states of runs and the points of studies, without pandas."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from dse.arch.family import Family
from dse.runs.records import point_key
from dse.runs.run_state import RunState
from dse.runs.staged import Network
from dse.store.database import Store
from dse.store.schema import runs, study_cells

CELLS_AT_ONCE = 500


def run_states(
    store: Store, cell_ids: Collection[str]
) -> dict[tuple[str, int], RunState]:
    """Read the state of every run of these cells, by (cell, replicate)."""
    query = select(
        runs.c.cell_id,
        runs.c.replicate,
        runs.c.status,
        runs.c.reason,
        runs.c.val_accuracy,
        runs.c.tries,
        runs.c.bytes,
    )
    wanted, states = list(cell_ids), {}
    with store.reading() as connection:
        for first in range(0, len(wanted), CELLS_AT_ONCE):
            some = runs.c.cell_id.in_(wanted[first : first + CELLS_AT_ONCE])
            for row in connection.execute(query.where(some)):
                states[row.cell_id, row.replicate] = RunState(
                    row.status, row.reason, row.val_accuracy, row.tries, row.bytes
                )
    return states


@dataclass(frozen=True)
class StoredPoint:
    """A point as the database stores it; the code of its family is not needed.

    Attributes:
        family: the family's name.
        key: see `Point`.
        values: the metaparameters.
    """

    family: str
    key: str
    values: Mapping[str, Any] = field(compare=False)

    @classmethod
    def of(cls, metaparameters: Network) -> "StoredPoint":
        """Stored form of a point."""
        values = metaparameters.values
        return cls(metaparameters.name, point_key(metaparameters.name, values), values)

    def completed(self, plain: Mapping[str, Family]) -> "StoredPoint":
        """This point with the defaults of fields that its family got later.

        Args:
            plain: the point of all defaults of each family, by name.
        """
        if self.family not in plain:
            return self
        family = plain[self.family]
        later = {
            name: family.values[name]
            for name, field in family.fields.items()
            if name not in self.values and field.later
        }
        values = {**self.values, **later}
        return StoredPoint(self.family, point_key(self.family, values), values)

    def get(self, name: str) -> object:
        """Value of a metaparameter, or of `family`."""
        return self.family if name == "family" else self.values.get(name)


def points_of(store: Store, study: str) -> list[StoredPoint]:
    """Read the points of a study, in order; empty if there is no such study."""
    query = (
        select(study_cells.c.family, study_cells.c.point, study_cells.c.metaparameters)
        .where(study_cells.c.study == study)
        .order_by(study_cells.c.position)
    )
    with store.reading() as connection:
        return [StoredPoint(*row) for row in connection.execute(query)]
