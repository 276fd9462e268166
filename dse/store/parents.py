"""The files of the runs that stages begin from."""

from collections.abc import Collection, Sequence

from sqlalchemy import select

from dse.errors import DseError
from dse.runs.cell import Cell
from dse.runs.events import Kept
from dse.store.artifacts import read_content
from dse.store.database import Store
from dse.store.schema import artifacts, runs


def complete_replicates(
    store: Store, cell: Cell, replicates: Collection[int]
) -> tuple[int, ...]:
    """Those of the replicates of a cell that are complete."""
    query = select(runs.c.replicate).where(
        runs.c.cell_id == cell.id, runs.c.status == "complete"
    )
    with store.reading() as connection:
        found = set(connection.execute(query).scalars())
    return tuple(number for number in replicates if number in found)


def parent_files(
    store: Store, cell: Cell, replicates: Sequence[int]
) -> dict[int, bytes]:
    """Read the files of the parents of a cell's replicates.

    Raises:
        DseError: one was not kept, is gone, or cannot be read.
    """
    parent = cell.parent
    assert parent is not None
    query = (
        select(runs.c.replicate, runs.c.id, artifacts.c.path, artifacts.c.hash)
        .outerjoin(
            artifacts,
            (artifacts.c.run_id == runs.c.id) & (artifacts.c.kind == "weights"),
        )
        .where(runs.c.cell_id == parent.id, runs.c.status == "complete")
    )
    with store.reading() as connection:
        rows = {row.replicate: row for row in connection.execute(query)}
    files = {}
    for number in replicates:
        row = rows[number]
        if row.path is None:
            raise DseError(
                f"the weights of run {row.id} were not kept, so nothing can be done "
                "to them; dse forget has it trained again"
            )
        files[number] = read_content(store.place, Kept(row.path, row.hash))
    return files
