"""Overfitting: accuracy on the images that were trained on, beside that on others."""

from collections.abc import Sequence

import pandas as pd

from dse.analysis.figures import tick_percents
from dse.analysis.looks import OURS, PAPER
from dse.analysis.plotting import Axes

KINDS = (
    ("train_accuracy", "train, as trained on", PAPER, "s"),
    ("test_accuracy", "test", OURS, "o"),
)
"""Columns, with their names, colours and markers in the figure."""


def with_gap(runs: pd.DataFrame, epochs: pd.DataFrame) -> pd.DataFrame:
    """Add `train_accuracy` of the last epoch, and `gap`, it less test accuracy.

    Args:
        runs: the view `runs` of a study, each run once.
        epochs: its view `epochs`.
    """
    ordered = epochs.sort_values("epoch", kind="stable")
    last = ordered.drop_duplicates("run_id", keep="last").set_index("run_id")
    trained = runs["run_id"].map(last["train_accuracy"])
    return runs.assign(train_accuracy=trained, gap=trained - runs["test_accuracy"])


def draw_gap(
    ax: Axes, runs: pd.DataFrame, cells: Sequence[str], labels: Sequence[str]
) -> Axes:
    """Draw train and test accuracy of each cell, with a dot for every run.

    Args:
        ax: the axes to draw in.
        runs: `with_gap`.
        cells: ids of the cells, in order; each has a completed run.
        labels: their labels.
    """
    complete = runs[runs["status"] == "complete"].set_index("cell_id")
    means = 100 * complete.groupby(level=0)[[column for column, *_ in KINDS]].mean()
    drawn, along = means.loc[list(cells)], list(range(len(cells)))
    ax.vlines(along, *drawn.to_numpy().T, color="#bbbbbb", zorder=0)
    for column, called, color, marker in KINDS:
        for place, cell in zip(along, cells, strict=True):
            own = (100 * complete.loc[[cell], column]).tolist()
            ax.plot([place] * len(own), own, ".", ms=3, color="#888888")
        ax.plot(along, drawn[column], marker, color=color, label=called)
    for place, (train, test) in zip(along, drawn.to_numpy(), strict=True):
        ax.annotate(
            f"{train - test:+.1f}",
            (place, (train + test) / 2),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=7,
        )
    ax.set_xticks(along, [label.replace(", ", ",\n") for label in labels])
    ax.set_ylabel("top-1 accuracy, %")
    ax.margins(x=0.15, y=0.15)
    ax.legend(frameon=False, fontsize=7)
    tick_percents(ax)
    return ax
