"""Figures of several series of networks: accuracy against size and against work."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd

from dse.analysis.figures import BYTES, MACS, Mark, Scale, draw_series, marks
from dse.analysis.labelling import place_labels
from dse.analysis.plotting import Axes
from dse.arch.cost import cost
from dse.arch.family import Family, Published
from dse.runs.labels import Shown, fields_of_points, labels

ABBREVIATION = 3
"""Most letters of a family's name that are written as capitals, as VGG."""
CLASSES = 1000
"""Classes of ImageNet."""


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


def published_series(
    points: Mapping[str, Sequence[Published]], scale: Scale
) -> dict[str, list[Mark]]:
    """Marks of published top-5 accuracies at exact costs of the full networks."""
    found: dict[str, list[Mark]] = {}
    for name, of_series in points.items():
        networks = [printed.point for printed in of_series]
        called = [""]
        if len(networks) > 1:
            shown = [Shown.of(point) for point in networks]
            called = labels(shown, fields_of_points(networks))
        found[name] = [
            Mark(
                cost_of(printed, scale.column) / scale.per,
                printed.top5,
                math.nan,
                math.nan,
                _called(printed.point, label),
            )
            for printed, label in zip(of_series, called, strict=True)
            if printed.top5 is not None
        ]
    return found


def _called(point: Family, label: str) -> str:
    """Name of a published point: a number needs its family, another word does not."""
    family = type(point).__name__
    family = family.upper() if len(family) <= ABBREVIATION else family
    if label[:1].isdigit():
        return f"{family} {label}"
    return family if point == type(point)() else label


def published_table(points: Mapping[str, Sequence[Published]]) -> pd.DataFrame:
    """The published points, a row each, with exact costs and sources."""
    return pd.DataFrame(
        [
            {
                "series": name,
                "network": f"{point.point.name} {point.point.short()}",
                **{
                    column: cost_of(point, column)
                    for column in ("params", "bytes_fp32", "macs")
                },
                "top1": point.top1,
                "top5": point.top5,
                "how": point.how or "the family's paper",
            }
            for name, of_series in points.items()
            for point in of_series
        ]
    )


def cost_of(published: Published, column: str) -> int:
    """Exact cost of a published network; auxiliary heads count if it has them."""
    point = published.point
    network = point.network((point.side, point.side, 3), CLASSES)
    found: int = getattr(cost(network, training=True), column)
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
