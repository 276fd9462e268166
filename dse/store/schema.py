"""Tables of the database, `dse_*`. People query the views (`dse.store.views`)."""

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

SCHEMA_VERSION = 5
"""Current version; `dse.store.migrations` migrates older databases."""

metadata = MetaData()

schema = Table("dse_schema", metadata, Column("version", Integer, primary_key=True))

families = Table(
    "dse_families",
    metadata,
    Column("name", String, primary_key=True),
    Column("fields", JSON, nullable=False),
    Column("derived", JSON, nullable=False),
)
"""Fields (`dse.fields.Field.to_json`) and names of derived numbers of each family.

With them a database can be read without the family's code."""

architectures = Table(
    "dse_architectures",
    metadata,
    Column("id", String, primary_key=True),
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
    Column("stages", JSON, nullable=False, server_default="[]"),
)
"""`stages` is what is done to the trained weights (`dse.runs.stages`), in order."""

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
    Column("family", ForeignKey("dse_families.name"), nullable=False),
    Column("metaparameters", JSON, nullable=False),
    Column("derived", JSON, nullable=False),
    Column("note", String, nullable=False),
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
    Column("bytes", BigInteger),
    UniqueConstraint("cell_id", "replicate"),
    sqlite_autoincrement=True,  # ids are never used again
)
"""`bytes` are those of a compressed network's file; null without stages."""

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
