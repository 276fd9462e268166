"""Comparison of recipes with the first one, to choose by validation accuracy."""

import math
from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd

from dse.analysis.comparison import Difference, error_of_each_end
from dse.analysis.looks import OURS
from dse.analysis.plotting import Axes


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
        of recipes after the first (`dse.analysis.comparison`). The difference is NaN
        if they share no block, the interval if they share one. `test_accuracy`,
        `test_difference`, `test_low` and `test_high` are the same on test images, since
        a chosen recipe looks too good on validation.
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
    completed = runs[runs["status"] == "complete"]
    for score, prefix in (("val_accuracy", ""), ("test_accuracy", "test_")):
        rows[score] = by_arm(completed.groupby("arm")[score].mean())
        scores = completed.pivot(index="block", columns="arm", values=score)
        scores = scores.reindex(columns=arms)
        gains = scores.sub(scores[arms[0]], axis=0)
        names = [f"{prefix}{name}" for name in ("difference", "low", "high")]
        rows[names] = [_told(gains[arm].dropna(), error) for arm in arms]
    return rows


def _told(gains: pd.Series, error: float) -> tuple[float, float, float]:
    """The mean of a recipe's gains within blocks, and its interval."""
    difference = Difference(float(gains.mean()), float(gains.std()), len(gains))
    if len(gains) < 2:
        return difference.estimate, math.nan, math.nan
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
