"""From a finished study to a folder of tables and figures."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from dse.analysis.curves import draw_agreement, draw_curves, mean_curves
from dse.analysis.figures import (
    MACS,
    SIZE,
    draw_layers,
    draw_measured,
    draw_published,
    marks,
    new_figure,
    point_label,
    published_label,
    published_marks,
)
from dse.analysis.plotting import Figure, drawing
from dse.analysis.statistics import LEAST_REPLICATES, points, summarise
from dse.data.dataset import ImageData
from dse.errors import DseError
from dse.families.describe import table_1
from dse.families.paper import PUBLISHED, TABLE_1_PARAMS, TABLE_1_TOTAL
from dse.families.squeezenet import Metaparameters, rounding_moves_pct_3x3, squeezenet
from dse.report.captions import (
    data_line,
    recipe_line,
    replicates_line,
    shared_widths,
    untrained_line,
)
from dse.report.claims import check_claims
from dse.report.folder import write_report
from dse.report.result import Report
from dse.runs.records import StudyRecord
from dse.store.database import Store
from dse.store.query import view
from dse.study.experiment import Experiment
from dse.study.widths import chosen_widths, widths_line

JOINED = ("sr", "pct_3x3", "pools")
"""What is varied in steps, so that a line from point to point means something."""


def report_study(
    store: Store,
    study: StudyRecord,
    experiment: Experiment,
    dataset: ImageData,
    folder: Path,
) -> Report:
    """Write the runs, summary, learning curves, claims and figures of a study.

    Raises:
        DseError: no run of it is complete, or a file cannot be written.
    """
    runs = view(store, "runs", study.name)
    epochs = view(store, "epochs", study.name)
    summary = summarise(runs, view(store, "cells", study.name))
    if not summary["replicates"].any():
        raise DseError(
            f"no run of {study.name} was trained to the end, so there is nothing to "
            "draw; dse query 'SELECT status, reason, detail FROM runs' says why"
        )
    labels = [point_label(m, experiment.varied) for m in points(summary)]
    tables = {"runs": runs, "summary": summary, "epochs": epochs}
    table = paper_table_1(experiment.anchor) if experiment.shows == "layers" else None
    if table is not None:
        tables["table1"] = table
    claims = check_claims(study, experiment, runs) if experiment.claims else None
    if claims is not None and claims.table is not None:
        tables["claims"] = claims.table
    widths = widths_line(experiment, study.preset)
    caption = _caption(study, dataset, runs, summary, widths)
    with drawing():
        figures = {
            "figure": _main_figure(
                experiment, dataset, caption, summary, runs, labels, table
            )
        }
        drawn = summary.assign(label=labels).drop_duplicates("cell_id")
        drawn = drawn[drawn["replicates"] > 0]
        if len(drawn) > 1:
            curves = mean_curves(epochs, runs)[drawn["cell_id"]]
            title = f"{experiment.title}: learning curves"
            caption = _curves_caption(study, dataset, drawn)
            names = drawn["label"].tolist()
            figures["curves"] = curves_figure(title, caption, curves, names)
    chosen = chosen_widths(experiment, study.preset)
    write_report(folder, [study], dataset, tables, figures, chosen)
    return Report(folder, summary, labels, table_1=table, claims=claims, widths=widths)


def _curves_caption(study: StudyRecord, dataset: ImageData, drawn: pd.DataFrame) -> str:
    return (
        f"{data_line(dataset)}. {recipe_line(study.recipe)}.\n"
        f"{replicates_line(drawn, study.recipe.seed)}."
    )


def curves_figure(
    title: str, caption: str, curves: pd.DataFrame, labels: Sequence[str]
) -> Figure:
    """Learning curves, and whether the order of the cells has settled."""
    figure, axes = new_figure(2, title, caption)
    draw_curves(axes[0], curves, labels)
    draw_agreement(axes[1], curves)
    return figure


def _main_figure(
    experiment: Experiment,
    dataset: ImageData,
    caption: str,
    summary: pd.DataFrame,
    runs: pd.DataFrame,
    labels: Sequence[str],
    table: pd.DataFrame | None,
) -> Figure:
    published = PUBLISHED.get(experiment.published or "", ())
    joined = experiment.varied in JOINED
    panels = 2 if published or table is not None else 1
    figure, axes = new_figure(panels, experiment.title, caption)
    scale = MACS if experiment.shows == "macs" else SIZE
    drawn = marks(summary, runs, labels, scale)
    draw_measured(axes[0], drawn, scale, joined=joined)
    axes[0].set_title(f"This run: {dataset.name}, {shared_widths(summary)}")
    if published:
        names = [published_label(experiment.varied, p.value) for p in published]
        draw_published(axes[1], published_marks(published, names), joined=joined)
        axes[1].set_title(f"The paper's {experiment.published}: base_e = 128")
    elif table is not None:
        draw_layers(axes[1], table)
        axes[1].set_title(f"Table 1: {TABLE_1_TOTAL:,} parameters")
    return figure


def _caption(
    study: StudyRecord,
    dataset: ImageData,
    runs: pd.DataFrame,
    summary: pd.DataFrame,
    widths: str,
) -> str:
    interval = (
        "dots: runs, bars: 95 % interval of the mean"
        if summary["replicates"].max() >= LEAST_REPLICATES
        else "dots: runs, too few for an interval"
    )
    moved = (
        " In brackets: the share of 3x3 filters once widths are whole numbers."
        if any(map(rounding_moves_pct_3x3, points(summary)))
        else ""
    )
    return (
        f"{data_line(dataset)}. {recipe_line(study.recipe)}.\n"
        f"{replicates_line(summary, study.recipe.seed)}; {interval}. Widths: {widths}."
        f"{untrained_line(runs)}{moved}"
    )


def paper_table_1(metaparameters: Metaparameters) -> pd.DataFrame:
    """Table 1 at the paper's own settings beside the printed parameter counts."""
    rows = table_1(metaparameters, squeezenet(metaparameters))
    return pd.DataFrame(
        [
            {
                "layer": row.name,
                "output": "x".join(map(str, row.output)),
                "filter": row.filter,
                "s1x1": row.fire.s1x1 if row.fire else None,
                "e1x1": row.fire.e1x1 if row.fire else None,
                "e3x3": row.fire.e3x3 if row.fire else None,
                "params": row.params,
                "printed": TABLE_1_PARAMS.get(row.name),
            }
            for row in rows
        ]
    ).astype(dict.fromkeys(("s1x1", "e1x1", "e3x3", "printed"), "Int64"))
