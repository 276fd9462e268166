"""Report on a study: a folder of tables and figures."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from dse.analysis.curves import draw_agreement, draw_curves, mean_curves
from dse.analysis.figures import (
    BYTES,
    MACS,
    draw_published,
    marks,
    published_marks,
    size_scale,
)
from dse.analysis.gap import draw_gap, with_gap
from dse.analysis.layers import draw_layers
from dse.analysis.plotting import Figure, drawing, new_figure
from dse.analysis.points import draw_points
from dse.analysis.shown import shown_points
from dse.analysis.statistics import LEAST_REPLICATES, summarise
from dse.analysis.systems import (
    draw_systems,
    published_series,
    published_table,
    series_of_points,
)
from dse.arch.describe import table_1
from dse.arch.family import Family
from dse.data.dataset import ImageData
from dse.errors import DseError
from dse.fields import Fields
from dse.report.beside import headings_beside, with_beside
from dse.report.captions import (
    data_line,
    published_widths,
    recipe_line,
    replicates_line,
    shared_widths,
    untrained_line,
)
from dse.report.claims import check_claims
from dse.report.folder import write_report
from dse.report.result import Report
from dse.runs.labels import Shown, fields_of_points, labels
from dse.runs.records import StudyRecord
from dse.runs.staged import DONE, unstaged
from dse.store.database import Store
from dse.store.families import fields_of
from dse.store.query import once, view
from dse.study.experiment import Experiment
from dse.study.plan import Plan
from dse.study.widths import chosen_widths, widths_line


def report_study(
    store: Store,
    plan: Plan,
    experiment: Experiment,
    dataset: ImageData,
    folder: Path,
) -> Report:
    """Write the runs, summary, learning curves, claims and figures of a study.

    Raises:
        DseError: no run of it is complete, or a file cannot be written.
    """
    study, fields = plan.study, fields_of(store)
    every = view(store, "runs", study.name)
    runs, epochs = once(every), view(store, "epochs", study.name)
    cells = view(store, "cells", study.name).sort_values("position", kind="stable")
    summary = summarise(runs, cells, fields)
    if not summary["replicates"].any():
        raise DseError(
            f"no run of {study.name} was trained to the end, so there is nothing to "
            "draw; dse query 'SELECT status, reason, detail FROM runs' says why"
        )
    points = shown_points(cells, fields)
    names = labels(points, fields)
    if (given := plan.called) is not None:
        names = [*given.values()]
    summary = with_beside(summary, names, experiment)
    tables = {"runs": every, "summary": summary, "epochs": epochs}
    table = printed_table(experiment) if experiment.shows == "layers" else None
    if table is not None:
        tables["table1"] = table
    published = published_table(experiment.published_families)
    if len(published):
        tables["published"] = published
    claims = check_claims(plan, experiment, runs, epochs) if experiment.claims else None
    if claims is not None and claims.table is not None:
        tables["claims"] = claims.table
    widths = widths_line(experiment, study.preset)
    caption = _caption(study, dataset, runs, summary, widths, points)
    # What points with stages begin from is in the tables alone.
    own = len({point.key for point in plan.keyed.values()})
    asked = summary.iloc[:own]
    with drawing():
        figures = {
            "figure": _systems_figure(
                experiment, dataset, caption, asked, runs, plan, published
            )
            if experiment.series
            else _main_figure(
                experiment, dataset, caption, asked, runs, names[:own], fields, table
            )
        }
        if experiment.shows == "gap":
            said = f"{_data_and_recipe(study, dataset, summary)}; dots: runs."
            figures["gap"] = _gap_figure(
                experiment, dataset, said, summary, with_gap(runs, epochs), names
            )
        drawn = summary.assign(label=names).drop_duplicates("cell_id")
        drawn = drawn[drawn["replicates"] > 0]
        if DONE in drawn:
            drawn = drawn[drawn[DONE].isna()]  # others are trained for other epochs
        if len(drawn) > 1:
            curves = mean_curves(epochs, runs)[drawn["cell_id"]]
            title = f"{experiment.title}: learning curves"
            caption = _data_and_recipe(study, dataset, drawn) + "."
            labelled = drawn["label"].tolist()
            figures["curves"] = curves_figure(title, caption, curves, labelled)
    chosen = chosen_widths(experiment, study.preset)
    write_report(folder, [study], dataset, tables, figures, chosen)
    return Report(
        folder,
        summary,
        names,
        table_1=table,
        claims=claims,
        widths=widths,
        beside=headings_beside(experiment),
    )


def _data_and_recipe(study: StudyRecord, dataset: ImageData, rows: pd.DataFrame) -> str:
    return (
        f"{data_line(dataset)}. {recipe_line(study.recipe)}.\n"
        f"{replicates_line(rows, study.recipe.seed)}"
    )


def curves_figure(
    title: str, caption: str, curves: pd.DataFrame, labels: Sequence[str]
) -> Figure:
    """Draw learning curves, and whether the order of the cells has settled."""
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
    names: Sequence[str],
    fields: Fields,
    table: pd.DataFrame | None,
) -> Figure:
    printed = [each for each in experiment.source.points if each.top5 is not None]
    factors = list(experiment.factors)
    panels = 2 if printed or table is not None else 1
    figure, axes = new_figure(panels, experiment.title, caption)
    scale = MACS if experiment.shows == "macs" else size_scale(summary)
    scale = replace(scale, log=True) if DONE in summary else scale
    drawn = marks(summary, runs, names, scale)
    draw_points(axes[0], summary, drawn, scale, factors, fields)
    several = len({point.name for point in experiment.keyed.values()}) > 1
    widths = "" if several else shared_widths(summary, fields)
    axes[0].set_title(", ".join(filter(None, [f"This run: {dataset.name}", widths])))
    if printed:
        points = [each.point for each in printed]
        own = fields_of_points(points)
        called = labels([Shown.of(point) for point in points], own)
        joined = len(factors) == 1 and own[points[0].name][factors[0]].ordered
        draw_published(axes[1], published_marks(printed, called), joined=joined)
        title = (
            f"The paper's {experiment.published}: {published_widths(experiment.source)}"
        )
        axes[1].set_title(title)
    elif table is not None:
        draw_layers(axes[1], table)
        total = sum(experiment.source.parameters.values())
        axes[1].set_title(f"Table 1: {total:,} parameters")
    return figure


def _systems_figure(
    experiment: Experiment,
    dataset: ImageData,
    caption: str,
    summary: pd.DataFrame,
    runs: pd.DataFrame,
    plan: Plan,
    published: pd.DataFrame,
) -> Figure:
    """Draw series against bytes and MACs, as measured and, below, as published."""
    series = experiment.series.items()
    # A network of two series is drawn in both.
    names = [name for name, points in series for _ in points]
    keys = [point.key for point in plan.keyed.values()]
    row_of = {key: row for row, key in enumerate(dict.fromkeys(keys))}
    summary = summary.iloc[[row_of[key] for key in keys]]
    rows = 2 if len(published) else 1
    # Compression changes no MACs, and is what the colours tell apart.
    compressed = DONE in summary and rows == 1
    figure, axes = new_figure(
        1 if compressed else 2, experiment.title, caption, rows=rows
    )
    size = replace(size_scale(summary), log=True)
    scales = (size,) if compressed else (size, MACS)
    measured = [series_of_points(summary, runs, names, x) for x in scales]
    below = [published_series(published, x) for x in (BYTES, MACS) if len(published)]
    families = {name: name if compressed else points[0].name for name, points in series}
    draw_systems(axes, measured, below, families, size)
    axes[0].set_title(f"This run: {dataset.name}")
    if below:
        axes[2].set_title("ImageNet, as published, at the published widths")
        left_out = published.loc[published["top5"].isna(), "label"]
        if len(left_out):
            axes[3].set_title(f"no top-5 is published of {', '.join(left_out)}")
    return figure


def _gap_figure(
    experiment: Experiment,
    dataset: ImageData,
    caption: str,
    summary: pd.DataFrame,
    runs: pd.DataFrame,
    names: Sequence[str],
) -> Figure:
    """Draw train and test accuracy of each cell that has a score."""
    scored = summary.assign(label=names)[summary["replicates"] > 0]
    figure, [ax] = new_figure(1, f"{experiment.title}: overfitting", caption, width=7.0)
    draw_gap(ax, runs, scored["cell_id"].tolist(), scored["label"].tolist())
    ax.set_title(f"This run: {dataset.name}")
    return figure


def _caption(
    study: StudyRecord,
    dataset: ImageData,
    runs: pd.DataFrame,
    summary: pd.DataFrame,
    widths: str,
    points: Sequence[Shown],
) -> str:
    interval = (
        "dots: runs, bars: 95 % interval of the mean"
        if summary["replicates"].max() >= LEAST_REPLICATES
        else "dots: runs, too few for an interval"
    )
    moved = (
        " In brackets: what rounding to whole widths made of it."
        if any(point.note for point in points)
        else ""
    )
    return (
        f"{_data_and_recipe(study, dataset, summary)}; {interval}. Widths: {widths}."
        f"{untrained_line(runs)}{moved}"
    )


def printed_table(experiment: Experiment) -> pd.DataFrame:
    """Modules of the unscaled first point: our counts beside the printed."""
    point = unstaged(next(iter(experiment.keyed.values())))
    if not isinstance(point, Family):
        raise DseError("the layers of a network from a database have no published form")
    rows = table_1(point, point.published_network())
    widths = list(dict.fromkeys(name for row in rows for name in row.widths))
    table = pd.DataFrame(
        [
            {
                "layer": row.name,
                "output": "x".join(map(str, row.output)),
                "filter": row.filter,
                **{name: row.widths.get(name) for name in widths},
                "params": row.params,
                "printed": experiment.source.parameters.get(row.name),
            }
            for row in rows
        ]
    )
    return table.astype(dict.fromkeys((*widths, "printed"), "Int64"))
