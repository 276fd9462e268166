"""Simulated miss rates of confidence intervals, compared with their nominal rates.

    python experiments/benchmarks/intervals.py

1. Difference of two cells, pooled or paired. The cells have equal means, and one may
scatter more than the others, as narrow networks do. A pooled deviation (additive model
cell + replicate) gives narrower intervals. They miss several times as often as they
should if the cell that scatters is one of the two. A paired t-test of the two alone
keeps its rate.

2. Mean of a cell, by Student's interval as it is or on the logit scale (delta method).
Accuracies are drawn from beta distributions, which are skewed near 0 and 1. There
Student's interval reaches beyond the range and misses up to twice as often as it
should; cutting it off at the range changes no miss.

3. Replicates that would decide an undecided claim: the range that the uncertainty of
the estimate and its deviation allows. It nearly always goes from one more replicate to
hundreds, so `dse` gives no such number.

4. Two cells on few test images, whose replicates may all have the same difference: the
share of true claims that are called false, with and without such intervals of width 0.

Takes a minute.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float
from scipy.special import expit, logit, stdtrit

from dse.analysis.comparison import Difference

LEVEL = 0.025
STUDIES = 20_000
Scores = Float[np.ndarray, "studies cells replicates"]


def pooled(scores: Scores) -> Float[np.ndarray, " studies"]:
    """Half widths for the first two cells, with the residual of all cells pooled."""
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
    """Half widths for the first two cells, from their own differences."""
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


Intervals = tuple[Float[np.ndarray, " studies"], Float[np.ndarray, " studies"]]


def plain(shares: Float[np.ndarray, "studies replicates"]) -> Intervals:
    """Student's interval of each mean."""
    mean, half = shares.mean(axis=1), half_widths(shares)
    return mean - half, mean + half


def on_the_logit(shares: Float[np.ndarray, "studies replicates"]) -> Intervals:
    """Logit-scale intervals, as in `dse.analysis.statistics.mean_interval`."""
    mean = shares.mean(axis=1)
    half = half_widths(shares) / (mean * (1 - mean))
    return expit(logit(mean) - half), expit(logit(mean) + half)


def half_widths(
    values: Float[np.ndarray, "studies replicates"],
) -> Float[np.ndarray, " studies"]:
    """t(0.975; n - 1) · s / √n of each row."""
    count = values.shape[1]
    half: np.ndarray = stdtrit(count - 1, 1 - LEVEL) * values.std(axis=1, ddof=1)
    return half / np.sqrt(count)


def covered(
    intervals: Callable[[np.ndarray], Intervals], shares: np.ndarray, mean: float
) -> tuple[float, float]:
    """Share of intervals that contain the true mean, and their median width."""
    low, high = intervals(shares)
    return float(((low <= mean) & (mean <= high)).mean()), float(np.median(high - low))


def drawn_shares(
    generator: np.random.Generator, mean: float, deviation: float, replicates: int
) -> Float[np.ndarray, "studies replicates"]:
    """Draw accuracies from a beta distribution."""
    both = mean * (1 - mean) / deviation**2 - 1
    shape = STUDIES, replicates
    return generator.beta(mean * both, (1 - mean) * both, shape)


def needed_range(
    values: Float[np.ndarray, " replicates"], generator: np.random.Generator
) -> tuple[float, float]:
    """The 80 % range of the number of replicates that decides a claim.

    Means and deviations are drawn with the uncertainty of the values. Each pair gives
    the fewest replicates whose interval would separate that mean from 0.
    """
    count, draws = len(values), 2000
    scale = np.sqrt((count - 1) / generator.chisquare(count - 1, draws))
    deviation = values.std(ddof=1) * scale
    mean = values.mean() + deviation * generator.normal(size=draws) / np.sqrt(count)
    numbers = np.arange(count + 1, 10_000)
    parted = stdtrit(numbers - 1, 1 - LEVEL) / np.sqrt(numbers)  # falls
    places = np.searchsorted(-parted, -np.abs(mean) / deviation)
    low, high = np.quantile(numbers[np.minimum(places, len(numbers) - 1)], (0.1, 0.9))
    return float(low), float(high)


def print_differences(generator: np.random.Generator) -> None:
    """Print pooled and paired intervals for several numbers of cells and replicates."""
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


def print_means(generator: np.random.Generator) -> None:
    """Print how often either interval of a mean contains it, and its width."""
    print("\nmean  deviation  replicates  Student's      on the logit's scale")
    for mean, deviation in (
        (0.1, 0.03),
        (0.1, 0.08),
        (0.5, 0.02),
        (0.5, 0.2),
        (0.8, 0.01),
        (0.8, 0.1),
        (0.97, 0.003),
        (0.97, 0.02),
    ):
        for replicates in (2, 3, 5, 10):
            shares = drawn_shares(generator, mean, deviation, replicates)
            told = [
                f"{share:5.1%} ({width:.3f})"
                for share, width in (
                    covered(f, shares, mean) for f in (plain, on_the_logit)
                )
            ]
            print(f"{mean:4}  {deviation:9}  {replicates:10}  {'  '.join(told)}")


def print_forecasts(generator: np.random.Generator) -> None:
    """Print `needed_range` of undecided claims; true means are in deviations."""
    print("\nmean  replicates  undecided  replicates that would decide, 80 % range")
    for mean in (0.3, 0.6, 1.0):
        for replicates in (2, 3, 5, 10, 20):
            values = generator.normal(mean, 1, (2000, replicates))
            open_ones = values[np.abs(values.mean(axis=1)) < half_widths(values)]
            ranges = [needed_range(row, generator) for row in open_ones[:300]]
            low, high = np.median(ranges, axis=0)
            print(
                f"{mean:4}  {replicates:10}  {len(open_ones) / 2000:9.0%}  "
                f"{low:.0f} to {high:,.0f} (medians)"
            )


def called_false(
    differences: Float[np.ndarray, "studies replicates"], error: float
) -> tuple[float, float]:
    """Share of studies whose interval lies at 0 or below, by two methods.

    First by the plain t-test, then by `dse.analysis.comparison.Difference`, which has
    no interval if all differences are equal.
    """
    count = differences.shape[1]
    every = [(float(d.mean()), float(d.std(ddof=1))) for d in differences]
    quantile = stdtrit(count - 1, 1 - error) / np.sqrt(count)
    plain = np.mean([mean + quantile * spread <= 0 for mean, spread in every])
    told = [Difference(*found, count).interval(error)[1] for found in every]
    return float(plain), float(np.mean(np.array(told) <= 0))


def print_equal(generator: np.random.Generator) -> None:
    """Print how often claims that are true by a point are called false, at 5 %.

    Both networks see the same images; on one image in ten only one of them is right.
    """
    print("\nimages  replicates  called false  without equal differences")
    for images in (20, 60, 500, 2000):
        for replicates in (2, 3, 5):
            shape = STUDIES, replicates
            alone = generator.multinomial(images, (0.055, 0.045, 0.9), shape)
            told = called_false((alone[..., 0] - alone[..., 1]) / images, 0.05)
            shown = "  ".join(f"{share:12.1%}" for share in told)
            print(f"{images:6}  {replicates:10}  {shown}")


def main() -> None:
    """Print the four tables."""
    generator = np.random.default_rng(0)
    print_differences(generator)
    print_means(generator)
    print_forecasts(generator)
    print_equal(generator)


if __name__ == "__main__":
    main()
