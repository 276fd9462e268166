"""Report on the Pareto front of all cells of several studies under one recipe."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from dse.analysis.figures import MACS, size_scale
from dse.analysis.fronts import SHADES, draw_all_cells
from dse.analysis.plotting import drawing, new_figure
from dse.analysis.shown import shown_points
from dse.analysis.statistics import size_column, summarise
from dse.data.dataset import ImageData
from dse.report.captions import data_line, recipe_line, replicates_line
from dse.report.folder import write_report
from dse.report.result import Report
from dse.runs.labels import labels
from dse.runs.records import StudyRecord
from dse.store.database import Store
from dse.store.families import fields_of
from dse.store.query import once, view


def report_front(
    store: Store, studies: Sequence[StudyRecord], dataset: ImageData, folder: Path
) -> Report:
    """Write all cells of `studies` with their probability to be on either front."""
    runs = pd.concat([view(store, "runs", study.name) for study in studies])
    cells = pd.concat([view(store, "cells", study.name) for study in studies])
    cells, fields = cells.drop_duplicates("cell_id"), fields_of(store)
    cells = cells.sort_values("position", kind="stable")
    summary = summarise(once(runs), cells, fields)
    summary.insert(1, "experiment", summary["study"].str.partition("/")[0])
    summary["cell"] = labels(shown_points(cells, fields), fields, named=True)
    summary = summary.sort_values(size_column(summary)).reset_index(drop=True)
    recipe = studies[0].recipe
    with drawing():
        caption = (
            f"{data_line(dataset)}. {recipe_line(recipe)}.\n"
            f"{len(summary)} cells, {replicates_line(summary, recipe.seed)}; bars: 95 "
            "% interval of the mean from three replicates on."
        )
        title = f"All cells on {dataset.name}: what size and work buy"
        figure, axes = new_figure(2, title, caption)
        for ax, scale, front in (
            (axes[0], size_scale(summary), "bytes_front_probability"),
            (axes[1], MACS, "macs_front_probability"),
        ):
            draw_all_cells(ax, summary, scale, front)
        figure.colorbar(SHADES, ax=axes, label="probability of being on the front")
    write_report(
        folder, studies, dataset, {"runs": runs, "summary": summary}, {"figure": figure}
    )
    return Report(folder, summary, summary["cell"].tolist(), "front")
