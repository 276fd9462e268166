"""Folder of a report: tables, configuration and figures, no file half-written."""

import json
import platform
from collections.abc import Mapping, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from dse.analysis.plotting import Figure, drawing
from dse.data.dataset import ImageData
from dse.errors import DseError
from dse.files import write_whole
from dse.runs.records import StudyRecord
from dse.store.query import once

SOMETIMES = {"claims", "curves", "epochs", "table1"}
"""Files that only some reports have; those of an earlier report are deleted."""
WRITTEN = ("csv", "png", "svg")
"""Kinds of files that a report may have for a table or figure."""
PACKAGES = ("dse", "jax", "jaxlib", "flax", "optax", "optuna", "numpy")


def write_report(
    folder: Path,
    studies: Sequence[StudyRecord],
    dataset: ImageData,
    tables: Mapping[str, pd.DataFrame],
    figures: Mapping[str, Figure],
    widths: Mapping[str, Any] | None = None,
) -> None:
    """Write tables as CSV, `runs` as Parquet too, and figures as PNG and SVG.

    Args:
        folder: where to write; it is created.
        studies: the studies of the report.
        dataset: the dataset that they trained on.
        tables: tables by file name, including `runs`.
        figures: figures by file name.
        widths: widths that the preset chose, by name.

    Raises:
        DseError: a file cannot be written; none is left half-written.
    """
    runs = tables["runs"]
    configured = configuration(studies, dataset, runs, widths)
    text = json.dumps(configured, indent=2) + "\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for stale in SOMETIMES - {*tables, *figures}:
            for kind in WRITTEN:
                (folder / f"{stale}.{kind}").unlink(missing_ok=True)
        for name, table in tables.items():
            as_csv = partial(table.to_csv, index=False, mode="wb")
            write_whole(folder / f"{name}.csv", as_csv)
        write_whole(folder / "runs.parquet", partial(runs.to_parquet, index=False))
        write_whole(folder / "config.json", lambda file: file.write(text.encode()))
        for name, figure in figures.items():
            write_figure(folder, name, figure)
    except OSError as error:
        raise DseError(
            f"cannot write the report to {folder}: {error.strerror or error}; the runs "
            "are in the database, so repeat the command when that is mended"
        ) from error


def write_figure(folder: Path, name: str, figure: Figure) -> None:
    """Write a figure as PNG and SVG, with the same bytes each time."""
    with drawing():
        write_whole(folder / f"{name}.png", partial(figure.savefig, format="png"))
        as_svg = partial(figure.savefig, format="svg", metadata={"Date": None})
        write_whole(folder / f"{name}.svg", as_svg)


def configuration(
    studies: Sequence[StudyRecord],
    dataset: ImageData,
    runs: pd.DataFrame,
    widths: Mapping[str, Any] | None = None,
) -> dict[str, object]:
    """Describe how runs were made: recipes, versions, devices and seconds."""
    chosen = {} if widths is None else {"widths_by_preset": dict(widths)}
    seconds = once(runs)[["train_seconds", "compile_seconds"]].sum()
    first = studies[0]
    return {
        "studies": {
            study.name: {
                "replicates": study.replicates,
                "recipe": study.recipe.to_json(),
            }
            for study in studies
        },
        "dataset": first.dataset,
        "dataset_fingerprint": first.dataset_fingerprint,
        "data": None if dataset.contents is None else dataset.contents.to_json(),
        "preset": first.preset,
        **chosen,
        "worker_seconds": {name: round(value) for name, value in seconds.items()},
        "devices": sorted(runs["device"].dropna().unique().tolist()),
        "numerics_versions": sorted(runs["numerics_version"].unique().tolist()),
        "code_versions": sorted(runs["code_version"].unique().tolist()),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
    }
