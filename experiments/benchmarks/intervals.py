"""How often an interval for the difference of two cells misses it: pooled or paired?

    python experiments/benchmarks/intervals.py

Cells of equal means are simulated, one of which may scatter more than the others, as
narrow networks do. A pooled deviation (of the additive model cell + replicate) makes
narrower intervals, which miss several times as often as they say where the cell that
scatters is one of the two; a paired t-test of the two alone keeps its word. A minute.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float
from scipy.special import stdtrit

LEVEL = 0.025
STUDIES = 20_000
Scores = Float[np.ndarray, "studies cells replicates"]


def pooled(scores: Scores) -> Float[np.ndarray, " studies"]:
    """Half widths for the first two cells, the residual pooled over all cells."""
    _, cells, replicates = scores.shape
    residual = (
        scores
        - scores.mean(2, keepdims=True)
        - scores.mean(1, keepdims=True)
        + scores.mean((1, 2), keepdims=True)
    )
    freedom = (cells - 1) * (replicates - 1)
    variance = (residual**2).sum((1, 2)) / freedom
    half: np.ndarray = stdtrit(freedom, 1 - LEVEL) * np.sqrt(2 * variance / replicates)
    return half


def paired(scores: Scores) -> Float[np.ndarray, " studies"]:
    """Half widths for the first two cells, by their own differences."""
    replicates = scores.shape[2]
    deviation = (scores[:, 0] - scores[:, 1]).std(axis=1, ddof=1)
    half: np.ndarray = stdtrit(replicates - 1, 1 - LEVEL) * deviation
    return half / np.sqrt(replicates)


def misses(
    half_widths: Callable[[Scores], np.ndarray], scores: Scores
) -> tuple[float, float]:
    """Share of intervals wholly above the true difference, and median half width."""
    half = half_widths(scores)
    difference = scores[:, 0].mean(axis=1) - scores[:, 1].mean(axis=1)
    return float((difference > half).mean()), float(np.median(half))


def main() -> None:
    """Print the shares, for several numbers of cells and replicates."""
    generator = np.random.default_rng(0)
    print(f"each end of an interval says that it errs in {LEVEL:.1%}")
    print("cells  replicates  first cell scatters  pooled          paired")
    for cells in (3, 5, 9):
        for replicates in (2, 3, 5):
            for scatter in (1, 3):
                deviations = np.ones((cells, 1))
                deviations[0] = scatter
                shape = STUDIES, cells, replicates
                scores = deviations * generator.normal(size=shape)
                told = [
                    f"{share:5.1%} (±{half:5.2f})"
                    for share, half in (misses(f, scores) for f in (pooled, paired))
                ]
                print(f"{cells:5}  {replicates:10}  {scatter:18}x  {'  '.join(told)}")


if __name__ == "__main__":
    main()
