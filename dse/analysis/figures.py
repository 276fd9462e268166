"""Figures: frames in, Axes out. Compute first, draw second."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from textwrap import fill

import numpy as np
import pandas as pd

from dse.analysis.plotting import (
    Axes,
    Figure,
    Normalize,
    PathCollection,
    ScalarFormatter,
    ScalarMappable,
    to_rgba,
    withStroke,
)
from dse.arch.cost import MEBIBYTE
from dse.families.paper import Published
from dse.families.squeezenet import (
    Metaparameters,
    resolved_pct_3x3,
    rounding_moves_pct_3x3,
)

OURS, PAPER = "#0072B2", "#D55E00"
"""Blue and vermilion of Okabe and Ito: apart for every kind of sight, and in grey by
their markers."""

SHADES = ScalarMappable(Normalize(0, 1), "Blues")
"""Of probabilities."""

CAPTION_LETTERS = 19
"""Letters of a caption to an inch."""


@dataclass(frozen=True)
class Scale:
    """A cost that accuracy is drawn against.

    Attributes:
        column: of a summary.
        per: units of the column in one of the axis.
        unit: for labels of points.
        label: of the axis.
        log: whether it is drawn by its logarithm.
    """

    column: str
    per: float
    unit: str
    label: str
    log: bool = False

    def name(self, ax: Axes) -> None:
        """Make it the horizontal axis."""
        ax.set_xlabel(self.label)
        if self.log:
            ax.set_xscale("log", base=2)
            ax.xaxis.set_major_formatter(ScalarFormatter())


SIZE = Scale("bytes_fp32", float(MEBIBYTE), "MiB", "weights, MiB (32-bit floats)")
MACS = Scale(
    "macs", 1e6, "million MACs", "multiply-accumulates an image, millions", log=True
)
PRINTED = Scale("", 1.0, "MB as printed", "weights, MB as printed (32-bit floats)")


def point_label(metaparameters: Metaparameters, varied: str | None) -> str:
    """The varied value, and 3x3's resolved share where rounding moves it."""
    if varied is None:
        return "SqueezeNet"
    value = getattr(metaparameters, varied)
    if varied == "sr":
        return f"SR {value:g}"
    if varied == "pools":
        return f"pools {value}"
    if varied != "pct_3x3":
        return str(value)
    asked = f"{100 * value:g} %"
    if not rounding_moves_pct_3x3(metaparameters):
        return asked
    return f"{asked}\n({100 * resolved_pct_3x3(metaparameters):.3g} %)"


def published_label(varied: str | None, value: float | str) -> str:
    """The same of a published point."""
    if isinstance(value, str):
        return value
    return f"SR {value:g}" if varied == "sr" else f"{100 * value:g} %"


@dataclass(frozen=True)
class Mark:
    """What is drawn of a cell: a cost, an accuracy with its interval, and a label.

    `runs` are the accuracies of its replicates; `low` and `high` are NaN for none.
    """

    cost: float
    percent: float
    low: float
    high: float
    label: str
    runs: tuple[float, ...] = ()

    @property
    def ends(self) -> tuple[float, ...]:
        """Of the interval, if there is one."""
        return () if math.isnan(self.low) else (self.low, self.high)


def marks(
    summary: pd.DataFrame, runs: pd.DataFrame, labels: Sequence[str], scale: Scale
) -> list[Mark]:
    """The cells of a summary (`analysis.statistics.summarise`) that have a score."""
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
    """The paper's own points: top-5 accuracy at its printed sizes, no interval."""
    return [
        Mark(float(point.size_mib), point.top5, math.nan, math.nan, label)
        for point, label in zip(points, labels, strict=True)
    ]


def draw_measured(
    ax: Axes, marks: Sequence[Mark], scale: Scale, *, joined: bool
) -> Axes:
    """Test accuracy against a cost, with intervals and labels."""
    _draw(ax, marks, joined, OURS, "o", scale)
    ax.set_ylabel("test top-1 accuracy, %")
    return ax


def draw_published(ax: Axes, marks: Sequence[Mark], *, joined: bool) -> Axes:
    """The paper's accuracy against the size of the weights."""
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
    """Marks along their costs, joined by a line; or side by side, where few differ."""
    along = [mark.cost if joined else i for i, mark in enumerate(marks)]
    intervals = [(x, mark) for x, mark in zip(along, marks, strict=True) if mark.ends]
    ax.errorbar(
        [x for x, _ in intervals],
        [mark.percent for _, mark in intervals],
        yerr=[
            [mark.percent - mark.low for _, mark in intervals],
            [mark.high - mark.percent for _, mark in intervals],
        ],
        fmt="none",
        ecolor=color,
        elinewidth=1,
        capsize=2.5,
        alpha=0.7,
    )
    dots = [(x, y) for x, mark in zip(along, marks, strict=True) for y in mark.runs]
    ax.plot(*zip(*dots, strict=True) if dots else ((), ()), ".", ms=3, color="#888888")
    line = "-" if joined else "none"
    percents = [mark.percent for mark in marks]
    ax.plot(along, percents, color=color, marker=marker, markersize=4.5, ls=line)
    if joined:
        _label(ax, marks)
        scale.name(ax)
    else:
        names = [f"{mark.label}\n{mark.cost:.3g} {scale.unit}" for mark in marks]
        ax.set_xticks(along, names)
        ax.margins(x=0.25, y=0.15)
    _tick_percents(ax)


