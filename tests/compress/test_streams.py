"""Streams of small numbers: what comes back, what it costs, and damaged bytes."""

import math
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dse.compress.octets import Octets
from dse.compress.streams import decode_streams, entropy, read_stream, write_stream
from dse.errors import DseError


def back(written, count, bits):
    octets = Octets(written)
    stream = read_stream(octets, count, bits)
    octets.end()
    [numbers] = decode_streams([stream])
    return numbers


def test_entropy_by_hand():
    # Half, a quarter and two eighths: 1/2 + 2/4 + 2 * 3/8.
    assert entropy(np.array([0, 0, 0, 0, 1, 1, 2, 3], np.uint8)) == 1.75
    assert entropy(np.zeros(9, np.uint8)) == 0


@given(st.integers(1, 8), st.integers(0, 3000), st.floats(0.2, 20), st.booleans())
@settings(max_examples=80, deadline=None)
def test_what_was_written_is_read(bits, count, skew, huffman):
    shares = np.random.default_rng(count).random(count)
    numbers = (shares**skew * 2**bits).astype(np.uint8)
    written = write_stream(numbers, bits, huffman=huffman)
    assert back(written, count, bits).tolist() == numbers.tolist()
    # A plain stream is the most: a byte, and `bits` a number.
    assert len(written) <= 1 + math.ceil(count * bits / 8)


def test_plain_bits_by_hand():
    numbers = np.array([5, 1, 7], np.uint8)
    written = write_stream(numbers, 3, huffman=False)
    assert written == bytes([0, 0b10100111, 0b10000000])


@pytest.mark.parametrize(
    ("share", "most"),
    [(0.01, 1.5), (0.05, 1.1), (0.3, 1.02), (0.67, 1.01), (0.9, 1.01)],
)
def test_geometric_gaps_cost_little_more_than_their_entropy(share, most):
    """Also where a number carries much less than the one bit of a code."""
    numbers = np.random.default_rng(0).geometric(1 - share, 200_000) - 1
    numbers = np.minimum(numbers, 15).astype(np.uint8)
    size = len(write_stream(numbers, 4))
    assert size <= most * entropy(numbers) * len(numbers) / 8


def test_codes_cost_little_more_than_their_entropy():
    normal = np.random.default_rng(0).normal(128, 40, 200_000)
    numbers = np.clip(normal, 0, 255).astype(np.uint8)
    assert len(write_stream(numbers, 8)) <= 1.01 * entropy(numbers) * len(numbers) / 8


@given(st.binary(max_size=60), st.integers(0, 100), st.integers(1, 8))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_numbers_or_refused(content, count, bits):
    try:
        numbers = back(content, count, bits)
    except DseError:
        return
    assert len(numbers) == count
    assert (numbers < 2**bits).all()


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_a_changed_byte_gives_numbers_or_is_refused(data):
    numbers = np.minimum(np.random.default_rng(1).geometric(0.6, 2000), 15)
    written = bytearray(write_stream(numbers.astype(np.uint8), 4))
    at = data.draw(st.integers(0, len(written) - 1))
    written[at] ^= data.draw(st.integers(1, 255))
    try:
        found = back(bytes(written), 2000, 4)
    except DseError:
        return
    assert len(found) == 2000
    assert (found < 16).all()


def test_a_table_that_unpacks_to_more_than_it_says_is_refused():
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = packer.compress(bytes(10**7)) + packer.flush()
    written = struct.pack("<BHH", 1, 4, len(bomb)) + bomb
    with pytest.raises(DseError, match="a table has not the 8 bytes"):
        read_stream(Octets(written), 9, 4)
