"""Gaps: by hand, with fillers, and back."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dse.compress.gaps import gaps_of, positions_of


def test_gaps_by_hand():
    # 0, 4 and 34 zeros before; a filler of four bits stands for 15 of them.
    assert gaps_of(np.array([0, 5, 40]), 4).tolist() == [0, 4, 15, 15, 4]
    assert gaps_of(np.array([15, 31]), 4).tolist() == [15, 0, 15, 0]
    assert gaps_of(np.zeros(0, int), 4).tolist() == []


@given(st.sets(st.integers(0, 3000)), st.integers(2, 8))
def test_positions_come_back(places, bits):
    positions = np.array(sorted(places), np.int64)
    gaps = gaps_of(positions, bits)
    assert gaps.max(initial=0) < 2**bits
    assert positions_of(gaps, bits).tolist() == positions.tolist()
