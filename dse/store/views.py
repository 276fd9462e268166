"""Views that people query, with a column for each stored metaparameter."""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Connection, insert, inspect, select, text, update

from dse.fields import Field, Kind
from dse.runs.columns import check_derived, columns_of
from dse.store.schema import families

Row = tuple[dict[str, Any], list[str]]
"""Fields of a family as JSON, by name, and the names of its derived numbers."""

SQL_TYPES: Mapping[Kind, str] = {
    "whole": "BIGINT",
    "real": "DOUBLE PRECISION",
    "flag": "BOOLEAN",
    "choice": "VARCHAR",
    "text": "VARCHAR",
}

RUNS = """
    SELECT r.id AS run_id, sc.study, r.cell_id, c.arch_id, sc.family,
        s.dataset, s.preset, r.replicate, r.seed, r.status, r.reason, r.detail,
        a.params, a.macs, a.activations, 4 * a.params AS bytes_fp32,
        r.val_accuracy, r.test_accuracy, r.test_top5, r.epochs, r.train_seconds,
        r.step_seconds, r.compile_seconds, r.device, c.numerics_version,
        r.code_version, r.tries, r.created_at{columns}
    FROM dse_study_cells sc
    JOIN dse_studies s ON s.name = sc.study
    JOIN dse_cells c ON c.id = sc.cell_id
    JOIN dse_architectures a ON a.id = c.arch_id
    JOIN dse_runs r ON r.cell_id = c.id"""

CELLS = """
    SELECT sc.study, sc.position, sc.cell_id, c.arch_id, sc.family,
        sc.note, s.dataset, s.preset, a.params, a.macs, a.activations,
        a.peak_activations, 4 * a.params AS bytes_fp32, s.replicates AS planned,
        SUM(CASE WHEN r.status = 'complete' THEN 1 ELSE 0 END) AS complete,
        SUM(CASE WHEN r.status = 'failed' THEN 1 ELSE 0 END) AS failed,
        SUM(CASE WHEN r.status = 'running' THEN 1 ELSE 0 END) AS running,
        s.replicates - SUM(CASE WHEN r.status IN ('complete', 'failed')
            THEN 1 ELSE 0 END) AS missing,
        AVG(r.val_accuracy) AS val_accuracy, AVG(r.test_accuracy) AS test_accuracy,
        SUM(r.train_seconds) AS train_seconds,
        SUM(r.compile_seconds) AS compile_seconds{columns}
    FROM dse_study_cells sc
    JOIN dse_studies s ON s.name = sc.study
    JOIN dse_cells c ON c.id = sc.cell_id
    JOIN dse_architectures a ON a.id = c.arch_id
    LEFT JOIN dse_runs r ON r.cell_id = c.id AND r.replicate < s.replicates
    GROUP BY sc.study, sc.point, s.name, c.id, a.id"""

EPOCHS = """
    SELECT sc.study, r.cell_id, r.replicate, m.run_id, m.epoch,
        MAX(CASE WHEN m.split = 'train' AND m.name = 'loss'
            THEN m.value END) AS train_loss,
        MAX(CASE WHEN m.split = 'train' AND m.name = 'accuracy'
            THEN m.value END) AS train_accuracy,
        MAX(CASE WHEN m.split = 'validation' AND m.name = 'loss'
            THEN m.value END) AS val_loss,
        MAX(CASE WHEN m.split = 'validation' AND m.name = 'accuracy'
            THEN m.value END) AS val_accuracy,
        MAX(CASE WHEN m.name = 'images_per_second'
            THEN m.value END) AS images_per_second
    FROM dse_metrics m
    JOIN dse_runs r ON r.id = m.run_id
    JOIN dse_study_cells sc ON sc.cell_id = r.cell_id
    WHERE m.epoch > 0
    GROUP BY sc.study, sc.point, r.cell_id, r.replicate, m.run_id, m.epoch"""

VIEWS = {"runs": RUNS, "cells": CELLS, "epochs": EPOCHS}

LATER: Mapping[str, Mapping[str, str]] = {
    "runs": {"bytes": "COALESCE(r.bytes, 4 * a.params)"},
    "cells": {"mean_bytes": "CAST(COALESCE(AVG(r.bytes), 4 * a.params) AS {real})"},
    "epochs": {},
}
"""Columns that views got later: SQL by name. They come last, since a server lets a view
be replaced only by one that has the columns of before first. `bytes` are those of the
file of a compressed network, or four a parameter."""


def stored_fields(connection: Connection) -> dict[str, dict[str, Field]]:
    """Read the fields of every stored family, without derived numbers."""
    named = select(families.c.name, families.c.fields).order_by(families.c.name)
    rows = connection.execute(named)
    return {
        row.name: {name: Field.from_json(field) for name, field in row.fields.items()}
        for row in rows
    }


