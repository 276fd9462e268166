"""Read the database: views as frames, counts, and networks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import fields as fields_of_class
from pathlib import Path

import pandas as pd
from sqlalchemy import Connection, select, text

from dse.arch.graph import Architecture
from dse.bounds import MOST, brief, is_whole
from dse.errors import DseError
from dse.fields import Kind
from dse.runs.columns import columns_of
from dse.runs.events import Kept
from dse.runs.recipe import Recipe
from dse.runs.records import StudyRecord
from dse.runs.weights import Weights
from dse.store.artifacts import read_weights
from dse.store.database import Store
from dse.store.families import fields_of
from dse.store.schema import architectures, artifacts, cells, runs, studies
from dse.store.views import derived_names, stored_fields


def _columns(kind: str, names: str) -> dict[str, str]:
    return dict.fromkeys(names.split(), kind)


DTYPE_OF: Mapping[Kind, str] = {
    "whole": "int64",
    "real": "float64",
    "flag": "bool",
    "choice": "str",
    "text": "str",
}
"""Types of the columns of metaparameters, by kind."""

DTYPES = {
    **_columns(
        "str",
        "study cell_id arch_id family note dataset preset status reason detail device "
        "code_version",
    ),
    **_columns(
        "int64",
        "run_id replicate seed params macs activations "
        "peak_activations bytes_fp32 bytes epochs epoch numerics_version tries "
        "position planned complete failed running missing",
    ),
    **_columns("datetime64[us, UTC]", "created_at"),
}
"""Types of other columns; accuracies, seconds and derived numbers are float64."""


def study_names(store: Store) -> list[str]:
    """Names of all studies, sorted."""
    with store.reading() as connection:
        query = select(studies.c.name).order_by(studies.c.name)
        return list(connection.execute(query).scalars())


def fingerprints(store: Store) -> dict[str, str]:
    """Fingerprint of the dataset of each study, by the study's name."""
    with store.reading() as connection:
        query = select(studies.c.name, studies.c.dataset_fingerprint)
        return {row.name: row.dataset_fingerprint for row in connection.execute(query)}


def view(store: Store, name: str, study: str | None = None) -> pd.DataFrame:
    """Read a view as a frame with correct types, for one study or all.

    Args:
        store: the database.
        name: `runs`, `cells` or `epochs`.
        study: a study's name; None for all.

    Raises:
        DseError: there is no such study.
    """
    if study is not None:
        check_study(store, study)
    with store.reading() as connection:
        return read_view(connection, name, study)


def read_view(connection: Connection, name: str, study: str | None) -> pd.DataFrame:
    """Read a view on a connection; for an unknown study the frame is empty."""
    where = "" if study is None else "WHERE study = :study"
    frame = pd.read_sql_query(
        text(f"SELECT * FROM {name} {where}"),
        connection,
        params=None if study is None else {"study": study},
    )
    fields = stored_fields(connection)
    kinds = columns_of(fields)
    if "family" in frame:
        here = set(frame["family"].unique())
        kinds |= columns_of({family: fields[family] for family in here})
        own = {x for family in here for x in fields[family]}
        own |= set(derived_names(connection, here))
        of_points = [*kinds, *derived_names(connection)]
        others = set(of_points) - own
        frame = frame.drop(columns=[x for x in frame.columns if x in others])
        frame = _points_first(frame, of_points)
    return typed(frame, kinds)


def once(runs: pd.DataFrame) -> pd.DataFrame:
    """Remove repeated runs from rows of the view `runs`.

    The view repeats a run for each point with the same network and for each study.
    """
    return runs.drop_duplicates(["cell_id", "replicate"], ignore_index=True)


def _points_first(frame: pd.DataFrame, of_points: Sequence[str]) -> pd.DataFrame:
    """Move the columns of metaparameters and derived numbers behind `family`."""
    own = [name for name in of_points if name in frame]
    rest = [name for name in frame.columns if name not in own]
    place = rest.index("family") + 1
    return frame[[*rest[:place], *own, *rest[place:]]]


