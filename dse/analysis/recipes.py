"""Comparison of recipes with the first one, to choose by validation accuracy."""

import math
from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd

from dse.analysis.comparison import Comparison, compare, error_of_each_end
from dse.analysis.looks import OURS
from dse.analysis.plotting import Axes
from dse.errors import DseError


def compare_recipes(runs: pd.DataFrame) -> pd.DataFrame:
    """Compare each recipe with the first, over all networks that are trained.

    A block is a replicate of one network: its split, order and augmentation are the
    same under all recipes. Runs that stayed at chance are counted, not averaged in.

    Args:
        runs: the views `runs` of the recipes' studies, with a column `arm`; the first
            recipe's come first.

    Returns:
        Per recipe in order `arm`, `runs`, `untrained`, `diverged`, `val_accuracy` (mean
        over completed runs), `difference` from the first recipe in the blocks that both
        completed, and its interval `low`, `high`. Each end errs in 5 % over the number
        of recipes after the first (`dse.analysis.comparison`). NaN if too few runs
        completed. `test_accuracy`, `test_difference`, `test_low` and `test_high` are
        the same on test images, since a chosen recipe looks too good on validation.
    """
    runs = runs.drop_duplicates(["arm", "run_id"])  # runs of aliases are there twice
    arms = runs["arm"].unique().tolist()
    blocks = runs["arch_id"] + "/" + runs["replicate"].astype("str")
    rows = pd.DataFrame({"arm": arms})
    by_arm = rows["arm"].map
    rows["runs"] = by_arm(runs.groupby("arm").size())
    for reason in ("untrained", "diverged"):
        count = runs[runs["reason"] == reason].groupby("arm").size()
        rows[reason] = by_arm(count).fillna(0).astype("int64")
    runs = runs.assign(block=blocks)
    error = error_of_each_end(len(arms) - 1)
    completed = runs[runs["status"] == "complete"].groupby("arm")
    for score, prefix in (("val_accuracy", ""), ("test_accuracy", "test_")):
        rows[score] = by_arm(completed[score].mean())
        names = [f"{prefix}{name}" for name in ("difference", "low", "high")]
        comparison = _compared(runs, score)
        rows[names] = [_told(comparison, arm, arms[0], error) for arm in arms]
    return rows


def _compared(runs: pd.DataFrame, score: str) -> Comparison | None:
    try:
        return compare(runs, "arm", "block", score)
    except DseError:
        return None


def _told(
    comparison: Comparison | None, arm: str, first: str, error: float
) -> tuple[float, float, float]:
    if arm == first:
        return 0.0, math.nan, math.nan
    if comparison is None or not {arm, first} <= set(comparison.subjects):
        return (math.nan,) * 3
    try:
        difference = comparison.difference(arm, first)
    except DseError:
        return (math.nan,) * 3
    return difference.estimate, *difference.interval(error)


def draw_recipes(ax: Axes, rows: pd.DataFrame) -> Axes:
    """Draw each recipe's difference from the first, with its interval, in points."""
    places = np.arange(len(rows))[::-1]
    estimate = 100 * rows["difference"].to_numpy()
    spread = 100 * (rows[["low", "high"]].to_numpy().T - rows["difference"].to_numpy())
    known = ~np.isnan(spread[0])
    ax.plot(estimate[~known], places[~known], "o", color=OURS, markerfacecolor="white")
    ax.axvline(0, color="#444444", linewidth=0.8)
    ax.errorbar(
        estimate[known],
        places[known],
        xerr=np.abs(spread[:, known]),
        fmt="o",
        color=OURS,
        ecolor=OURS,
        markersize=4.5,
        elinewidth=1,
        capsize=2.5,
    )
    ax.set_yticks(places, [_name(row) for row in rows.to_dict("records")])
    ax.set_ylim(-0.6, len(rows) - 0.4)
    ax.set_xlabel(f"validation top-1 accuracy less that of {rows['arm'][0]}, points")
    return ax


def _name(row: dict[Hashable, Any]) -> str:
    lost = [
        f"{row[reason]} of {row['runs']} {reason}"
        for reason in ("untrained", "diverged")
        if row[reason]
    ]
    return f"{row['arm']} ({', '.join(lost)})" if lost else str(row["arm"])
