"""Report on a search: its runs, summary and Pareto front."""

from collections.abc import Sequence
from pathlib import Path

from dse.analysis.fronts import draw_front
from dse.analysis.pareto import on_front
from dse.analysis.plotting import drawing, new_figure
from dse.analysis.statistics import size_column, summarise
from dse.data.dataset import ImageData
from dse.errors import DseError
from dse.report.captions import data_line, recipe_line
from dse.report.folder import write_report
from dse.report.result import Report
from dse.runs.records import StudyRecord
from dse.store.database import Store
from dse.store.families import fields_of
from dse.store.query import once, view, weights_path


def report_search(
    store: Store,
    study: StudyRecord,
    dataset: ImageData,
    folder: Path,
    varied: Sequence[str],
) -> Report:
    """Write a search's runs, its summary with the front, and the figure."""
    runs, fields = view(store, "runs", study.name), fields_of(store)
    if not (runs["status"] == "complete").any():
        raise _nothing_trained(study)
    summary = summarise(once(runs), view(store, "cells", study.name), fields)
    run_ids = once(runs).set_index("cell_id")["run_id"]
    summary = summary[summary["cell_id"].isin(run_ids.index)].reset_index(drop=True)
    summary["run_id"] = summary["cell_id"].map(run_ids)
    accuracy = summary["val_accuracy"].to_numpy()
    summary["front"] = on_front(summary[size_column(summary)].to_numpy(), accuracy)
    if not summary["front"].any():
        raise _nothing_trained(study)
    with drawing():
        caption = (
            f"{data_line(dataset)}. {recipe_line(study.recipe)}.\n"
            f"{summary['cell_id'].nunique()} networks of one replicate each; the front "
            "is chosen on validation images, test images choose nothing."
        )
        title = f"Search on {dataset.name}: accuracy against size"
        figure, [axes] = new_figure(1, title, caption)
        draw_front(axes, summary, summary["front"])
    tables = {"runs": runs, "summary": summary}
    write_report(folder, [study], dataset, tables, {"figure": figure})
    best = summary[summary["front"]].sort_values(size_column(summary)).iloc[-1]
    weights = weights_path(store, int(best["run_id"]))
    return Report(folder, summary, of="search", varied=varied, weights=weights)


def _nothing_trained(study: StudyRecord) -> DseError:
    return DseError(
        f"no network of {study.name} was trained to the end: dse status says what "
        "failed; where nothing was begun, give more --minutes"
    )
