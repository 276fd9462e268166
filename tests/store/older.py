"""Databases of today as older schemas had them: their tables and views are said here.

Of a database whose networks are all SqueezeNets, and whose schema is that of today.
"""

import json
from unittest.mock import patch

from sqlalchemy import NullPool, create_engine, text

from dse.store import views

POINT = "base_e, incr_e, freq, sr, pct_3x3, bypass, version, pools"
_POINT = ", ".join(f"sc.{name}" for name in POINT.split(", "))

STUDY_CELLS = """
    CREATE TABLE dse_study_cells (
        study VARCHAR NOT NULL,
        point VARCHAR NOT NULL,
        position INTEGER NOT NULL,
        cell_id VARCHAR NOT NULL,
        base_e INTEGER,
        incr_e INTEGER,
        freq INTEGER,
        sr FLOAT,
        pct_3x3 FLOAT,
        bypass VARCHAR,
        version VARCHAR,
        pools VARCHAR,
        PRIMARY KEY (study, point),
        FOREIGN KEY(study) REFERENCES dse_studies (name),
        FOREIGN KEY(cell_id) REFERENCES dse_cells (id)
    )"""
OF_4 = (
    "DROP VIEW runs",
    "DROP VIEW cells",
    "DROP VIEW epochs",
    "ALTER TABLE dse_cells DROP COLUMN stages",
    "ALTER TABLE dse_runs DROP COLUMN bytes",
)
"""What makes schema 4 of today's; views of 4 have no column that came later."""
CHANGES = (
    *OF_4,
    "DROP TABLE dse_study_cells",
    "DROP TABLE dse_families",
    STUDY_CELLS,
    "CREATE INDEX ix_dse_study_cells_cell_id ON dse_study_cells (cell_id)",
    "ALTER TABLE dse_architectures ADD COLUMN family VARCHAR NOT NULL DEFAULT "
    "'squeezenet'",
    "ALTER TABLE dse_architectures ADD COLUMN metaparameters JSON NOT NULL DEFAULT "
    "'{}'",
    "ALTER TABLE dse_runs ADD COLUMN parent_run INTEGER",
)
JOINED = """
    FROM dse_study_cells sc
    JOIN dse_studies s ON s.name = sc.study
    JOIN dse_cells c ON c.id = sc.cell_id
    JOIN dse_architectures a ON a.id = c.arch_id"""
RUNS = f"""
    SELECT r.id AS run_id, sc.study, r.cell_id, c.arch_id, a.family, {_POINT},
        s.dataset, s.preset, r.replicate, r.seed, r.status, r.reason, r.detail,
        a.params, a.macs, a.activations, 4 * a.params AS bytes_fp32,
        r.val_accuracy, r.test_accuracy, r.test_top5, r.epochs, r.train_seconds,
        r.step_seconds, r.compile_seconds, r.device, c.numerics_version,
        r.code_version, r.tries, r.parent_run, r.created_at
    {JOINED}
    JOIN dse_runs r ON r.cell_id = c.id"""
CELLS = """
    SELECT sc.study, sc.position, sc.cell_id, c.arch_id, a.family, {point},
        s.dataset, s.preset, a.params, a.macs, a.activations, a.peak_activations,
        4 * a.params AS bytes_fp32, s.replicates AS planned,
        SUM(CASE WHEN r.status = 'complete' THEN 1 ELSE 0 END) AS complete,
        SUM(CASE WHEN r.status = 'failed' THEN 1 ELSE 0 END) AS failed,
        {counted}
        AVG(r.val_accuracy) AS val_accuracy, AVG(r.test_accuracy) AS test_accuracy,
        SUM(r.train_seconds) AS train_seconds
    {joined}
    LEFT JOIN dse_runs r ON r.cell_id = c.id AND r.replicate < s.replicates
    GROUP BY sc.study, sc.position, sc.point, sc.cell_id, c.arch_id, a.family, {point},
        s.dataset, s.preset, a.params, a.macs, a.activations, a.peak_activations,
        s.replicates"""
COUNTED = {
    2: """
        s.replicates - SUM(CASE WHEN r.status = 'complete'
            OR (r.status = 'failed' AND r.reason IN ('diverged', 'untrained'))
            THEN 1 ELSE 0 END) AS missing,""",
    3: """
        SUM(CASE WHEN r.status = 'running' THEN 1 ELSE 0 END) AS running,
        s.replicates - SUM(CASE WHEN r.status IN ('complete', 'failed')
            THEN 1 ELSE 0 END) AS missing, SUM(r.compile_seconds) AS compile_seconds,
        """,
}
"""All in which version 2 differs from 3."""
EPOCHS = """
    SELECT sc.study, r.cell_id, r.replicate, m.run_id, m.epoch,
        MAX(CASE WHEN m.split = 'train' AND m.name = 'loss'
            THEN m.value END) AS train_loss
    FROM dse_metrics m
    JOIN dse_runs r ON r.id = m.run_id
    JOIN dse_study_cells sc ON sc.cell_id = r.cell_id
    GROUP BY sc.study, sc.point, r.cell_id, r.replicate, m.run_id, m.epoch"""
TABLES = (
    "schema",
    "architectures",
    "cells",
    "studies",
    "study_cells",
    "runs",
    "metrics",
    "artifacts",
)


def begin(url):
    """A transaction on the database, past the product."""
    own = url.replace("postgresql://", "postgresql+psycopg://")
    return create_engine(own, poolclass=NullPool).begin()


def make_older(url, version):
    """Have the tables, the rows and the views of schema 2, 3 or 4."""
    if version == 4:
        make_4(url)
        return
    with begin(url) as connection:
        points = connection.execute(
            text(
                "SELECT study, position, cell_id, metaparameters FROM dse_study_cells "
                "ORDER BY study, position"
            )
        ).all()
        for change in CHANGES:
            connection.execute(text(change))
        names = ["study", "position", "cell_id", "point", *POINT.split(", ")]
        places = ", ".join(f":{name}" for name in names)
        query = f"INSERT INTO dse_study_cells ({', '.join(names)}) VALUES ({places})"
        rows = []
        for study, position, cell_id, told in points:
            values = json.loads(told) if isinstance(told, str) else told
            row = {"study": study, "position": position, "cell_id": cell_id, **values}
            rows.append({**row, "point": json.dumps(values, sort_keys=True)})
        connection.execute(text(query), rows)
        cells = CELLS.format(point=_POINT, counted=COUNTED[version], joined=JOINED)
        for name, query in (("runs", RUNS), ("cells", cells), ("epochs", EPOCHS)):
            connection.exec_driver_sql(f"CREATE VIEW {name} AS {query}")
        connection.execute(text(f"UPDATE dse_schema SET version = {version}"))


def make_4(url):
    """Have those of schema 4."""
    with begin(url) as connection:
        for change in OF_4:
            connection.execute(text(change))
        with patch.object(views, "LATER", {name: {} for name in views.VIEWS}):
            views.make_views(connection)
        connection.execute(text("UPDATE dse_schema SET version = 4"))


def rows(url, *tables):
    """All rows of tables, by table and column."""
    told = {}
    with begin(url) as connection:
        for table in tables or TABLES:
            found = connection.execute(text(f"SELECT * FROM dse_{table}")).mappings()
            told[table] = sorted(
                ({name: _plain(x) for name, x in row.items()} for row in found),
                key=repr,
            )
    return told


def _plain(value):
    """SQLite has JSON as text."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        return json.loads(value)
    return value


def version_of(url):
    [[version]] = [list(row.values()) for row in rows(url, "schema")["schema"]]
    return version
