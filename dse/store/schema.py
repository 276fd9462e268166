"""Tables and views. The tables are `dse_*`; people query the views."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)

SCHEMA_VERSION = 3

UPGRADABLE = (2,)
"""Versions whose tables are the same; their views are made anew."""

metadata = MetaData()

schema = Table("dse_schema", metadata, Column("version", Integer, primary_key=True))

architectures = Table(
    "dse_architectures",
    metadata,
    Column("id", String, primary_key=True),
    Column("family", String, nullable=False),
    Column("metaparameters", JSON, nullable=False),
    Column("graph", JSON, nullable=False),
    Column("params", BigInteger, nullable=False),
    Column("macs", BigInteger, nullable=False),
    Column("activations", BigInteger, nullable=False),
    Column("peak_activations", BigInteger, nullable=False),
)

cells = Table(
    "dse_cells",
    metadata,
    Column("id", String, primary_key=True),
    Column("arch_id", ForeignKey(architectures.c.id), nullable=False),
    Column("recipe", JSON, nullable=False),
    Column("dataset", String, nullable=False),
    Column("dataset_fingerprint", String, nullable=False),
    Column("class_names", JSON, nullable=False),
    Column("numerics_version", Integer, nullable=False),
)

studies = Table(
    "dse_studies",
    metadata,
    Column("name", String, primary_key=True),
    Column("experiment", String, nullable=False),
    Column("preset", String, nullable=False),
    Column("dataset", String, nullable=False),
    Column("dataset_fingerprint", String, nullable=False),
    Column("recipe", JSON, nullable=False),
    Column("numerics_version", Integer, nullable=False),
    Column("replicates", Integer, nullable=False),
)

study_cells = Table(
    "dse_study_cells",
    metadata,
    Column("study", ForeignKey(studies.c.name), primary_key=True),
    Column("point", String, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("cell_id", ForeignKey(cells.c.id), nullable=False, index=True),
    Column("base_e", Integer),
    Column("incr_e", Integer),
    Column("freq", Integer),
    Column("sr", Float),
    Column("pct_3x3", Float),
    Column("bypass", String),
    Column("version", String),
    Column("pools", String),
)

runs = Table(
    "dse_runs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("cell_id", ForeignKey(cells.c.id), nullable=False),
    Column("replicate", Integer, nullable=False),
    Column("seed", Integer, nullable=False),
    Column("status", String, nullable=False),
    Column("reason", String),
    Column("detail", String),
    Column("tries", Integer, nullable=False),
    Column("parent_run", Integer),
    Column("val_accuracy", Float),
    Column("test_accuracy", Float),
    Column("test_top5", Float),
    Column("epochs", Integer, nullable=False),
    Column("train_seconds", Float),
    Column("step_seconds", Float),
    Column("compile_seconds", Float),
    Column("device", String),
    Column("code_version", String, nullable=False),
    Column("created_at", DateTime, nullable=False),
    UniqueConstraint("cell_id", "replicate"),
    sqlite_autoincrement=True,  # a number that was a run's is never another's
)

metrics = Table(
    "dse_metrics",
    metadata,
    Column("run_id", ForeignKey(runs.c.id, ondelete="CASCADE"), primary_key=True),
    Column("split", String, primary_key=True),
    Column("epoch", Integer, primary_key=True),
    Column("name", String, primary_key=True),
    Column("value", Float),
)

artifacts = Table(
    "dse_artifacts",
    metadata,
    Column("run_id", ForeignKey(runs.c.id, ondelete="CASCADE"), primary_key=True),
    Column("kind", String, primary_key=True),
    Column("path", String, nullable=False),
    Column("hash", String, nullable=False),
)

METAPARAMETERS = (
    "base_e",
    "incr_e",
    "freq",
    "sr",
    "pct_3x3",
    "bypass",
    "version",
    "pools",
)

_POINT = ", ".join(f"sc.{name}" for name in METAPARAMETERS)

VIEWS = {
    "runs": f"""
        SELECT r.id AS run_id, sc.study, r.cell_id, c.arch_id, a.family, {_POINT},
            s.dataset, s.preset, r.replicate, r.seed, r.status, r.reason, r.detail,
            a.params, a.macs, a.activations, 4 * a.params AS bytes_fp32,
            r.val_accuracy, r.test_accuracy, r.test_top5, r.epochs, r.train_seconds,
            r.step_seconds, r.compile_seconds, r.device, c.numerics_version,
            r.code_version, r.tries, r.parent_run, r.created_at
        FROM dse_study_cells sc
        JOIN dse_studies s ON s.name = sc.study
        JOIN dse_cells c ON c.id = sc.cell_id
        JOIN dse_architectures a ON a.id = c.arch_id
        JOIN dse_runs r ON r.cell_id = c.id""",
    "cells": f"""
        SELECT sc.study, sc.position, sc.cell_id, c.arch_id, a.family, {_POINT},
            s.dataset, s.preset, a.params, a.macs, a.activations, a.peak_activations,
            4 * a.params AS bytes_fp32, s.replicates AS planned,
            SUM(CASE WHEN r.status = 'complete' THEN 1 ELSE 0 END) AS complete,
            SUM(CASE WHEN r.status = 'failed' THEN 1 ELSE 0 END) AS failed,
            SUM(CASE WHEN r.status = 'running' THEN 1 ELSE 0 END) AS running,
            s.replicates - SUM(CASE WHEN r.status IN ('complete', 'failed')
                THEN 1 ELSE 0 END) AS missing,
            AVG(r.val_accuracy) AS val_accuracy, AVG(r.test_accuracy) AS test_accuracy,
            SUM(r.train_seconds) AS train_seconds,
            SUM(r.compile_seconds) AS compile_seconds
        FROM dse_study_cells sc
        JOIN dse_studies s ON s.name = sc.study
        JOIN dse_cells c ON c.id = sc.cell_id
        JOIN dse_architectures a ON a.id = c.arch_id
        LEFT JOIN dse_runs r ON r.cell_id = c.id AND r.replicate < s.replicates
        GROUP BY sc.study, sc.position, sc.point, sc.cell_id, c.arch_id, a.family,
            {_POINT}, s.dataset, s.preset, a.params, a.macs, a.activations,
            a.peak_activations, s.replicates""",
    "epochs": """
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
        GROUP BY sc.study, sc.point, r.cell_id, r.replicate, m.run_id, m.epoch""",
}