def check_study(store: Store, study: str | None) -> None:
    """Check that a study exists, or, for None, that any study exists.

    Raises:
        DseError: there is none.
    """
    names = study_names(store)
    if study is None and not names:
        raise DseError("the database holds no study yet; run a sweep first")
    if study is not None and study not in names:
        raise DseError(
            f"there is no study {study!r}; expected "
            f"{' or '.join(names) or 'one that was begun: run a sweep first'}"
        )


def study_called(store: Store, name: str) -> StudyRecord:
    """Read the record of a study.

    Raises:
        DseError: there is no study of that name.
    """
    check_study(store, name)
    with store.reading() as connection:
        row = connection.execute(select(studies).where(studies.c.name == name)).one()
    names = [field.name for field in fields_of_class(StudyRecord)]
    values = {name: getattr(row, name) for name in names}
    return StudyRecord(**{**values, "recipe": Recipe.of(row.recipe)})


def typed(frame: pd.DataFrame, kinds: Mapping[str, Kind] | None = None) -> pd.DataFrame:
    """Convert a frame's columns to their types, which databases do not all keep.

    Args:
        frame: rows as they were read.
        kinds: kinds of metaparameters, by column. A family may lack one: whole numbers
            and flags then get a nullable type.
    """
    if "created_at" in frame:
        created = pd.to_datetime(frame["created_at"], format="ISO8601", utc=True)
        frame["created_at"] = created
    types = {}
    for name in frame.columns:
        kind = (kinds or {}).get(name)
        types[name] = DTYPES.get(name, "float64") if kind is None else DTYPE_OF[kind]
        if kind in ("whole", "flag") and frame[name].isna().any():
            types[name] = {"whole": "Int64", "flag": "boolean"}[kind]
    return frame.astype(types)


def status(store: Store, study: str | None = None) -> pd.DataFrame:
    """Count the planned, complete, failed, running and missing runs of each cell.

    Raises:
        DseError: there is no such study, or none at all.
    """
    check_study(store, study)
    cells = view(store, "cells", study).sort_values(["study", "position"])
    columns = [name for name in columns_of(fields_of(store)) if name in cells]
    columns += ["planned", "complete", "failed", "running", "missing"]
    return cells[["study", "cell_id", "family", *columns, "note"]].reset_index(
        drop=True
    )


def weights_path(store: Store, run_id: int) -> Path | None:
    """Path of a run's weights; None if they were not kept, or are gone.

    Raises:
        DseError: see `Place.find_weights`.
    """
    query = select(artifacts.c.path).where(
        artifacts.c.run_id == run_id, artifacts.c.kind == "weights"
    )
    with store.reading() as connection:
        path = connection.execute(query).scalar()
    return None if path is None else store.place.find_weights(path)


@dataclass(frozen=True)
class StoredNetwork:
    """A trained network as the database stores it."""

    architecture: Architecture
    class_names: tuple[str, ...]
    weights: Weights
    recipe: Recipe


def load_network(store: Store, run_id: int) -> StoredNetwork:
    """Load the architecture and the trained weights of a completed run.

    Raises:
        DseError: there is no such run, it is not complete, or its weights are missing
            or damaged.
    """
    query = (
        select(
            architectures.c.graph,
            cells.c.class_names,
            cells.c.recipe,
            artifacts.c.path,
            artifacts.c.hash,
            runs.c.status,
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
    row = None
    if is_whole(run_id, 0, MOST):
        with store.reading() as connection:
            row = connection.execute(query).one_or_none()
    if row is None:
        raise DseError(
            f"there is no run {brief(run_id)}; dse query 'SELECT run_id, study FROM "
            "runs' lists them"
        )
    if row.status != "complete":
        raise DseError(f"run {run_id} is {row.status}; only a complete run has weights")
    if row.path is None:
        raise DseError(f"the weights of run {run_id} were not kept")
    architecture = Architecture.from_json(row.graph)
    weights = read_weights(store.place, Kept(row.path, row.hash), architecture)
    names, recipe = tuple(row.class_names), Recipe.of(row.recipe)
    return StoredNetwork(architecture, names, weights, recipe)