def derived_names(
    connection: Connection, of: Collection[str] | None = None
) -> list[str]:
    """Read the names of derived numbers of every family, or of some, each once."""
    named = select(families.c.name, families.c.derived).order_by(families.c.name)
    rows = [x for x in connection.execute(named) if of is None or x.name in of]
    return list(dict.fromkeys(name for row in rows for name in row.derived))


def make_views(connection: Connection) -> None:
    """Make the views anew for the stored families.

    On a server they are replaced, with new columns last, to keep the rights that people
    were granted and people's own views of them. A column whose type changes cannot be
    replaced: the view is then dropped, which the server refuses where people have own
    views of it, and what was granted is granted again.

    Raises:
        DseError: the families cannot share a table; rename a field, or take another
            database.
    """
    kinds = columns_of(stored_fields(connection))
    derived = derived_names(connection)
    check_derived(kinds, derived)
    columns: dict[str, tuple[str, Kind]] = {
        **{name: ("metaparameters", kind) for name, kind in kinds.items()},
        **dict.fromkeys(derived, ("derived", "real")),
    }
    is_sqlite = connection.dialect.name == "sqlite"
    for name, query in VIEWS.items():
        there = {} if is_sqlite else _columns_there(connection, name)
        real = "REAL" if is_sqlite else SQL_TYPES["real"]
        found = {x: _extracted(x, *columns[x], is_sqlite) for x in columns}
        for x, sql in LATER[name].items():
            found[x] = f"{sql.format(real=real)} AS {x}"
        ordered = dict.fromkeys([*(x for x in there if x in found), *found])
        expressions = [found[x] for x in ordered]
        if is_sqlite:
            connection.exec_driver_sql(f"DROP VIEW IF EXISTS {name}")
        made = query.replace(
            "{columns}", "".join(f", {column}" for column in expressions)
        )
        grants: list[str] = []
        if any(columns[x][1] == "real" and there.get(x) == "BIGINT" for x in columns):
            # A column that is replaced must keep its type.
            grants = _grants(connection, name)
            connection.exec_driver_sql(f"DROP VIEW {name}")
        begin = "CREATE VIEW" if is_sqlite else "CREATE OR REPLACE VIEW"
        connection.exec_driver_sql(f"{begin} {name} AS {made}")
        for grant in grants:
            connection.exec_driver_sql(grant)


def _columns_there(connection: Connection, view: str) -> dict[str, str]:
    """Columns of a view with their types, in order; empty if there is no such view."""
    inspector = inspect(connection)
    if view not in inspector.get_view_names():
        return {}
    return {x["name"]: str(x["type"]) for x in inspector.get_columns(view)}


GRANTS = """
    SELECT '' AS part, a.privilege_type, a.is_grantable, a.grantee,
        pg_get_userbyid(a.grantee) AS role
    FROM pg_class c, aclexplode(c.relacl) a
    WHERE c.oid = to_regclass(:view) AND a.grantee <> c.relowner
    UNION ALL
    SELECT ' (' || quote_ident(t.attname) || ')', a.privilege_type, a.is_grantable,
        a.grantee, pg_get_userbyid(a.grantee)
    FROM pg_class c JOIN pg_attribute t ON t.attrelid = c.oid, aclexplode(t.attacl) a
    WHERE c.oid = to_regclass(:view) AND a.grantee <> c.relowner"""
"""What others than the owner may do with a view of a server, or a column of it."""


def _grants(connection: Connection, view: str) -> list[str]:
    """Statements that grant again what others may do with a view of a server."""
    quoted = connection.dialect.identifier_preparer.quote_identifier
    return [
        f"GRANT {row.privilege_type}{row.part} ON {view} TO "
        f"{quoted(row.role) if row.grantee else 'PUBLIC'}"
        f"{' WITH GRANT OPTION' if row.is_grantable else ''}"
        for row in connection.execute(text(GRANTS), {"view": view})
    ]


def put_families(connection: Connection, rows: Mapping[str, Row]) -> None:
    """Enter or replace families by name; call `make_views` afterwards."""
    known = stored_fields(connection)
    for name, (fields, derived) in rows.items():
        values = {"fields": fields, "derived": derived}
        if name in known:
            changed = update(families).where(families.c.name == name)
            connection.execute(changed.values(**values))
        else:
            connection.execute(insert(families).values(name=name, **values))


def _extracted(name: str, column: str, kind: Kind, is_sqlite: bool) -> str:
    """SQL of a column from JSON. SQLite keeps the type that the value has in it."""
    if is_sqlite:
        value = f"json_extract(sc.{column}, '$.{name}')"
        if kind == "real":
            value = f"CAST({value} AS REAL)"
    else:
        value = f"(sc.{column} ->> '{name}')::{SQL_TYPES[kind]}"
    return f'{value} AS "{name}"'
