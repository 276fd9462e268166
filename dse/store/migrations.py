"""Migrate databases of older schemas, one step for each version.

Each step runs within one transaction. It defines tables in its own SQL, because
`dse.store.schema` has only the current ones.
"""

import json
from collections.abc import Callable, Mapping

from sqlalchemy import Connection

from dse.arch.family import Family
from dse.families import DEFAULT, family_called
from dse.store.views import make_views, put_families

OLDEST = 2
"""Oldest schema version that can be migrated."""


OF_3 = ("runs", "cells", "epochs")
"""Views of schema 3."""
VIEWS_KEPT = 4
"""Oldest schema version whose views are replaced, not dropped with what was granted."""

TABLES_OF_4 = (
    """
    CREATE TABLE dse_families (
        name VARCHAR NOT NULL PRIMARY KEY,
        fields JSON NOT NULL,
        derived JSON NOT NULL
    )""",
    """
    CREATE TABLE dse_study_cells (
        study VARCHAR NOT NULL REFERENCES dse_studies (name),
        point VARCHAR NOT NULL,
        position INTEGER NOT NULL,
        cell_id VARCHAR NOT NULL REFERENCES dse_cells (id),
        family VARCHAR NOT NULL REFERENCES dse_families (name),
        metaparameters JSON NOT NULL,
        derived JSON NOT NULL,
        note VARCHAR NOT NULL,
        PRIMARY KEY (study, point)
    )""",
    "CREATE INDEX ix_dse_study_cells_cell_id ON dse_study_cells (cell_id)",
)


def to_3(connection: Connection) -> None:
    """Do nothing: only the views changed, which are made anew in the end."""


def to_4(connection: Connection) -> None:
    """Store metaparameters of any family as JSON, and drop unused columns."""
    for name in OF_3:
        connection.exec_driver_sql(f"DROP VIEW IF EXISTS {name}")
    kind = family_called(DEFAULT)
    points = connection.exec_driver_sql(
        "SELECT study, point, position, cell_id FROM dse_study_cells"
    ).all()
    more = {point: _derived(kind, point) for _, point, *_ in points}
    connection.exec_driver_sql("DROP TABLE dse_study_cells")
    for statement in TABLES_OF_4:
        connection.exec_driver_sql(statement)
    fields = {name: field.to_json() for name, field in kind.fields.items()}
    put_families(connection, {DEFAULT: (fields, list(kind().derived()))})
    rows = [
        (study, f"{DEFAULT} {point}", position, cell_id, DEFAULT, point, *more[point])
        for study, point, position, cell_id in points
    ]
    if rows:
        mark = "?" if connection.dialect.name == "sqlite" else "%s"
        places = ", ".join([mark] * len(rows[0]))
        connection.exec_driver_sql(
            "INSERT INTO dse_study_cells (study, point, position, cell_id, family, "
            f"metaparameters, derived, note) VALUES ({places})",
            rows,
        )
    for table, column in (
        ("dse_architectures", "family"),
        ("dse_architectures", "metaparameters"),
        ("dse_runs", "parent_run"),
    ):
        connection.exec_driver_sql(f"ALTER TABLE {table} DROP COLUMN {column}")


def to_5(connection: Connection) -> None:
    """Add what is done to trained weights, and the bytes of a compressed network."""
    connection.exec_driver_sql(
        "ALTER TABLE dse_cells ADD COLUMN stages JSON DEFAULT '[]' NOT NULL"
    )
    connection.exec_driver_sql("ALTER TABLE dse_runs ADD COLUMN bytes BIGINT")


def _granted(connection: Connection) -> list[str]:
    """SQL statements that restore people's rights to read on a server."""
    if connection.dialect.name == "sqlite":
        return []
    query = (
        "SELECT table_name, grantee FROM information_schema.role_table_grants "
        "WHERE privilege_type = 'SELECT' AND grantor <> grantee "
        "AND table_schema = current_schema() "
        "AND table_name IN ('runs', 'cells', 'epochs', 'dse_study_cells')"
    )
    return [
        f'GRANT SELECT ON "{table}" TO '
        + ("PUBLIC" if who == "PUBLIC" else '"' + who.replace('"', '""') + '"')
        for table, who in connection.exec_driver_sql(query).all()
    ]


def _derived(kind: type[Family], point: str) -> tuple[str, str]:
    """Return the derived numbers of a point of schema 3, as JSON, and its note."""
    found = kind.of(json.loads(point))
    return json.dumps(dict(found.derived())), found.note()


MIGRATIONS: Mapping[int, Callable[[Connection], None]] = {3: to_3, 4: to_4, 5: to_5}
"""Migration steps, by the version that they lead to."""


def migrate(connection: Connection, version: int, wanted: int) -> None:
    """Migrate the tables from `version` to `wanted`, step by step, then the views."""
    granted = _granted(connection) if version < VIEWS_KEPT else []
    for step in range(version + 1, wanted + 1):
        MIGRATIONS[step](connection)
    make_views(connection)
    for statement in granted:
        connection.exec_driver_sql(statement)
