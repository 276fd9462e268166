"""What is read: statuses, the view `runs` as a frame, and people's own SQL."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from sqlalchemy import select, text

from dse.arch.graph import Architecture
from dse.errors import DseError
from dse.store.artifacts import Kept, Weights, read_weights
from dse.store.database import Store
from dse.store.schema import (
    FINAL_REASONS,
    METAPARAMETERS,
    architectures,
    artifacts,
    cells,
    runs,
    studies,
)
from dse.train.recipe import Recipe

DTYPES = {
    **dict.fromkeys(
        [
            "study",
            "cell_id",
            "arch_id",
            "family",
            "bypass",
            "version",
            "pools",
            "dataset",
            "preset",
            "status",
            "reason",
            "detail",
            "device",
            "code_version",
            "split",
            "name",
        ],
        "str",
    ),
    **dict.fromkeys(
        [
            "run_id",
            "base_e",
            "incr_e",
            "freq",
            "replicate",
            "seed",
            "params",
            "macs",
            "activations",
            "peak_activations",
            "bytes_fp32",
            "epochs",
            "epoch",
            "numerics_version",
            "tries",
            "position",
            "planned",
            "complete",
            "failed",
            "missing",
        ],
        "int64",
    ),
    "parent_run": "Int64",
    **dict.fromkeys(
        [
            "sr",
            "pct_3x3",
            "val_accuracy",
            "test_accuracy",
            "test_top5",
            "train_seconds",
            "step_seconds",
            "compile_seconds",
            "train_loss",
            "train_accuracy",
            "val_loss",
            "images_per_second",
        ],
        "float64",
    ),
    "created_at": "datetime64[us, UTC]",
}
"""Type of every column of the views."""


@dataclass(frozen=True)
class RunState:
    """Where a run stands, and how often it was started."""

    status: str
    reason: str | None
    val_accuracy: float | None
    tries: int = 1

    @property
    def ended(self) -> bool:
        """Whether it is complete, or failed in a way that would only repeat."""
        final = self.status == "failed" and self.reason in FINAL_REASONS
        return self.status == "complete" or final


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
    if len(cell_ids) <= 500:
        query = query.where(runs.c.cell_id.in_(cell_ids))
    wanted = set(cell_ids)
    with store.reading() as connection:
        return {
            (row.cell_id, row.replicate): RunState(
                row.status, row.reason, row.val_accuracy, row.tries
            )
            for row in connection.execute(query)
            if row.cell_id in wanted
        }


def study_names(store: Store) -> list[str]:
    """All studies, by name."""
    with store.reading() as connection:
        query = select(studies.c.name).order_by(studies.c.name)
        return list(connection.execute(query).scalars())


def view(store: Store, name: str, study: str | None = None) -> pd.DataFrame:
    """A view as a frame with true types, of one study or of all.

    Args:
        store: the database.
        name: `runs`, `cells` or `epochs`.
        study: a study's name.

    Raises:
        DseError: there is no such study.
    """
    names = study_names(store)
    if study is not None and study not in names:
        raise DseError(
            f"there is no study {study!r}; expected "
            f"{' or '.join(names) or 'one that was begun: run a sweep first'}"
        )
    where = "" if study is None else "WHERE study = :study"
    with store.reading() as connection:
        frame = pd.read_sql_query(
            text(f"SELECT * FROM {name} {where}"),
            connection,
            params=None if study is None else {"study": study},
        )
    if "created_at" in frame:
        created = pd.to_datetime(frame["created_at"], format="ISO8601", utc=True)
        frame["created_at"] = created
    return frame.astype({n: DTYPES[n] for n in frame.columns})


def status(store: Store, study: str | None = None) -> pd.DataFrame:
    """By cell what is planned, complete, failed and missing.

    Raises:
        DseError: there is no such study.
    """
    cells = view(store, "cells", study).sort_values(["study", "position"])
    columns = [*METAPARAMETERS, "planned", "complete", "failed", "missing"]
    return cells[["study", "cell_id", *columns]].reset_index(drop=True)


def sql(store: Store, query: str) -> pd.DataFrame:
    """The rows that a person's SELECT asks for.

    Raises:
        DseError: the statement writes, or is no SQL that the database understands.
    """
    first = query.strip().split(maxsplit=1)
    if not first or first[0].lower() not in ("select", "with", "values", "explain"):
        raise DseError(
            f"query {query!r} is not read-only; expected SELECT ... "
            "(views: runs, cells, epochs)"
        )
    with store.reading() as connection:
        result = connection.exec_driver_sql(query.strip().rstrip(";"))
        names = list(result.keys())
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise DseError(f"two columns are called {twice[0]!r}; name one with AS")
        return pd.DataFrame(result.fetchall(), columns=names)


def weights_folder(store: Store, run_id: int) -> Path | None:
    """Where a run's weights lie; None where they were not kept."""
    query = select(artifacts.c.path).where(
        artifacts.c.run_id == run_id, artifacts.c.kind == "weights"
    )
    with store.reading() as connection:
        path = connection.execute(query).scalar()
    return None if path is None else store.artifacts / path


@dataclass(frozen=True)
class StoredNetwork:
    """A trained network as it is kept."""

    architecture: Architecture
    class_names: tuple[str, ...]
    weights: Weights
    recipe: Recipe


def load_network(store: Store, run_id: int) -> StoredNetwork:
    """The architecture and the trained weights of a completed run.

    Raises:
        DseError: there is no such run, or its weights were not kept.
    """
    query = (
        select(
            architectures.c.graph,
            cells.c.class_names,
            cells.c.recipe,
            artifacts.c.path,
            artifacts.c.hash,
        )
        .select_from(architectures)
        .join(cells, cells.c.arch_id == architectures.c.id)
        .join(runs, runs.c.cell_id == cells.c.id)
        .outerjoin(
            artifacts,
            (artifacts.c.run_id == runs.c.id) & (artifacts.c.kind == "weights"),
        )
        .where(runs.c.id == run_id)
    )
    with store.reading() as connection:
        row = connection.execute(query).one_or_none()
    if row is None:
        raise DseError(
            f"there is no run {run_id}; dse query 'SELECT run_id, study FROM runs' "
            "lists them"
        )
    if row.path is None:
        raise DseError(f"the weights of run {run_id} were not kept")
    weights = read_weights(store.artifacts, Kept(row.path, row.hash))
    architecture = Architecture.from_json(row.graph)
    names, recipe = tuple(row.class_names), Recipe.from_json(row.recipe)
    return StoredNetwork(architecture, names, weights, recipe)
