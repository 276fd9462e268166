"""What pruning one layer at a time costs: a table and a figure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pandas as pd

from dse.analysis.looks import Look
from dse.analysis.plotting import Axes, drawing, new_figure
from dse.data.dataset import ImageData
from dse.errors import DseError
from dse.files import write_whole
from dse.report.captions import data_line
from dse.report.folder import write_figure
from dse.runs.records import StudyRecord
from dse.runs.staged import DONE
from dse.store.database import Store
from dse.store.query import once, view

ROW_INCHES = 0.17


@dataclass(frozen=True)
class Sensitivity:
    """The cost of pruning each layer alone.

    Attributes:
        folder: folder with `sensitivity.csv` and the figure `sensitivity.png`.
        layers: a row a layer and density, in the order of the network: `layer`,
            `density`, the mean change of accuracy on `validation` and `test` images,
            the least and the greatest on test images, and `runs`, their number.
        holes: failed runs by reason.
    """

    folder: Path
    layers: pd.DataFrame
    holes: Mapping[str, int] = field(default_factory=dict)


def changes_of(runs: pd.DataFrame) -> pd.DataFrame:
    """Change of accuracy by layer and density, each run against its own parent.

    Args:
        runs: the complete runs of a scan, networks as trained among them.
    """
    pair = ["arch_id", "replicate"]
    scores = ["val_accuracy", "test_accuracy"]
    trained = runs[runs[DONE].isna()][[*pair, *scores]]
    pruned = runs[runs[DONE].notna()]
    both = pruned.merge(trained, on=pair, suffixes=("", "_before"))
    for score in scores:
        both[score] -= both[f"{score}_before"]
    grouped = both.groupby(["pruned", "density"], sort=False)
    return (
        grouped.agg(
            validation=("val_accuracy", "mean"),
            test=("test_accuracy", "mean"),
            test_least=("test_accuracy", "min"),
            test_greatest=("test_accuracy", "max"),
            runs=("run_id", "size"),
        )
        .reset_index()
        .rename(columns={"pruned": "layer"})
    )


def report_sensitivity(
    store: Store, study: StudyRecord, folder: Path, dataset: ImageData
) -> Sensitivity:
    """Write the table and the figure of a scan.

    Raises:
        DseError: no run of it is complete, or a file cannot be written.
    """
    runs = once(view(store, "runs", study.name))
    cells = view(store, "cells", study.name)[["cell_id", "position"]]
    runs = runs[runs["status"] == "complete"].merge(cells, on="cell_id")
    if DONE not in runs or runs[DONE].isna().all():
        raise DseError(f"no run of {study.name} is complete; dse status says why")
    layers = changes_of(runs.sort_values(["position", "replicate"]))
    with drawing():
        count = layers["layer"].nunique()
        caption = (
            f"{data_line(dataset)}. {study.name}: the weights of one layer with the "
            "smallest magnitudes are set to 0, and nothing is trained. Marks: mean "
            "over networks and replicates; lines: the least and the greatest."
        )
        figure, [axes] = new_figure(
            1, "Sensitivity of each layer to pruning", caption, width=7
        )
        figure.set_figheight(1.8 + ROW_INCHES * count)
        draw_sensitivity(axes, layers)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        as_csv = partial(layers.to_csv, index=False, mode="wb")
        write_whole(folder / "sensitivity.csv", as_csv)
        write_figure(folder, "sensitivity", figure)
    except OSError as error:
        why = error.strerror or error
        raise DseError(f"cannot write to {folder}: {why}") from error
    return Sensitivity(folder, layers)


def draw_sensitivity(ax: Axes, layers: pd.DataFrame) -> Axes:
    """Draw the change of test accuracy, a row a layer, a look for each density."""
    names = list(dict.fromkeys(layers["layer"]))
    place = {name: float(row) for row, name in enumerate(names)}
    for number, density in enumerate(sorted(set(layers["density"].tolist()))):
        rows, look = layers[layers["density"] == density], Look.numbered(number)
        at = rows["layer"].map(place)
        spread = 100 * rows[["test_least", "test_greatest"]]
        ax.hlines(at, *spread.to_numpy().T, color=look.color, linewidth=0.8, alpha=0.6)
        ax.plot(
            100 * rows["test"],
            at,
            look.marker,
            color=look.color,
            markersize=4,
            label=f"{100 * density:g} % kept",
        )
    ax.axvline(0, color="#444444", linewidth=0.8)
    ax.set_yticks(range(len(names)), names, fontsize=7)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_xlabel("change of test top-1 accuracy, points")
    ax.legend(frameon=False, fontsize=7, loc="lower left")
    return ax
