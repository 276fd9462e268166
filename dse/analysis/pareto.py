"""The Pareto front of cost and accuracy."""

import numpy as np
from jaxtyping import Bool, Num


def on_front(
    cost: Num[np.ndarray, " n"], accuracy: Num[np.ndarray, " n"]
) -> Bool[np.ndarray, " n"]:
    """Mask of the points that no other point dominates.

    A point dominates another if it is no worse in both and better in one. Equal points
    are all on the front or all off it; a NaN accuracy is never on it.

    Args:
        cost: costs; lower is better.
        accuracy: accuracies; higher is better.
    """
    no_worse = (cost[:, None] <= cost) & (accuracy[:, None] >= accuracy)
    better = (cost[:, None] < cost) | (accuracy[:, None] > accuracy)
    dominated = (no_worse & better).any(axis=0)
    front: np.ndarray = ~dominated & ~np.isnan(accuracy)
    return front
