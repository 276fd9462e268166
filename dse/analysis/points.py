"""A study's points drawn as what varies allows: joined, in series, or as a front."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd

from dse.analysis.figures import Mark, Scale, draw_measured, draw_series
from dse.analysis.pareto import on_front
from dse.analysis.plotting import Axes
from dse.fields import Field, Fields

MOST_BESIDE = 8
"""Points that are drawn side by side, each with its name."""


def draw_points(
    ax: Axes,
    summary: pd.DataFrame,
    marks: Sequence[Mark],
    scale: Scale,
    factors: Sequence[str],
    fields: Fields,
) -> Axes:
    """Test accuracy against a cost.

    One factor whose values have an order is joined by a line. Of two, one is along and
    the other has a colour and a marker for each value. A few points without an order
    stand side by side; of more of them, or of more factors, the front is joined.

    Args:
        ax: where to.
        summary: `analysis.statistics.summarise`.
        marks: those of its rows that have a score.
        scale: the cost.
        factors: what varies; none where points are listed.
        fields: what is known of it.
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
    """The Pareto front, which validation chooses, and the others beside it."""
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
    """The factor with an order, or with more values, is along."""
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
