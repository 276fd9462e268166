"""Compute metrics from sums over images, and compare accuracies with chance."""

import math

import numpy as np
from jaxtyping import Int

from dse.train.state import Scores, Totals

MOST_WITHOUT_TOP5 = 10
"""Most classes without a top-5 accuracy: of so few, five are hardly ever wrong."""

EvaluationRows = Int[np.ndarray, "_ batch"]
"""Positions of images in batches; -1 fills up a batch."""


def evaluation_batches(
    positions: Int[np.ndarray, " n"], batch_size: int
) -> EvaluationRows:
    """Cut `positions` into rows of `batch_size`; -1 fills up the last one."""
    rows = -(-len(positions) // batch_size)
    filled = np.full(rows * batch_size, -1, np.int32)
    filled[: len(positions)] = positions
    return filled.reshape(rows, batch_size)


def means(totals: Totals, count: int) -> dict[str, float]:
    """Loss and accuracy over `count` images that were trained on."""
    return {
        "loss": float(totals.loss) / count,
        "accuracy": float(totals.correct) / count,
    }


def reports_top5(classes: int) -> bool:
    """Check whether evaluations of so many classes have a top-5 accuracy."""
    return classes > MOST_WITHOUT_TOP5


def evaluated(scores: Scores, count: int, classes: int) -> dict[str, float]:
    """Loss, top-1 and, of many classes, top-5 accuracy over `count` images.

    Without images they are NaN.
    """
    named = {"loss": scores.loss, "accuracy": scores.correct}
    if reports_top5(classes):
        named["top5_accuracy"] = scores.correct5
    return {
        name: float(total) / count if count else math.nan
        for name, total in named.items()
    }


def commonest_share(labels: Int[np.ndarray, " n"]) -> float:
    """Share of the commonest label: the accuracy of guessing it always."""
    return float(np.bincount(labels).max() / len(labels))


def chance_level(chance: float, seen: int) -> float:
    """Accuracy over `seen` images that guessing exceeds with probability 0.001."""
    return chance + 3.09 * math.sqrt(chance * (1 - chance) / seen)


def untrained(accuracy: float, chance: float, seen: int) -> str:
    """Reason to reject a run with this train accuracy; empty if it is above chance."""
    if accuracy > chance_level(chance, seen):
        return ""
    return (
        f"train accuracy {accuracy:.4f} in the last epoch is no better than "
        f"chance, {chance:.4f}, which over {seen:,} images comes to "
        f"{chance_level(chance, seen):.4f} now and then"
    )
