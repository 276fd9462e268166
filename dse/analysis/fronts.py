"""Figures of Pareto fronts, of a search or of several studies."""

from itertools import cycle

import numpy as np
import pandas as pd

from dse.analysis.figures import Scale, size_scale, tick_percents
from dse.analysis.looks import MARKERS, OURS
from dse.analysis.plotting import (
    Axes,
    Normalize,
    PathCollection,
    ScalarMappable,
    to_rgba,
)

SHADES = ScalarMappable(Normalize(0, 1), "Blues")
"""Colours of probabilities."""


def draw_front(ax: Axes, summary: pd.DataFrame, front: pd.Series) -> Axes:
    """Draw all networks of a search, and the front by validation accuracy."""
    scale, rest = size_scale(summary), summary[~front]
    ax.plot(
        rest[scale.column] / 1e6,
        100 * rest["val_accuracy"],
        "o",
        color="#999999",
        markersize=3.5,
        label="trained",
    )
    best = summary[front].sort_values(scale.column)
    ax.plot(
        best[scale.column] / 1e6,
        100 * best["val_accuracy"],
        "D-",
        color=OURS,
        markersize=5,
        label="Pareto front",
    )
    ax.set_xlabel(scale.label.replace(scale.unit, "MB of 10⁶ bytes"))
    ax.set_ylabel("validation top-1 accuracy, %")
    ax.legend(frameon=False, loc="lower right")
    return ax


def draw_all_cells(ax: Axes, summary: pd.DataFrame, scale: Scale, front: str) -> Axes:
    """Draw test accuracy of all cells against a cost, shaded by chance of the front.

    Cells with too few replicates are grey.

    Args:
        ax: the axes to draw in.
        summary: `analysis.statistics.summarise`, with a column `experiment`.
        scale: the cost.
        front: column with the probability of being on the front.
    """
    scored = summary[summary["replicates"] > 0]
    groups = scored.groupby("experiment")
    for marker, (name, rows) in zip(cycle(MARKERS), groups, strict=False):
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
    scale.label_axis(ax)
    tick_percents(ax)
    ax.set_ylabel("test top-1 accuracy, %")
    legend = ax.legend(frameon=False, loc="lower right")
    for handle in legend.legend_handles:
        if isinstance(handle, PathCollection):
            handle.set_facecolor("white")
    return ax
