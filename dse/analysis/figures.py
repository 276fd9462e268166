"""Figures of studies: functions that draw computed data into Axes."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from dse.analysis.labelling import label_below
from dse.analysis.looks import OURS, PAPER, Look
from dse.analysis.plotting import Axes, FuncFormatter
from dse.analysis.statistics import MEASURED_BYTES, size_column
from dse.arch.cost import MEBIBYTE, cost
from dse.arch.family import Published

MOST_LABELS = 24
"""Largest number of points, in several series, that have labels."""


LONG = 12
"""Letters of a label below an axis beyond which its parts have a line each."""


@dataclass(frozen=True)
class Scale:
    """A cost that accuracy is drawn against.

    Attributes:
        column: column of a summary.
        per: units of the column in one unit of the axis.
        unit: unit for labels of points.
        label: label of the axis.
        log: True for a logarithmic axis.
    """

    column: str
    per: float
    unit: str
    label: str
    log: bool = False

    def label_axis(self, ax: Axes) -> None:
        """Set the label and the scale of the horizontal axis."""
        ax.set_xlabel(self.label)
        if self.log:
            ax.set_xscale("log", base=2)
            ax.xaxis.set_major_formatter(FuncFormatter(_number))


def _number(value: float, _: object) -> str:
    """Two digits of a small number, all of a large one."""
    return f"{value:.2g}" if value < 100 else f"{value:,.0f}"


SIZE = Scale("bytes_fp32", float(MEBIBYTE), "MiB", "weights, MiB (32-bit floats)")
KIBIBYTE = 1024
BYTES = replace(SIZE, log=True)
MACS = Scale(
    "macs", 1e6, "million MACs", "multiply-accumulates an image, millions", log=True
)
PRINTED = Scale("", 1.0, "MB as printed", "weights, MB as printed (32-bit floats)")


def size_scale(summary: pd.DataFrame) -> Scale:
    """The scale of size: bytes of files where networks are compressed."""
    if size_column(summary) != MEASURED_BYTES:
        return SIZE
    large = summary[MEASURED_BYTES].max() > MEBIBYTE
    unit, per = ("MiB", MEBIBYTE) if large else ("KiB", KIBIBYTE)
    return Scale(MEASURED_BYTES, float(per), unit, f"file of the network, {unit}")


@dataclass(frozen=True)
class Mark:
    """A cell in a figure: cost, accuracy with an interval, and label.

    `runs` are the accuracies of its replicates; NaN in `low` and `high` is no interval.
    """

    cost: float
    percent: float
    low: float
    high: float
    label: str
    runs: tuple[float, ...] = ()

    @property
    def ends(self) -> tuple[float, ...]:
        """The ends of the interval, if there is one."""
        return () if math.isnan(self.low) else (self.low, self.high)


def marks(
    summary: pd.DataFrame, runs: pd.DataFrame, labels: Sequence[str], scale: Scale
) -> list[Mark]:
    """Marks of the cells with a score, from `analysis.statistics.summarise`."""
    complete = runs[runs["status"] == "complete"]
    once = complete.drop_duplicates(["cell_id", "replicate"]).groupby("cell_id")
    scores = {cell: tuple(100 * listed) for cell, listed in once["test_accuracy"]}
    return [
        Mark(
            row[scale.column] / scale.per,
            100 * row["test_accuracy"],
            100 * row["test_low"],
            100 * row["test_high"],
            label,
            scores[row["cell_id"]],
        )
        for row, label in zip(summary.to_dict("records"), labels, strict=True)
        if row["replicates"]
    ]


def published_marks(points: Sequence[Published], labels: Sequence[str]) -> list[Mark]:
    """Marks of a paper's points: top-5 accuracy at printed sizes, without interval.

    Where no size is printed, it is exact.
    """

    def size(printed: Published) -> float:
        if printed.size_mib is not None:
            return float(printed.size_mib)
        network = printed.point.published_network()
        return cost(network, training=True).bytes_fp32 / SIZE.per

    return [
        Mark(size(point), point.top5, math.nan, math.nan, label)
        for point, label in zip(points, labels, strict=True)
        if point.top5 is not None
    ]


def draw_measured(
    ax: Axes, marks: Sequence[Mark], scale: Scale, *, joined: bool
) -> Axes:
    """Draw test accuracy against a cost, with intervals and labels."""
    _draw(ax, marks, joined, OURS, "o", scale)
    ax.set_ylabel("test top-1 accuracy, %")
    return ax


def draw_published(ax: Axes, marks: Sequence[Mark], *, joined: bool) -> Axes:
    """Draw a paper's accuracy against the size of the weights."""
    _draw(ax, marks, joined, PAPER, "s", PRINTED)
    ax.set_ylabel("ImageNet top-5 accuracy, %")
    return ax


