"""Differences between cells, or recipes, paired over replicates."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.special import stdtrit

from dse.analysis.pareto import on_front
from dse.errors import DseError

MOST_REPLICATES = 1000


@dataclass(frozen=True)
class Difference:
    """How much more accurate one cell is than another.

    Attributes:
        estimate: the difference of the two means.
        error: its standard error.
        freedom: degrees of freedom of the error.
    """

    estimate: float
    error: float
    freedom: int

    def interval(self, level: float) -> tuple[float, float]:
        """The interval each of whose ends errs with probability `level`."""
        half = float(stdtrit(self.freedom, 1 - level)) * self.error
        return self.estimate - half, self.estimate + half


@dataclass(frozen=True)
class Comparison:
    """An additive model of a study: accuracy = subject + block + residual.

    Subjects are cells, and blocks replicates: the split, the order and the augmentation
    of a replicate are the same in all cells, and what they move is no part of a
    difference. The residual's deviation is pooled over the subjects.

    Attributes:
        subjects: what is compared, in the order of `means`.
        means: each subject's mean accuracy, were all blocks complete.
        unscaled: covariance of `means` over the residual's variance, less a constant
            that all subjects share.
        deviation: of the residual.
        freedom: its degrees of freedom.
        replicates: that were tried of each subject.
    """

    subjects: tuple[str, ...]
    means: Float[np.ndarray, " c"]
    unscaled: Float[np.ndarray, "c c"]
    deviation: float
    freedom: int
    replicates: int

    def difference(self, better: str, worse: str) -> Difference:
        """How much `better` exceeds `worse`."""
        contrast = np.zeros(len(self.subjects))
        contrast[self.subjects.index(better)] += 1
        contrast[self.subjects.index(worse)] -= 1
        variance = float(contrast @ self.unscaled @ contrast)
        error = self.deviation * math.sqrt(variance)
        return Difference(float(contrast @ self.means), error, self.freedom)

    def replicates_needed(
        self, difference: Difference, bound: float, level: float
    ) -> int | None:
        """Replicates a cell for `difference` to part from `bound` at `level`.

        It takes the estimate and the deviation as they are now; None where more than
        `MOST_REPLICATES` would be needed.
        """
        distance = abs(difference.estimate - bound)
        counts = np.arange(self.replicates + 1, MOST_REPLICATES + 1)
        freedom = (len(self.subjects) - 1) * (counts - 1)
        errors = self.deviation * np.sqrt(2 / counts)
        enough = np.flatnonzero(stdtrit(freedom, 1 - level) * errors < distance)
        return int(counts[enough[0]]) if len(enough) else None


def compare(
    runs: pd.DataFrame,
    subject: str = "cell_id",
    block: str = "replicate",
    score: str = "test_accuracy",
) -> Comparison:
    """Fit the model to completed runs.

    Args:
        runs: the view `runs` of one study; an alias of a cell counts once.
        subject: the column of what is compared.
        block: the column of what subjects share.
        score: the column of accuracies.

    Raises:
        DseError: no subject has a second replicate, subjects share no block, or there
            is one only.
    """
    done = runs[runs["status"] == "complete"].drop_duplicates([subject, block])
    subjects, row_subject = np.unique(done[subject].to_numpy(str), return_inverse=True)
    blocks, row_block = np.unique(done[block].to_numpy(), return_inverse=True)
    count = len(subjects)
    if count < 2:
        raise DseError(f"there is {count} cell with results; expected 2 or more")
    design = np.zeros((len(done), count + len(blocks) - 1))
    design[np.arange(len(done)), row_subject] = 1
    # The last block is the one that the others are told against.
    inner = row_block < len(blocks) - 1
    design[np.flatnonzero(inner), count + row_block[inner]] = 1
    accuracy = done[score].to_numpy(float)
    inverse = np.linalg.pinv(design.T @ design)
    coefficients = inverse @ design.T @ accuracy
    freedom = len(done) - design.shape[1]
    tried = int(runs["replicate"].max()) + 1
    few = ""
    if tried == 1:
        few = "each cell has one replicate"
    elif freedom < 1 or np.linalg.matrix_rank(design) < design.shape[1]:
        few = "too few replicates are complete in more than one cell"
    if few:
        raise DseError(
            f"{few}, so no interval exists; repeat the sweep with --seeds {tried + 1} "
            "or more"
        )
    residuals = accuracy - design @ coefficients
    shift = coefficients[count:].sum() / len(blocks)
    return Comparison(
        tuple(subjects.tolist()),
        coefficients[:count] + shift,
        inverse[:count, :count],
        math.sqrt(float(residuals @ residuals) / freedom),
        freedom,
        tried,
    )


def front_probability(
    comparison: Comparison,
    cost: Float[np.ndarray, " c"],
    draws: int = 4000,
    seed: int = 0,
) -> Float[np.ndarray, " c"]:
    """How likely each cell is on the Pareto front of mean accuracy against `cost`.

    Means are drawn from their joint Student's t distribution (a flat prior's
    posterior); what replicates share moves all cells alike and decides nothing.

    Args:
        comparison: the study.
        cost: of each cell, in the order of `comparison.subjects`; to be small.
        draws: how many.
        seed: of the draws.
    """
    generator = np.random.default_rng(seed)
    normal = generator.multivariate_normal(
        np.zeros(len(cost)), comparison.unscaled, draws, method="eigh"
    )
    freedom = comparison.freedom
    scale = np.sqrt(freedom / generator.chisquare(freedom, draws))
    drawn = comparison.means + comparison.deviation * scale[:, None] * normal
    fronts = np.array([on_front(cost, accuracy) for accuracy in drawn], float)
    chances: np.ndarray = fronts.mean(axis=0)
    return chances
