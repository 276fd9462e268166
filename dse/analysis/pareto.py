"""The Pareto front: what nothing else beats in both size and accuracy."""

import numpy as np
from jaxtyping import Bool, Num


def on_front(
    cost: Num[np.ndarray, " n"], accuracy: Num[np.ndarray, " n"]
) -> Bool[np.ndarray, " n"]:
    """Which points no other dominates.

    A point dominates another when it is no worse in both and better in one. Equal
    points stand or fall together; a NaN accuracy is never on the front.

    Args:
        cost: to be small.
        accuracy: to be large.
    """
    no_worse = (cost[:, None] <= cost) & (accuracy[:, None] >= accuracy)
    better = (cost[:, None] < cost) | (accuracy[:, None] > accuracy)
    dominated = (no_worse & better).any(axis=0)
    front: np.ndarray = ~dominated & ~np.isnan(accuracy)
    return front