def _draw(
    ax: Axes,
    marks: Sequence[Mark],
    joined: bool,
    color: str,
    marker: str,
    scale: Scale,
) -> None:
    """Draw marks at their costs, joined by a line, or else side by side."""
    along = [mark.cost if joined else float(i) for i, mark in enumerate(marks)]
    _draw_spread(ax, along, marks, color, width=1.0, cap=2.5, alpha=0.7, dots="#888888")
    line = "-" if joined else "none"
    percents = [mark.percent for mark in marks]
    ax.plot(along, percents, color=color, marker=marker, markersize=4.5, ls=line)
    if joined:
        _label(ax, marks)
        scale.label_axis(ax)
    else:
        long = any(len(mark.label) > LONG for mark in marks)
        called = [x.label.replace(", ", ",\n") if long else x.label for x in marks]
        names = [
            f"{name}\n{mark.cost:.3g} {scale.unit}"
            for name, mark in zip(called, marks, strict=True)
        ]
        ax.set_xticks(along, names)
        ax.margins(x=0.25, y=0.15)
    tick_percents(ax)


def _draw_spread(
    ax: Axes,
    along: Sequence[float],
    marks: Sequence[Mark],
    color: str,
    *,
    width: float,
    cap: float,
    alpha: float,
    dots: str,
    size: float = 3.0,
) -> None:
    """Draw the intervals of marks and a dot for every run, at positions `along`."""
    placed = list(zip(along, marks, strict=True))
    intervals = [(x, mark) for x, mark in placed if mark.ends]
    ax.errorbar(
        [x for x, _ in intervals],
        [mark.percent for _, mark in intervals],
        yerr=[
            [mark.percent - mark.low for _, mark in intervals],
            [mark.high - mark.percent for _, mark in intervals],
        ],
        fmt="none",
        ecolor=color,
        elinewidth=width,
        capsize=cap,
        alpha=alpha,
    )
    runs = [(x, percent) for x, mark in placed for percent in mark.runs]
    ax.plot(*zip(*runs, strict=True) if runs else ((), ()), ".", ms=size, color=dots)


def draw_series(
    ax: Axes,
    series: Mapping[str, Sequence[Mark]],
    scale: Scale,
    *,
    joined: bool = False,
    first: int = 0,
    looks: Mapping[str, Look] | None = None,
) -> Axes:
    """Draw test accuracy against a cost, a look for each series.

    Args:
        ax: the axes to draw in.
        series: marks by name.
        scale: the cost.
        joined: True to join the marks of a series by a line.
        first: number of the first look.
        looks: looks by name; None for the next ones.
    """
    for number, (name, marks) in enumerate(series.items(), start=first):
        look = Look.numbered(number) if looks is None else looks[name]
        ordered = sorted(marks, key=lambda mark: mark.cost) if joined else marks
        along = [mark.cost for mark in ordered]
        _draw_spread(
            ax,
            along,
            ordered,
            look.color,
            width=0.8,
            cap=2.0,
            alpha=0.6,
            dots=look.color,
            size=2.5,
        )
        ax.plot(
            along,
            [mark.percent for mark in ordered],
            color=look.color,
            marker=look.marker,
            fillstyle="none" if look.hollow else "full",
            markersize=4.5,
            ls=look.line if joined else "none",
            label=name,
        )
    every = [mark for marks in series.values() for mark in marks]
    if len(every) <= MOST_LABELS:
        _label(ax, every)
    scale.label_axis(ax)
    ax.set_ylabel("test top-1 accuracy, %")
    if len(series) > 1 or first:
        ax.legend(frameon=False, fontsize=7)
    tick_percents(ax)
    return ax


def tick_percents(ax: Axes) -> None:
    """Keep only ticks from 0 to 100: the axis may be longer, to make room for marks."""
    low, high = ax.get_ylim()
    ticks = ax.get_yticks()
    ax.set_yticks([y for y in ticks if max(low, 0) <= y <= min(high, 100)])


def _label(ax: Axes, marks: Sequence[Mark]) -> None:
    """Put labels below points, intervals and runs, and make room for them."""
    ax.margins(x=0.09, y=0.12)
    low, high = ax.get_ylim()
    ax.set_ylim(low - 0.08 * (high - low), high)
    points = [(m.cost, min([m.percent, *m.runs, *m.ends])) for m in marks]
    label_below(ax, points, [mark.label for mark in marks])