def _tick_percents(ax: Axes) -> None:
    """Ticks from 0 to 100 alone: marks may need room beyond, where no accuracy is."""
    low, high = ax.get_ylim()
    ticks = ax.get_yticks()
    ax.set_yticks([y for y in ticks if max(low, 0) <= y <= min(high, 100)])


def _label(ax: Axes, marks: Sequence[Mark]) -> None:
    """Names below the points, clear of interval and runs, and room for them."""
    ax.margins(x=0.09, y=0.12)
    for mark in marks:
        ax.annotate(
            mark.label,
            (mark.cost, min([mark.percent, *mark.runs, *mark.ends])),
            xytext=(0, -5),
            textcoords="offset points",
            ha="center",
            va="top",
            fontsize=7,
            color="#333333",
            path_effects=[withStroke(linewidth=2, foreground="white")],
        )
    low, high = ax.get_ylim()
    ax.set_ylim(low - 0.08 * (high - low), high)


def draw_layers(ax: Axes, table: pd.DataFrame) -> Axes:
    """Parameters of each module, counted and as printed in Table 1."""
    rows = table[table["params"] > 0].iloc[::-1]
    thousands = rows["params"] / 1000
    ax.barh(rows["layer"], thousands, color=OURS, height=0.62, label="counted")
    printed = rows["printed"].astype("float64") / 1000
    ax.plot(printed, rows["layer"], "s", color=PAPER, label="printed in the paper")
    for layer, params in zip(rows["layer"], rows["params"], strict=True):
        ax.annotate(
            f"{params:,}",
            (params / 1000, layer),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=7,
        )
    ax.margins(x=0.14)
    ax.set_xlabel("parameters, thousands")
    ax.legend(frameon=False, loc="center right")
    return ax


def draw_front(ax: Axes, summary: pd.DataFrame, front: pd.Series) -> Axes:
    """All networks of a search, and the front that validation chose."""
    rest = summary[~front]
    ax.plot(
        rest["bytes_fp32"] / 1e6,
        100 * rest["val_accuracy"],
        "o",
        color="#999999",
        markersize=3.5,
        label="trained",
    )
    best = summary[front].sort_values("bytes_fp32")
    ax.plot(
        best["bytes_fp32"] / 1e6,
        100 * best["val_accuracy"],
        "D-",
        color=OURS,
        markersize=5,
        label="Pareto front",
    )
    ax.set_xlabel("weights, MB of 10⁶ bytes (32-bit floats)")
    ax.set_ylabel("validation top-1 accuracy, %")
    ax.legend(frameon=False, loc="lower right")
    return ax


def draw_all_cells(ax: Axes, summary: pd.DataFrame, scale: Scale, front: str) -> Axes:
    """Test accuracy of all cells against a cost, shaded by their chance of the front.

    Cells of too few replicates are grey.

    Args:
        ax: where to.
        summary: `analysis.statistics.summarise`, with a column `experiment`.
        scale: the cost.
        front: the column of the probability of being on its front.
    """
    scored = summary[summary["replicates"] > 0]
    groups = scored.groupby("experiment")
    for marker, (name, rows) in zip(cycle("os^DvP*X"), groups, strict=False):
        chances = rows[front].to_numpy()
        shades = SHADES.to_rgba(np.nan_to_num(chances))
        shades[np.isnan(chances)] = to_rgba("#999999")
        cost, percent = rows[scale.column] / scale.per, 100 * rows["test_accuracy"]
        spread = percent - 100 * rows["test_low"], 100 * rows["test_high"] - percent
        ax.errorbar(
            cost,
            percent,
            yerr=spread,
            fmt="none",
            ecolor="#999999",
            elinewidth=0.8,
            zorder=1,
        )
        ax.scatter(
            cost,
            percent,
            facecolors=shades,
            marker=marker,
            edgecolors="#222222",
            linewidths=0.7,
            s=30,
            label=name,
            zorder=2,
        )
    scale.name(ax)
    _tick_percents(ax)
    ax.set_ylabel("test top-1 accuracy, %")
    legend = ax.legend(frameon=False, loc="lower right")
    for handle in legend.legend_handles:
        if isinstance(handle, PathCollection):
            handle.set_facecolor("white")
    return ax


def new_figure(
    panels: int, title: str, caption: str, width: float | None = None
) -> tuple[Figure, list[Axes]]:
    """A figure of panels side by side under one title, with a caption below."""
    width = width or 1 + 4.1 * panels
    figure = Figure(figsize=(width, 4.4), layout="constrained")
    told = [fill(line, int(CAPTION_LETTERS * width)) for line in caption.splitlines()]
    axes = figure.subplots(1, panels, squeeze=False)[0].tolist()
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, weight="bold")
    figure.supxlabel("\n".join(told), x=0.01, ha="left", fontsize=7, color="#444444")
    return figure, axes
