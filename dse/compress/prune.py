"""Pruning by magnitude: which weights of an array are kept."""

import math

import numpy as np
from jaxtyping import Bool, Float32

from dse.errors import DseError

Weights = Float32[np.ndarray, "..."]


def largest(weights: Weights, density: float) -> Bool[np.ndarray, "..."]:
    """Mask of the share `density` of the weights whose magnitudes are the largest.

    So many are kept, rounded up; of equal magnitudes those that come first.

    Raises:
        DseError: no weight would be kept.
    """
    kept = math.ceil(density * weights.size)
    if not kept:
        raise DseError(
            f"a density of {density:g} keeps none of {weights.size:,} weights; "
            "expected more than 0"
        )
    order = np.argsort(-np.abs(weights.reshape(-1)), kind="stable")
    mask = np.zeros(weights.size, bool)
    mask[order[:kept]] = True
    return mask.reshape(weights.shape)


def above_deviation(weights: Weights, quality: float) -> Bool[np.ndarray, "..."]:
    """Mask of the weights beyond `quality` standard deviations of the array.

    Source: Han et al. 2015 (arXiv 1506.02626), section 3.1.

    Raises:
        DseError: no weight is.
    """
    mask = np.abs(weights) > quality * weights.std()
    if not mask.any():
        raise DseError(
            f"none of {weights.size:,} weights is more than {quality:g} standard "
            "deviations from 0, so none would be kept; expected a lower quality"
        )
    return np.asarray(mask)


def density_after(step: int, steps: int, density: float) -> float:
    """Density after `step` of `steps` prunings, from 1 to `density`.

    Most weights go first, when many are of no use: 1 - s is (1 - density) times
    1 - (1 - step / steps)^3 (Zhu and Gupta 2017, arXiv 1710.01878).
    """
    return density + (1 - density) * (1 - step / steps) ** 3
