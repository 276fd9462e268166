"""Differences between cells, or recipes, paired over replicates.

A replicate's split, order and augmentation are the same in all cells, so cells are
compared within replicates, each pair by its own spread: narrow networks scatter several
times as much as others, and a spread pooled over cells would make them look certain.

Of comparisons that are told together each end of an interval errs in `ERROR_RATE` over
their number (Bonferroni). So with 95 % no lower end is beyond its difference, and with
95 % no upper end: all that is said of bounds that were set beforehand, that a
difference is above or that it is below, is right together with 95 %, since for each
only one of the two can be wrong. That both ends of all intervals hold is 90 %.
"""

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.special import chdtri, stdtrit

from dse.analysis.pareto import on_front
from dse.errors import DseError

ERROR_RATE = 0.05
"""Of any wrong "above" or "below" among the comparisons that are told together."""


def error_of_each_end(comparisons: int) -> float:
    """How often each end of an interval may err, told together with others."""
    return ERROR_RATE / max(1, comparisons)


@dataclass(frozen=True)
class Difference:
    """How much more accurate one subject is than another.

    Attributes:
        estimate: the mean of the differences within blocks.
        deviation: their standard deviation.
        pairs: how many there are.
    """

    estimate: float
    deviation: float
    pairs: int

    def interval(self, error: float) -> tuple[float, float]:
        """The paired t-test's interval, each of whose ends errs in a share `error`.

        d̄ ± t(1 - error; n - 1) · s / √n, cut at ±1, which no difference exceeds. NaN
        where it tells nothing: both ends are cut, or all differences are equal, as on
        few test images they may be by chance.
        """
        quantile = float(stdtrit(self.pairs - 1, 1 - error))
        half = quantile * self.deviation / math.sqrt(self.pairs)
        low, high = self.estimate - half, self.estimate + half
        if self.are_equal or (low <= -1 and high >= 1):
            return math.nan, math.nan
        return max(low, -1.0), min(high, 1.0)

    @property
    def are_equal(self) -> bool:
        """Whether all differences are the same, but for rounding."""
        return bool(self.deviation < 1e-9)


@dataclass(frozen=True)
class Comparison:
    """Scores of subjects (rows) in blocks (columns), NaN where a run is missing.

    Attributes:
        subjects: what is compared, in the order of the rows.
        scores: accuracies.
    """

    subjects: tuple[str, ...]
    scores: Float[np.ndarray, "c b"]

    def difference(self, better: str, worse: str) -> Difference:
        """How much `better` exceeds `worse`, in the blocks that both completed.

        Raises:
            DseError: there are fewer than two such blocks.
        """
        first, second = (self.scores[self.subjects.index(x)] for x in (better, worse))
        within = (first - second)[~np.isnan(first - second)]
        if len(within) < 2:
            raise DseError(
                f"{better} and {worse} have {len(within)} complete replicate"
                f"{'' if len(within) == 1 else 's'} in common, so no interval exists"
            )
        return Difference(float(within.mean()), float(within.std(ddof=1)), len(within))


def compare(
    runs: pd.DataFrame,
    subject: str = "cell_id",
    block: str = "replicate",
    score: str = "test_accuracy",
) -> Comparison:
    """The completed runs side by side.

    Args:
        runs: the view `runs` of one study; an alias of a cell counts once.
        subject: the column of what is compared.
        block: the column of what subjects share.
        score: the column of accuracies.

    Raises:
        DseError: there is one subject only, or no two share two blocks.
    """
    done = runs[runs["status"] == "complete"].drop_duplicates([subject, block])
    table = done.pivot(index=subject, columns=block, values=score)
    if len(table) < 2:
        raise DseError(f"there is {len(table)} cell with results; expected 2 or more")
    scores = table.to_numpy(float)
    known = ~np.isnan(scores)
    if not any((a & b).sum() > 1 for a, b in combinations(known, 2)):
        tried = runs[block].nunique()
        few = "too few replicates are complete in more than one cell"
        raise DseError(
            f"{'each cell has one replicate' if tried == 1 else few}, so no interval "
            f"exists; repeat the sweep with --seeds {tried + 1} or more"
        )
    return Comparison(tuple(map(str, table.index)), scores)


def front_probability(
    comparison: Comparison,
    cost: Float[np.ndarray, " c"],
    draws: int = 4000,
    seed: int = 0,
) -> Float[np.ndarray, " c"]:
    """How likely each subject is on the Pareto front of mean accuracy against `cost`.

    A Bayesian bootstrap over replicates (Rubin 1981), the same weights for all
    subjects, so that what replicates share decides nothing. Draws are spread out to
    the variance of a mean, s²/n, of which weights alone give (n - 1)/(n + 1), and to
    the tails of Student's t, since s is an estimate. A subject with a single replicate
    stays where it is.

    Args:
        comparison: the study.
        cost: of each subject, in the order of `comparison.subjects`; to be small.
        draws: how many.
        seed: of the draws.
    """
    generator = np.random.default_rng(seed)
    known = ~np.isnan(comparison.scores)
    scores = np.where(known, comparison.scores, 0.0)
    count = known.sum(axis=1)
    means = scores.sum(axis=1) / count
    weights = generator.exponential(size=(draws, scores.shape[1]))
    drawn = weights @ scores.T / (weights @ known.T)
    freedom = np.maximum(count - 1, 1)
    wider = np.sqrt((count + 1) / freedom)
    # One draw of s for all: where counts differ, by the same quantile.
    uniform = generator.random(draws)
    scale = np.sqrt(freedom / chdtri(freedom, uniform[:, None]))
    accuracies = means + (drawn - means) * wider * scale
    fronts = np.array([on_front(cost, accuracy) for accuracy in accuracies], float)
    chances: np.ndarray = fronts.mean(axis=0)
    return chances
