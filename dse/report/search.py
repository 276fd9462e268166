"""Report on a search: its runs, summary and Pareto front."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

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
from dse.runs.staged import DONE
from dse.store.database import Store
from dse.store.families import fields_of
from dse.store.query import once, view, weights_path


def report_search(
    store: Store,
    study: StudyRecord,
    dataset: ImageData,
    folder: Path,
    varied: Sequence[str],
    done: str = "",
    most_bytes: int | None = None,
) -> Report:
    """Write a search's runs, its summary with the front, and the figure.

    Args:
        store: the database.
        study: the search's study.
        dataset: its images.
        folder: where to write.
        varied: fields that it varies.
        done: the stages that its networks go through (`Staged.values`); networks on the
            way are in the tables alone.
        most_bytes: most bytes of a file; larger ones are on no front.
    """
    runs, fields = view(store, "runs", study.name), fields_of(store)
    if not (runs["status"] == "complete").any():
        raise _nothing_trained(study)
    summary = summarise(once(runs), view(store, "cells", study.name), fields)
    run_ids = once(runs).set_index("cell_id")["run_id"]
    summary = summary[summary["cell_id"].isin(run_ids.index)].reset_index(drop=True)
    summary["run_id"] = summary["cell_id"].map(run_ids)
    size = summary[size_column(summary)]
    within = pd.Series(True, summary.index)
    if done:
        within &= summary[DONE] == done
    proposed = within.copy()
    if most_bytes is not None:
        within &= size <= most_bytes
    accuracy = summary["val_accuracy"].where(within)
    summary["front"] = on_front(size.to_numpy(), accuracy.to_numpy())
    if not summary["front"].any() and (proposed & ~within).any():
        least = size[proposed].min()
        raise DseError(
            f"no network of {study.name} has a file of {most_bytes:,} bytes or less, "
            f"the smallest has {least:,.0f}: raise the budget, or search on with more "
            "--trials"
        )
    if not summary["front"].any():
        raise _nothing_trained(study)
    with drawing():
        caption = (
            f"{data_line(dataset)}. {recipe_line(study.recipe)}.\n"
            f"{summary.loc[proposed, 'cell_id'].nunique()} networks of one replicate "
            "each; the front is chosen on validation images, test images choose "
            f"nothing.{_over_line(int((proposed & ~within).sum()), most_bytes)}"
        )
        title = f"Search on {dataset.name}: accuracy against size"
        figure, [axes] = new_figure(1, title, caption)
        drawn = summary[proposed]
        draw_front(axes, drawn, drawn["front"])
    tables = {"runs": runs, "summary": summary}
    write_report(folder, [study], dataset, tables, {"figure": figure})
    best = summary[summary["front"]].sort_values(size_column(summary)).iloc[-1]
    weights = weights_path(store, int(best["run_id"]))
    over = int((proposed & ~within).sum())
    return Report(
        folder, summary, of="search", varied=varied, weights=weights, over_budget=over
    )


def _over_line(count: int, most_bytes: int | None) -> str:
    if most_bytes is None:
        return ""
    return f" {count} of them have a file of more than {most_bytes:,} bytes."


def _nothing_trained(study: StudyRecord) -> DseError:
    return DseError(
        f"no network of {study.name} was trained to the end: dse status says what "
        "failed; where nothing was begun, give more --minutes"
    )
