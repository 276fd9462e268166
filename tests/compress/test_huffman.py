"""Huffman codes: best lengths, bits by hand, blocks, and bytes of any kind."""

import heapq
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dse.compress.huffman import BLOCK, LONGEST, Coded, code_lengths, decode, encode
from dse.errors import DseError


def coded(symbols):
    """Symbols of which each up to the largest occurs, and their code."""
    symbols = np.array(symbols)
    return encode(symbols, code_lengths(np.bincount(symbols)))


def cost_of_huffman(counts):
    """Bits of Huffman's own code: the sum of all merged weights."""
    heap, cost = list(counts), 0
    heapq.heapify(heap)
    while len(heap) > 1:
        merged = heapq.heappop(heap) + heapq.heappop(heap)
        cost += merged
        heapq.heappush(heap, merged)
    return cost


def test_lengths_by_hand():
    assert code_lengths(np.array([4, 1, 2, 1])).tolist() == [1, 3, 2, 3]
    assert code_lengths(np.array([7])).tolist() == [0]
    assert code_lengths(np.array([1, 1000])).tolist() == [1, 1]


@given(st.lists(st.integers(1, 1000), min_size=2, max_size=300))
def test_lengths_cost_as_few_bits_as_huffman_s(counts):
    lengths = code_lengths(np.array(counts))
    assert (2.0 ** -lengths.astype(float)).sum() == 1
    # Counts within 1 to 1000 need no code that is longer than the limit here.
    assert lengths @ np.array(counts) == cost_of_huffman(counts)


@given(st.lists(st.integers(1, 50), min_size=3, max_size=6), st.integers(3, 4))
def test_limited_lengths_are_the_best_there_are(counts, longest):
    found = code_lengths(np.array(counts), longest)
    best = min(
        sum(length * count for length, count in zip(lengths, counts, strict=True))
        for lengths in product(range(1, longest + 1), repeat=len(counts))
        if sum(2.0**-length for length in lengths) <= 1
    )
    assert found.max() <= longest
    assert int(found @ np.array(counts)) == best


def test_no_code_is_longer_than_the_limit():
    fibonacci = [1, 1]
    while len(fibonacci) < 40:
        fibonacci.append(sum(fibonacci[-2:]))
    lengths = code_lengths(np.array(fibonacci))
    assert lengths.max() == LONGEST
    assert (2.0 ** -lengths.astype(float)).sum() == 1


def test_the_bits_by_hand():
    # Codes by length, then by symbol: 0, 10, 110, 111.
    lengths = np.array([1, 2, 3, 3], np.uint8)
    stream = encode(np.array([0, 1, 2, 3]), lengths)
    assert stream.payload == bytes([0b01011011, 0b10000000])
    assert stream.blocks.tolist() == [2]
    [symbols] = decode([stream])
    assert symbols.tolist() == [0, 1, 2, 3]


def test_one_symbol_takes_no_bits():
    stream = coded([0] * 5000)
    assert stream.payload == b""
    [symbols] = decode([stream])
    assert symbols.tolist() == [0] * 5000


@given(
    st.lists(
        st.tuples(
            st.sampled_from([1, 2, 63, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 5000]),
            st.integers(1, 300),
            st.floats(0.3, 3),
        ),
        min_size=1,
        max_size=4,
    ),
    st.integers(0, 2**32 - 1),
)
@settings(max_examples=60, deadline=None)
def test_streams_are_decoded_together(kinds, seed):
    generator = np.random.default_rng(seed)
    streams = []
    for count, most, skew in kinds:
        drawn = (most * generator.random(count) ** skew).astype(int)
        streams.append(np.unique(drawn, return_inverse=True)[1])
    decoded = decode([coded(symbols) for symbols in streams])
    for symbols, found in zip(streams, decoded, strict=True):
        assert found.tolist() == symbols.tolist()


@given(st.binary(min_size=3, max_size=40), st.integers(1, 300))
def test_any_bytes_are_symbols_or_refused(payload, count):
    lengths = np.array([1, 2, 3, 4, 4], np.uint8)
    stream = Coded(count, lengths, np.array([len(payload)], np.uint16), payload)
    try:
        [symbols] = decode([stream])
    except DseError as error:
        assert "do not end where the block does" in str(error)
    else:
        assert len(symbols) == count
        assert symbols.max() < len(lengths)


@pytest.mark.parametrize(
    ("count", "lengths", "blocks", "size", "said"),
    [
        (0, [1, 1], [0], 0, "has 0 symbols"),
        (1, [], [], 0, "0 different ones"),
        (1, [1] * 5000, [], 0, "5000 different ones; expected 1 or more, and at most"),
        (9, [1], [2], 2, "a stream of one symbol has codes"),
        (9, [0, 1], [2], 2, "has no bits, or more than 14"),
        (9, [1, 15], [2], 2, "has no bits, or more than 14"),
        (9, [1, 2], [2], 2, "not those of a whole tree"),
        (9, [1, 1, 1], [2], 2, "not those of a whole tree"),
        (BLOCK + 1, [1, 1], [2], 2, "2049 symbols are in 1 blocks"),
        (9, [1, 1], [3], 2, "have 2 bytes; expected 3"),
    ],
)
def test_what_is_no_stream_is_refused(count, lengths, blocks, size, said):
    lengths, blocks = np.array(lengths, np.uint8), np.array(blocks, np.uint16)
    with pytest.raises(DseError, match=said):
        Coded(count, lengths, blocks, bytes(size))
