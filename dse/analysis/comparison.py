"""Differences between cells, or recipes, paired over replicates.

A replicate's split, order and augmentation are the same in all cells, so cells are
compared within replicates. Each pair has its own standard deviation: narrow networks
scatter several times as much as others, and a pooled one would make them look certain.

Comparisons that are reported together share `ERROR_RATE`: each end of an interval errs
in that rate over their number (Bonferroni). So with 95 % all lower ends hold, and with
95 % all upper ends. For a bound that was set beforehand only one of "above" and
"below" can be wrong, so all such statements are right together with 95 %. All ends
hold together with 90 %.
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
"""Probability of any wrong "above" or "below" among comparisons reported together."""


def error_of_each_end(comparisons: int) -> float:
    """Error rate of each end of an interval, if so many are reported together."""
    return ERROR_RATE / max(1, comparisons)


@dataclass(frozen=True)
class Difference:
    """Difference in accuracy between two subjects.

    Attributes:
        estimate: mean of the differences within blocks.
        deviation: their standard deviation.
        pairs: their number.
    """

    estimate: float
    deviation: float
    pairs: int

    def interval(self, error: float) -> tuple[float, float]:
        """The paired t-test's interval; each end errs in a share `error` of cases.

        d̄ ± t(1 - error; n - 1) · s / √n, cut at ±1, which no difference exceeds. NaN
        if it says nothing: both ends are cut, or all differences are equal, which can
        happen by chance with few test images.
        """
        quantile = float(stdtrit(self.pairs - 1, 1 - error))
        half = quantile * self.deviation / math.sqrt(self.pairs)
        low, high = self.estimate - half, self.estimate + half
        if self.are_equal or (low <= -1 and high >= 1):
            return math.nan, math.nan
        return max(low, -1.0), min(high, 1.0)

    @property
    def are_equal(self) -> bool:
        """True if all differences are the same except for rounding."""
        return bool(self.deviation < 1e-9)


@dataclass(frozen=True)
class Comparison:
    """Scores of subjects (rows) in blocks (columns), NaN where a run is missing.

    Attributes:
        subjects: names of what is compared, in the order of the rows.
        scores: accuracies.
    """

    subjects: tuple[str, ...]
    scores: Float[np.ndarray, "c b"]

    def difference(self, better: str, worse: str) -> Difference:
        """Compute `better` less `worse`, in the blocks that both completed.

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
    """Arrange the scores of completed runs by subject and block.

    Args:
        runs: the view `runs` of one study; an alias of a cell counts once.
        subject: column of what is compared.
        block: column of what subjects share.
        score: column of accuracies.

    Raises:
        DseError: fewer than two subjects have results, or no two share two blocks.
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
) -> Float[np.ndarray, " c"]:
    """Probability that each subject is on the front of mean accuracy against `cost`.

    A Bayesian bootstrap over replicates (Rubin 1981). All subjects have the same
    weights, so effects that replicates share cancel out. The weights give a mean only
    (n - 1)/(n + 1) of its variance s²/n. So draws are scaled to all of it, and to
    Student's t, since s is an estimate. A single replicate has no spread.

    Args:
        comparison: the study.
        cost: cost of each subject, in the order of `comparison.subjects`.
        draws: number of draws.
    """
    generator = np.random.default_rng(0)
    known = ~np.isnan(comparison.scores)
    scores = np.where(known, comparison.scores, 0.0)
    count = known.sum(axis=1)
    means = scores.sum(axis=1) / count
    weights = generator.exponential(size=(draws, scores.shape[1]))
    drawn = weights @ scores.T / (weights @ known.T)
    freedom = np.maximum(count - 1, 1)
    wider = np.sqrt((count + 1) / freedom)
    # One draw of s for all subjects: with different counts, at the same quantile.
    uniform = generator.random(draws)
    scale = np.sqrt(freedom / chdtri(freedom, uniform[:, None]))
    accuracies = means + (drawn - means) * wider * scale
    fronts = np.array([on_front(cost, accuracy) for accuracy in accuracies], float)
    chances: np.ndarray = fronts.mean(axis=0)
    return chances
