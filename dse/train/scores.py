"""Compute metrics from sums over images, and compare accuracies with chance."""

import math

from dse.train.state import Totals


def means(totals: Totals, count: int) -> dict[str, float]:
    """Loss and accuracy over `count` images."""
    return {
        "loss": float(totals.loss) / count,
        "accuracy": float(totals.correct) / count,
    }


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
