"""Positions of kept weights as gaps of few bits.

A gap counts the zeros before a kept weight. A gap of b bits may be up to 2^b - 2; the
largest number is a filler: 2^b - 1 zeros, and no weight after them. (In the published
network a filler is a stored weight of value zero; see `dse.compress.published`.)
"""

import numpy as np
from jaxtyping import Int64, UInt8

MOST_BITS = 8


def gaps_of(
    positions: Int64[np.ndarray, " kept"], bits: int
) -> UInt8[np.ndarray, " gaps"]:
    """Turn ascending positions into gaps of `bits` bits and fillers."""
    filler = 2**bits - 1
    zeros = np.diff(positions, prepend=-1) - 1
    fillers = zeros // filler
    gaps = np.full(len(positions) + int(fillers.sum()), filler, np.uint8)
    gaps[np.cumsum(fillers + 1) - 1] = zeros % filler
    return gaps


def positions_of(
    gaps: UInt8[np.ndarray, " gaps"], bits: int
) -> Int64[np.ndarray, " kept"]:
    """Turn gaps and fillers back into positions."""
    filler = 2**bits - 1
    is_filler = gaps == filler
    places = np.cumsum(gaps + ~is_filler, dtype=np.int64) - 1
    kept: Int64[np.ndarray, " kept"] = places[~is_filler]
    return kept
