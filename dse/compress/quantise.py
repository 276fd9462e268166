"""Codebooks: the few values that an array's weights share."""

from typing import Literal

import numpy as np
from jaxtyping import Float32, Float64, UInt8

Start = Literal["linear", "density", "random"]
"""Of the first codebook: equal steps from the least to the largest weight, quantiles of
the weights, or weights drawn at random (Deep Compression, section 3.2)."""

Values = Float32[np.ndarray, " values"]
Kept = Float32[np.ndarray, " kept"]
MOST_ROUNDS = 1000


def cluster(weights: Kept, values: int, start: Start, seed: int = 0) -> Values:
    """Find a codebook of at most so many values by k-means in one dimension.

    Each round, a value becomes the mean of the weights nearest to it; it ends when no
    weight changes its value. A value that no weight is nearest to stays.

    Args:
        weights: the kept weights of an array, one or more.
        values: size of the codebook.
        start: the first codebook.
        seed: of a random start.
    """
    sorted_weights = np.sort(weights).astype(np.float64)
    sums = np.concatenate([[0.0], np.cumsum(sorted_weights)])
    centres = _first(sorted_weights, values, start, seed)
    bounds = np.zeros(0, np.int64)
    for _ in range(MOST_ROUNDS):
        middles = (centres[1:] + centres[:-1]) / 2
        inner = np.searchsorted(sorted_weights, middles)
        found = np.concatenate([[0], inner, [len(weights)]])
        if np.array_equal(found, bounds):
            break
        bounds = found
        members = np.diff(bounds)
        means = np.diff(sums[bounds]) / np.maximum(members, 1)
        centres = np.sort(np.where(members > 0, means, centres))
    return centres.astype(np.float32)


def nearest(weights: Kept, codebook: Values) -> UInt8[np.ndarray, " kept"]:
    """Place of the nearest value of an ascending codebook, of each weight."""
    middles = (codebook[1:].astype(np.float64) + codebook[:-1]) / 2
    codes = np.searchsorted(middles, weights.astype(np.float64))
    return np.asarray(codes, np.uint8)


def on_grid(weights: Kept) -> tuple[UInt8[np.ndarray, " kept"], float, float]:
    """Plain linear quantisation to 8 bits: 256 equal steps over the weights' range.

    Returns:
        The place of each weight in the grid, the weight of place 0, and the step.
    """
    lowest, highest = float(weights.min()), float(weights.max())
    step = float(np.float32((highest - lowest) / 255)) or 1.0
    codes = np.rint((weights.astype(np.float64) - lowest) / step)
    return np.clip(codes, 0, 255).astype(np.uint8), lowest, step


def _first(
    sorted_weights: Float64[np.ndarray, " kept"], values: int, start: Start, seed: int
) -> Float64[np.ndarray, " values"]:
    values = min(values, len(sorted_weights))
    if start == "linear":
        return np.linspace(sorted_weights[0], sorted_weights[-1], values)
    if start == "density":
        shares = (np.arange(values) + 0.5) / values
        return np.asarray(np.quantile(sorted_weights, shares))
    drawn = np.random.default_rng(seed).choice(sorted_weights, values, replace=False)
    return np.sort(drawn)
