"""Figures of several series of networks: accuracy against size and against work."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from dse.analysis.figures import BYTES, MACS, Mark, Scale, draw_series, marks
from dse.analysis.labelling import place_labels
from dse.analysis.plotting import Axes
from dse.arch.cost import cost
from dse.arch.family import Family, Published
from dse.runs.labels import Shown, fields_of_points, labels

ABBREVIATION = 3
"""Most letters of a family's name that are written as capitals, as VGG."""


def series_of_points(
    summary: pd.DataFrame, runs: pd.DataFrame, names: Sequence[str], scale: Scale
) -> dict[str, list[Mark]]:
    """Marks, without labels, of the cells with a score, by series.

    Args:
        summary: `analysis.statistics.summarise`.
        runs: the runs.
        names: name of each row's series.
        scale: the cost.
    """
    found: dict[str, list[Mark]] = {}
    for name, rows in summary.groupby(list(names), sort=False):
        found[str(name)] = marks(rows, runs, [""] * len(rows), scale)
    return found


def published_table(points: Mapping[str, Sequence[Published]]) -> pd.DataFrame:
    """The published points, a row each, with exact costs and sources.

    Auxiliary heads count if the published network has them.
    """
    return pd.DataFrame(
        [
            _published_row(name, printed, label)
            for name, of_series in points.items()
            for printed, label in zip(of_series, _labels(of_series), strict=True)
        ]
    )


def _published_row(series: str, printed: Published, label: str) -> dict[str, Any]:
    costs = cost(printed.point.published_network(), training=True)
    return {
        "series": series,
        "network": f"{printed.point.name} {printed.point.short()}",
        "label": label,
        "params": costs.params,
        "bytes_fp32": costs.bytes_fp32,
        "macs": costs.macs,
        "top1": printed.top1,
        "top5": printed.top5,
        "how": printed.how or "the family's paper",
    }


def _labels(of_series: Sequence[Published]) -> list[str]:
    """Names of a family's published points in the figure."""
    networks = [printed.point for printed in of_series]
    if len(networks) == 1:
        return [_called(networks[0], "")]
    shown = [Shown.of(point) for point in networks]
    differing = labels(shown, fields_of_points(networks))
    return [_called(*each) for each in zip(networks, differing, strict=True)]


def _called(point: Family, label: str) -> str:
    """Name of a published point: a number needs its family, another word does not."""
    family = type(point).__name__
    family = family.upper() if len(family) <= ABBREVIATION else family
    if label[:1].isdigit():
        return f"{family} {label}"
    return family if point == type(point)() else label


def published_series(table: pd.DataFrame, scale: Scale) -> dict[str, list[Mark]]:
    """Marks of the published top-5 accuracies at exact costs, by series.

    Args:
        table: `published_table`.
        scale: the cost.
    """
    found: dict[str, list[Mark]] = {}
    for row in table.to_dict("records"):
        own = found.setdefault(row["series"], [])
        if not pd.isna(row["top5"]):
            cost_there = row[scale.column] / scale.per
            own.append(Mark(cost_there, row["top5"], math.nan, math.nan, row["label"]))
    return found


def draw_systems(
    axes: Sequence[Axes],
    measured: Sequence[dict[str, list[Mark]]],
    published: Sequence[dict[str, list[Mark]]],
) -> None:
    """Draw measured accuracies against bytes and MACs, then published ones.

    Args:
        axes: two panels of what was measured, and two of what is published, if it is.
        measured: series against `BYTES` and against `MACS`.
        published: the same of published points.
    """
    panels = zip(axes, (*measured, *published), (BYTES, MACS) * 2, strict=False)
    for place, (ax, series, scale) in enumerate(panels):
        order, is_measured = [*measured[0]], place < len(measured)
        plain = {
            name: [replace(mark, label="") for mark in listed]
            for name, listed in series.items()
        }
        draw_series(ax, plain, scale, joined=is_measured, order=order)
        if not is_measured:
            ax.margins(x=0.12, y=0.1)
            every = [mark for listed in series.values() for mark in listed]
            at = [(mark.cost, mark.percent) for mark in every]
            place_labels(ax, at, [mark.label for mark in every])
        legend = ax.get_legend()
        if place and legend is not None:
            legend.remove()
        if place > 1:
            ax.set_ylabel("ImageNet top-5 accuracy, one crop, %")
