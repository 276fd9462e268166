"""Learning curves, and the agreement of the order of cells with the final one."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import kendalltau

from dse.analysis.looks import OURS
from dse.analysis.plotting import Axes, MaxNLocator, colormaps

MARKERS = "os^Dv<>pPX*hd"
"""Markers of the cells in turn, so that curves differ in grey too."""


def mean_curves(epochs: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Mean validation accuracy by epoch (rows) and cell (columns).

    Args:
        epochs: the view `epochs` of one study.
        runs: the view `runs` of the same study; means are over its completed runs.
    """
    complete = set(runs.loc[runs["status"] == "complete", "run_id"])
    counted = epochs[epochs["run_id"].isin(complete)]
    return counted.pivot_table(
        index="epoch", columns="cell_id", values="val_accuracy", aggfunc="mean"
    )


def agreement_with_end(curves: pd.DataFrame) -> pd.Series:
    """Kendall's tau-b between the order of cells in each epoch and in the last one."""
    last = curves.iloc[-1]
    taus = [kendalltau(row, last).statistic for _, row in curves.iterrows()]
    return pd.Series(taus, index=curves.index, dtype="float64")


def draw_curves(ax: Axes, curves: pd.DataFrame, labels: Sequence[str]) -> Axes:
    """Draw validation accuracy by epoch, a line per cell with its label."""
    shades = colormaps["viridis"](np.linspace(0, 0.9, len(labels)))
    for index, (cell, label) in enumerate(zip(curves, labels, strict=True)):
        ax.plot(
            curves.index,
            100 * curves[cell],
            color=shades[index],
            marker=MARKERS[index % len(MARKERS)],
            markersize=3.5,
            linewidth=1,
            label=label.replace("\n", " "),
        )
    _along_epochs(ax, curves)
    ax.set_ylabel("validation top-1 accuracy, %")
    ax.legend(frameon=False, fontsize=7)
    ax.set_title("Mean over replicates")
    return ax


def draw_agreement(ax: Axes, curves: pd.DataFrame) -> Axes:
    """Draw the agreement of the order of cells with that of the last epoch."""
    agreement = agreement_with_end(curves)
    ax.plot(agreement.index, agreement, "o-", color=OURS, markersize=4)
    known = agreement.dropna()  # undefined if all cells are equal
    ax.set_ylim(min([-0.05, *(known - 0.05)]), 1.05)
    _along_epochs(ax, curves)
    ax.set_ylabel("Kendall's tau with the last epoch")
    ax.set_title("Order of the cells")
    return ax


def _along_epochs(ax: Axes, curves: pd.DataFrame) -> None:
    ax.set_xlabel("epoch")
    ax.set_xlim(curves.index[0] - 0.3, curves.index[-1] + 0.3)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
