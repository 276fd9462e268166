"""The figure and the table of what of a study fits on a chip."""

from functools import partial
from pathlib import Path

import pandas as pd

from dse.analysis.energy import PICOJOULES
from dse.analysis.figures import KIBIBYTE, Scale
from dse.analysis.looks import OURS, PAPER
from dse.analysis.plotting import Axes, drawing, new_figure
from dse.analysis.shown import shown_points
from dse.errors import DseError
from dse.files import write_whole
from dse.report.folder import write_figure
from dse.report.place import folder_of
from dse.runs.labels import labels
from dse.runs.records import StudyRecord
from dse.store.database import Store
from dse.store.families import fields_of

MEMORY = Scale(
    "needed", float(KIBIBYTE), "KiB", "weights and largest maps, KiB", log=True
)
ENERGY = Scale(
    "microjoules", 1.0, "uJ", "energy of a prediction, microjoules", log=True
)


def write_fit(
    store: Store,
    study: StudyRecord,
    cells: pd.DataFrame,
    placed: pd.DataFrame,
    sram: int,
) -> tuple[pd.DataFrame, Path]:
    """Write a study's table and figure beside its report.

    Args:
        store: the database.
        study: the study.
        cells: rows of the view `cells`, each cell once.
        placed: where each cell's weights and maps are, and their energy.
        sram: bytes of on-chip memory.

    Returns:
        The table and the folder.

    Raises:
        DseError: a file cannot be written.
    """
    fields = fields_of(store)
    named = labels(shown_points(cells, fields), fields, named=True)
    table = placed.assign(
        cell=[name.replace("\n", " ") for name in named],
        cell_id=cells["cell_id"],
        test_accuracy=cells["test_accuracy"],
    )
    first = ["cell", "cell_id", "test_accuracy"]
    table = table[[*first, *(x for x in table if x not in first)]]
    folder = folder_of(store.place.own, study.experiment, study)
    with drawing():
        caption = (
            f"{study.name}, {len(table)} cells, weights as in their files, maps of "
            "32-bit floats, an image at a time. Line: memory of "
            f"{sram / KIBIBYTE:,.0f} KiB. Energy of a 45 nm process, picojoules for "
            f"32 bits: {PICOJOULES['SRAM']:g} from SRAM, {PICOJOULES['DRAM']:g} from "
            f"DRAM, {PICOJOULES['float multiplication']:g} a multiplication and "
            f"{PICOJOULES['float addition']:g} an addition; each weight is read once, "
            "each activation written and read once."
        )
        figure, axes = new_figure(2, f"What fits: {study.experiment}", caption)
        _draw_memory(axes[0], table, sram)
        _draw_energy(axes[1], table)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        as_csv = partial(table.to_csv, index=False, mode="wb")
        write_whole(folder / "fit.csv", as_csv)
        write_figure(folder, "fit", figure)
    except OSError as error:
        raise DseError(
            f"cannot write to {folder}: {error.strerror or error}"
        ) from error
    return table, folder


def _draw_memory(ax: Axes, table: pd.DataFrame, sram: int) -> None:
    """Accuracy against the memory that a prediction needs, with the chip's."""
    needed = (table["weight_bytes"] + table["peak_activation_bytes"]) / MEMORY.per
    _scatter(ax, needed, table)
    ax.axvline(sram / KIBIBYTE, color="#444444", linewidth=1, linestyle="--")
    MEMORY.label_axis(ax)
    ax.legend(frameon=False, loc="lower right", fontsize=7)


def _draw_energy(ax: Axes, table: pd.DataFrame) -> None:
    """Accuracy against the energy of a prediction."""
    _scatter(ax, table["microjoules"], table)
    ENERGY.label_axis(ax)


def _scatter(ax: Axes, along: pd.Series, table: pd.DataFrame) -> None:
    fits = (table["weights_in"] == "SRAM") & (table["activations_in"] == "SRAM")
    for chosen, color, marker, name in (
        (fits, OURS, "o", "all on the chip"),
        (~fits, PAPER, "s", "weights or maps from DRAM"),
    ):
        percent = 100 * table.loc[chosen, "test_accuracy"]
        ax.plot(along[chosen], percent, marker, color=color, markersize=4, label=name)
    ax.set_ylabel("test top-1 accuracy, %")
