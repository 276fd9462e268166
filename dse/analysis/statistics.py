"""Statistics of each cell over its replicates."""

import math

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.special import expit, logit, stdtrit

from dse.analysis.comparison import compare, front_probability
from dse.errors import DseError
from dse.fields import Fields
from dse.runs.staged import DONE

CONFIDENCE = 0.95
MEASURED_BYTES = "mean_bytes"
"""Column of the bytes of the networks' files, where some are compressed."""
LEAST_REPLICATES = 3
"""Fewest replicates with an interval: that of two is 18 deviations wide."""


def summarise(runs: pd.DataFrame, cells: pd.DataFrame, fields: Fields) -> pd.DataFrame:
    """Summarise costs and accuracies, one row per point of a study.

    The interval of a mean uses the cell's own standard deviation, from three replicates
    on; see `mean_interval`.

    Args:
        runs: results of one study, or of several under one recipe, each run once.
        cells: the view `cells` of the same studies.
        fields: fields of their metaparameters, for each family.

    Returns:
        Per point in order its metaparameters, costs (with `mean_bytes`, those of the
        files, where some points have stages), `failed`, its derived numbers,
        `replicates` (completed), `untrained`, `val_accuracy`, `test_accuracy` and
        `test_top5` (means, the last if it was scored), `test_deviation`, the interval
        `test_low`, `test_high`, and `bytes_front_probability` and
        `macs_front_probability`, to be on the Pareto front of accuracy against bytes
        or MACs. NaN if too few replicates completed.
    """
    complete = runs[runs["status"] == "complete"].groupby("cell_id")
    scores = complete["test_accuracy"]
    known, derived = point_columns(cells, fields)
    costs = ["params", "bytes_fp32", "macs", "activations"]
    costs += [MEASURED_BYTES] if DONE in known else []
    several = ["family"] if cells["family"].nunique() > 1 else []
    columns = ["study", "cell_id", "arch_id", *several, *known, *costs, "failed"]
    ordered = cells.sort_values("position", kind="stable")
    rows = ordered[[*columns, *derived]].reset_index(drop=True)
    by_cell = rows["cell_id"].map
    rows["replicates"] = by_cell(scores.size()).fillna(0).astype("int64")
    untrained = runs[runs["reason"] == "untrained"].groupby("cell_id").size()
    rows["untrained"] = by_cell(untrained).fillna(0).astype("int64")
    rows["val_accuracy"] = by_cell(complete["val_accuracy"].mean())
    rows["test_accuracy"] = by_cell(scores.mean())
    rows["test_top5"] = by_cell(complete["test_top5"].mean())
    rows["test_deviation"] = by_cell(scores.std())
    found = {cell: mean_interval(group.to_numpy()) for cell, group in scores}
    for index, end in enumerate(("low", "high")):
        ends = {cell: interval[index] for cell, interval in found.items()}
        rows[f"test_{end}"] = by_cell(pd.Series(ends, dtype="float64"))
    # Rounding must not put the mean outside an interval of almost no width.
    rows["test_low"] = rows["test_low"].clip(upper=rows["test_accuracy"])
    rows["test_high"] = rows["test_high"].clip(lower=rows["test_accuracy"])
    fronts = _front_probabilities(runs, rows)
    return rows.join(fronts, on="cell_id")


def point_columns(cells: pd.DataFrame, fields: Fields) -> tuple[list[str], list[str]]:
    """Columns of metaparameters and of derived numbers in the view `cells`."""
    names = cells.columns.tolist()
    of_points = names[names.index("family") + 1 : names.index("note")]
    known = {name for own in fields.values() for name in own}
    return (
        [name for name in of_points if name in known],
        [name for name in of_points if name not in known],
    )


def size_column(frame: pd.DataFrame) -> str:
    """The column of the networks' bytes: of their files, if some are compressed."""
    return MEASURED_BYTES if MEASURED_BYTES in frame else "bytes_fp32"


def _front_probabilities(runs: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Probabilities of both fronts by cell; empty if replicates are too few."""
    size = size_column(rows)
    names = {size: "bytes_front_probability", "macs": "macs_front_probability"}
    try:
        comparison = compare(runs)
    except DseError:
        return pd.DataFrame(columns=[*names.values()], dtype="float64")
    cells = list(comparison.subjects)
    costs = rows.drop_duplicates("cell_id").set_index("cell_id").loc[cells, [*names]]
    chances = {
        names[column]: front_probability(comparison, costs[column].to_numpy(float))
        for column in names
    }
    return pd.DataFrame(chances, index=cells)


def mean_interval(shares: Float[np.ndarray, " n"]) -> tuple[float, float]:
    """Student's 95 % interval of the mean of shares of 1, on the logit scale.

    logit(x̄) ± t(0.975; n - 1) · s / (√n · x̄ · (1 - x̄)), transformed back (the delta
    method). So it stays between 0 and 1, and is longer towards the middle. Near 0 and 1
    accuracies are skewed, and x̄ ± t · s / √n misses the mean in up to 9 % of cases,
    this interval in 6 % (experiments/benchmarks/intervals.py).

    NaN for fewer than `LEAST_REPLICATES` values, and for values that are all equal,
    which can happen by chance with few test images.
    """
    if len(shares) < LEAST_REPLICATES or np.ptp(shares) == 0:
        return math.nan, math.nan
    mean, deviation = float(shares.mean()), float(shares.std(ddof=1))
    spread = mean * (1 - mean)
    quantile = float(stdtrit(len(shares) - 1, 0.5 + CONFIDENCE / 2))
    half = quantile * deviation / math.sqrt(len(shares)) / spread
    center = logit(mean)
    return float(expit(center - half)), float(expit(center + half))
