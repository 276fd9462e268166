"""Figures of several series of networks: accuracy against size and against work."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from dse.analysis.figures import BYTES, MACS, Mark, Scale, draw_series, marks
from dse.analysis.labelling import place_labels
from dse.analysis.looks import Look
from dse.analysis.plotting import Axes
from dse.arch.cost import cost
from dse.arch.family import Family, Published
from dse.runs.labels import Shown, fields_of_points, labels

LEGEND_SHARE = 0.25
"""Share of the panel's height that is added for the legend."""

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

    Auxiliary heads count in parameters and bytes if the published network has them, and
    never in the work of a prediction.

    Args:
        points: published points by family.
    """
    return pd.DataFrame(
        [
            _published_row(family, printed, label)
            for family, of_family in points.items()
            for printed, label in zip(of_family, _labels(of_family), strict=True)
        ]
    )


def _published_row(family: str, printed: Published, label: str) -> dict[str, Any]:
    network = printed.point.published_network()
    held = cost(network, training=True)
    return {
        "family": family,
        "network": f"{family} {printed.point.short()}",
        "label": label,
        "params": held.params,
        "bytes_fp32": held.bytes_fp32,
        "macs": cost(network).macs,
        "top1": printed.top1,
        "top5": printed.top5,
        "how": printed.how or "the family's paper",
    }


def _labels(of_family: Sequence[Published]) -> list[str]:
    """Names of a family's published points in the figure."""
    networks = [printed.point for printed in of_family]
    family = type(networks[0]).__name__
    family = family.upper() if len(family) <= ABBREVIATION else family
    shown = [Shown.of(point) for point in networks]
    differing = labels(shown, fields_of_points(networks))
    return [
        _called(family, point, label)
        for point, label in zip(networks, differing, strict=True)
    ]


def _called(family: str, point: Family, label: str) -> str:
    """Name of a published point: VGG 16, and the default without what differs."""
    if label[:1].isdigit():
        return f"{family} {label}"
    return family if point == type(point)() else f"{family}, {label}"


def published_series(table: pd.DataFrame, scale: Scale) -> dict[str, list[Mark]]:
    """Marks of the published top-5 accuracies at exact costs, by family.

    Points at one place are one mark, with the first one's label.

    Args:
        table: `published_table`.
        scale: the cost.
    """
    found: dict[str, list[Mark]] = {}
    places = table.dropna(subset="top5")
    places = places.drop_duplicates(["family", scale.column, "top5"])
    for row in places.to_dict("records"):
        mark = Mark(
            row[scale.column] / scale.per, row["top5"], math.nan, math.nan, row["label"]
        )
        found.setdefault(row["family"], []).append(mark)
    return found


def looks_by_family(
    families: Mapping[str, str],
) -> tuple[dict[str, Look], dict[str, Look]]:
    """A colour and a marker for each family; its series differ in line and filling.

    Args:
        families: the family of each series.

    Returns:
        Looks of the series and of the families, by name.
    """
    of_series: dict[str, Look] = {}
    first: dict[str, Look] = {}
    last: dict[str, Look] = {}
    for name, family in families.items():
        first.setdefault(family, Look.numbered(len(first)))
        last[family] = last[family].another() if family in last else first[family]
        of_series[name] = last[family]
    return of_series, first


def draw_systems(
    axes: Sequence[Axes],
    measured: Sequence[dict[str, list[Mark]]],
    published: Sequence[dict[str, list[Mark]]],
    families: Mapping[str, str],
    size: Scale = BYTES,
) -> None:
    """Draw measured accuracies against bytes and MACs, then published ones.

    Args:
        axes: two panels of what was measured, and two of what is published, if it is.
        measured: series against bytes and against MACs.
        published: families against the same, of published points.
        families: the family of each series, which decides colours and markers.
        size: the scale of the bytes measured.
    """
    scales = (size, MACS, BYTES, MACS)
    panels = zip(axes, (*measured, *published), scales, strict=False)
    of_series, of_family = looks_by_family(families)
    for place, (ax, series, scale) in enumerate(panels):
        is_measured = place < len(measured)
        plain = {
            name: [replace(mark, label="") for mark in listed]
            for name, listed in series.items()
        }
        looks = of_series if is_measured else of_family
        draw_series(ax, plain, scale, joined=is_measured, looks=looks)
        if not is_measured:
            ax.margins(x=0.12, y=0.1)
            every = [mark for listed in series.values() for mark in listed]
            at = [(mark.cost, mark.percent) for mark in every]
            place_labels(ax, at, [mark.label for mark in every])
        if not place:
            low, high = ax.get_ylim()
            ax.set_ylim(low - LEGEND_SHARE * (high - low), high)
            ax.legend(frameon=False, fontsize=7, ncols=2, loc="lower right")
        elif (legend := ax.get_legend()) is not None:
            legend.remove()
        if place > 1:
            ax.set_ylabel("ImageNet top-5 accuracy, one crop, %")
