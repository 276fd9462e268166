"""Figures of a study's points: joined, in series, or as a front."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd

from dse.analysis.figures import Mark, Scale, draw_measured, draw_series
from dse.analysis.pareto import on_front
from dse.analysis.plotting import Axes
from dse.fields import Field, Fields

MOST_BESIDE = 8
"""Largest number of points that are drawn side by side, each with its name."""


def draw_points(
    ax: Axes,
    summary: pd.DataFrame,
    marks: Sequence[Mark],
    scale: Scale,
    factors: Sequence[str],
    fields: Fields,
) -> Axes:
    """Draw test accuracy against a cost.

    One factor with ordered values is joined by a line. Of two factors, one gives the
    labels, and each value of the other is a series. Otherwise a few points are drawn
    side by side, and of more points the front is joined.

    Args:
        ax: the axes to draw in.
        summary: `analysis.statistics.summarise`.
        marks: marks of its rows that have a score.
        scale: the cost.
        factors: names of the fields that vary; empty for a list of points.
        fields: fields by name, for each family.
    """
    known = {name: field for own in fields.values() for name, field in own.items()}
    if len(factors) == 1 and known[factors[0]].ordered:
        return draw_measured(ax, marks, scale, joined=True)
    if len(factors) == 2:
        return _draw_two(ax, summary, marks, scale, factors, known)
    if len(marks) <= MOST_BESIDE:
        return draw_measured(ax, marks, scale, joined=False)
    return _draw_as_front(ax, summary, marks, scale)


def _draw_as_front(
    ax: Axes, summary: pd.DataFrame, marks: Sequence[Mark], scale: Scale
) -> Axes:
    """Draw the Pareto front by validation accuracy, and the other points."""
    scored = summary[summary["replicates"] > 0]
    best = on_front(
        scored[scale.column].to_numpy(float), scored["val_accuracy"].to_numpy()
    )
    front = [mark for mark, is_best in zip(marks, best, strict=True) if is_best]
    rest = [mark for mark, is_best in zip(marks, best, strict=True) if not is_best]
    named = {"front, by validation": front}
    draw_series(ax, {"others": [replace(mark, label="") for mark in rest]}, scale)
    return draw_series(ax, named, scale, joined=True, first=1)


def _draw_two(
    ax: Axes,
    summary: pd.DataFrame,
    marks: Sequence[Mark],
    scale: Scale,
    factors: Sequence[str],
    known: Mapping[str, Field],
) -> Axes:
    """Draw two factors: the ordered one, or that with more values, gives labels."""
    along, other = sorted(
        factors, key=lambda x: (known[x].ordered, summary[x].nunique()), reverse=True
    )
    scored = summary[summary["replicates"] > 0]
    series: dict[str, list[Mark]] = {}
    for row, mark in zip(scored.to_dict("records"), marks, strict=True):
        called = known[along].written(row[along])
        named = known[other].named(other, row[other])
        series.setdefault(named, []).append(replace(mark, label=called))
    return draw_series(ax, series, scale, joined=known[along].ordered)
