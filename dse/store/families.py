"""Enter families in the database, before the first of their points."""

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, select, update

from dse.arch.family import Family
from dse.errors import DseError
from dse.fields import Field
from dse.runs.staged import Network, unstaged
from dse.store.database import Store
from dse.store.run_states import StoredPoint
from dse.store.schema import families, study_cells
from dse.store.views import SQL_TYPES, Row, make_views, put_families, stored_fields


def enter_families(store: Store, points: Iterable[Network]) -> None:
    """Enter the families of these points, with their fields as columns of the views.

    Those of stages are entered as fields of the family, which its plain points lack.
    Stored points of a family that has got fields since get the defaults of these.

    Raises:
        DseError: a field has another kind in the database, in this family, or one that
            cannot share a column with another family's.
    """
    kinds, rows = dict[str, type[Family]](), dict[str, Row]()
    for point in points:
        if isinstance(family := unstaged(point), Family):
            kinds[point.name] = type(family)
        fields, _ = rows.get(point.name, ({}, []))
        own = {x: field.to_json() for x, field in point.fields.items()}
        rows[point.name] = {**fields, **own}, list(point.derived())
    with store.reading() as connection:
        new = _new_rows(connection, rows)
    if new:
        with store.changing_schema() as connection:
            enter_rows(connection, rows)
            for name in new.keys() & kinds.keys():
                _complete_points(connection, kinds[name]())


def _complete_points(connection: Connection, plain: Family) -> None:
    """Add to the stored points of a family the fields that it got later.

    Args:
        connection: the open transaction.
        plain: the family's point of all defaults.
    """
    own = study_cells.c.family == plain.name
    for row in connection.execute(select(study_cells).where(own)).all():
        stored = StoredPoint(row.family, row.point, row.metaparameters)
        point = stored.completed({plain.name: plain})
        if point != stored:
            connection.execute(
                update(study_cells)
                .where(study_cells.c.study == row.study)
                .where(study_cells.c.point == row.point)
                .values(point=point.key, metaparameters=dict(point.values))
            )


def enter_rows(connection: Connection, told: Mapping[str, Row]) -> None:
    """Enter families as rows, within a transaction.

    A field that only the stored family has is kept, for the points that have it.
    """
    if new := _new_rows(connection, told):
        put_families(connection, new)
        make_views(connection)


def _new_rows(connection: Connection, wanted: Mapping[str, Row]) -> dict[str, Row]:
    """Select the families that must be entered or changed."""
    rows = connection.execute(select(families))
    known: dict[str, Row] = {row.name: (row.fields, row.derived) for row in rows}
    merged = {name: _merged(name, row, known.get(name)) for name, row in wanted.items()}
    return {name: row for name, row in merged.items() if row != known.get(name)}


def _merged(name: str, row: Row, known: Row | None) -> Row:
    if known is None:
        return row
    fields, derived = known
    for column, field in row[0].items():
        before = fields.get(column) or field
        if SQL_TYPES[before["kind"]] != SQL_TYPES[field["kind"]]:
            raise DseError(
                f"family {name} has {column} as {field['kind']}, the one of this "
                f"database as {before['kind']}: rename the field or the family, or "
                "take another --storage"
            )
    return {**fields, **row[0]}, list(dict.fromkeys([*derived, *row[1]]))


def fields_of(store: Store) -> dict[str, dict[str, Field]]:
    """Read the fields of every family in the database."""
    with store.reading() as connection:
        return stored_fields(connection)
