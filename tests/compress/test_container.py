"""The file of a compressed network: what comes back, and every kind of damage."""

import random
import struct

import numpy as np
import pytest

from dse.compress import container
from dse.compress.container import Coding, read_network, write_network
from dse.compress.tensors import Dense, Factors, Linear, Shared, Sparse
from dse.errors import DseError

DRAWN = np.random.default_rng(0)


def floats(*shape):
    return DRAWN.standard_normal(shape).astype(np.float32)


def places(size, kept):
    return np.sort(DRAWN.choice(size, kept, replace=False))


TENSORS = {
    "conv1": {
        "kernel": Sparse((3, 3, 3, 8), places(216, 70), floats(70)),
        "bias": Dense(floats(8)),
    },
    "fire2/expand3x3": {
        "kernel": Shared(
            (3, 3, 8, 16),
            places(1152, 400),
            DRAWN.integers(0, 32, 400).astype(np.uint8),
            floats(32),
        ),
        "bias": Dense(floats(16)),
    },
    "conv10": {
        "kernel": Linear(
            (1, 1, 16, 4),
            places(64, 50),
            DRAWN.integers(0, 256, 50, np.uint8),
            -1.5,
            0.01,
        ),
        "bias": Dense(floats(4)),
    },
    "fc": {"kernel": Factors((2, 2, 4, 5), floats(16, 3), floats(3, 5))},
    "whole": {
        "kernel": Shared((1, 1, 4, 4), np.arange(16), np.zeros(16, np.uint8), floats(1))
    },
}
SHAPES = {
    layer: {name: tensor.shape for name, tensor in arrays.items()}
    for layer, arrays in TENSORS.items()
}
FILE = write_network(TENSORS)


def resealed(content):
    """The file with a checksum that fits its content."""
    body = bytes(content[: -container.DIGEST])
    return body + container._digest(body)


@pytest.mark.parametrize(
    "coding",
    [
        Coding(bits, codes, gaps)
        for bits in (2, 4, 8)
        for codes in (False, True)
        for gaps in (False, True)
    ],
)
def test_what_was_written_is_read(coding):
    read = read_network(write_network(TENSORS, coding), SHAPES)
    assert list(read) == list(TENSORS)
    for layer, arrays in TENSORS.items():
        assert list(read[layer]) == list(arrays)
        for name, tensor in arrays.items():
            found = read[layer][name]
            assert type(found) is type(tensor)
            assert found.array().dtype == np.float32
            np.testing.assert_array_equal(found.array(), tensor.array())


def test_bytes_by_hand():
    bias = np.array([1.0, -2.0], np.float32)
    content = write_network({"a": {"bias": Dense(bias)}})
    tensor = struct.pack("<H6sBBI2f", 6, b"a/bias", 1, 1, 2, 1.0, -2.0)
    head = b"\x89dse.net" + struct.pack("<HI", 1, 1)
    assert content[:-16] == head + tensor


def test_a_thousand_flipped_bits_are_refused():
    drawn = random.Random(16)
    for _ in range(1000):
        content = bytearray(FILE)
        content[drawn.randrange(len(content))] ^= 1 << drawn.randrange(8)
        with pytest.raises(DseError):
            read_network(bytes(content), SHAPES)


def test_bytes_changed_under_a_fitting_checksum_give_a_network_or_are_refused():
    """As a stranger may send them: no other error, no endless loop, no other shape."""
    drawn, refused = random.Random(17), 0
    for _ in range(1500):
        content = bytearray(FILE)
        for _ in range(drawn.randrange(1, 4)):
            content[drawn.randrange(len(content))] = drawn.randrange(256)
        try:
            read = read_network(resealed(content), SHAPES)
            for layer, arrays in read.items():
                for name, tensor in arrays.items():
                    assert tensor.array().shape == SHAPES[layer][name]
        except DseError:
            refused += 1
    assert 200 < refused < 1500


def test_cut_files_are_refused():
    for size in range(0, len(FILE), 3):
        with pytest.raises(DseError):
            read_network(FILE[:size], SHAPES)
        if size > container.DIGEST + 7:
            with pytest.raises(DseError):
                read_network(resealed(FILE[:size]), SHAPES)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "does not begin as a compressed network does"),
        (b"PK\x03\x04" + FILE, "does not begin as a compressed network does"),
        (
            FILE[:8] + b"\x02" + FILE[9:],
            "has version 2 of the format; this dse reads 1",
        ),
        (FILE + b"x", "its checksum does not fit: it is cut or damaged"),
        (resealed(FILE[:-16] + b"x" + FILE[-16:]), "1 bytes are left after the last"),
    ],
)
def test_what_is_no_such_file_is_named(content, said):
    with pytest.raises(DseError, match=said):
        read_network(content, SHAPES)


def test_another_network_is_refused():
    with pytest.raises(DseError, match="it has 8 tensors; the network has 2"):
        read_network(FILE, {"conv1": SHAPES["conv1"]})
    other = {**SHAPES, "conv1": {"kernel": (3, 3, 3, 9), "bias": (8,)}}
    with pytest.raises(
        DseError, match=r"of \(3, 3, 3, 8\); the network has \(3, 3, 3, 9"
    ):
        read_network(FILE, other)


@pytest.mark.parametrize(
    ("form", "said"),
    [
        (lambda: Sparse((2, 2), np.array([0, 4]), floats(2)), "from 0 to 3, where an"),
        (lambda: Sparse((2, 2), np.array([-1, 2]), floats(2)), "from 0 to 3, where an"),
        (lambda: Sparse((2, 2), np.array([2, 2]), floats(2)), "are not ascending"),
        (
            lambda: Shared((4,), np.arange(4), np.full(4, 2, np.uint8), floats(2)),
            "a weight has the code 2; the codebook has 2 values",
        ),
    ],
)
def test_tensors_that_do_not_fit_are_refused(form, said):
    with pytest.raises(DseError, match=said):
        form()


def test_a_code_beyond_the_codebook_is_refused():
    """Three values need two bits, which can say 3."""
    codes = np.array([0, 1, 2, 1], np.uint8)
    tensor = Shared((1, 4), np.arange(4), codes, floats(3))
    content = bytearray(write_network({"a": {"kernel": tensor}}, Coding(codes=False)))
    assert content[-17] == 0b00011001
    content[-17] = 0b00111001
    with pytest.raises(DseError, match="a weight has the code 3; the codebook has 3"):
        read_network(resealed(content), {"a": {"kernel": (1, 4)}})


def test_positions_beyond_the_kernel_are_refused():
    tensor = Sparse((1, 4), np.array([0, 3]), floats(2))
    content = bytearray(write_network({"a": {"kernel": tensor}}, Coding(gaps=False)))
    gaps = content.index(bytes([0b00000010]), len(content) - 26)
    content[gaps] = 0b00000011
    with pytest.raises(DseError, match="not ascending from 0 to 3"):
        read_network(resealed(content), {"a": {"kernel": (1, 4)}})


def test_weights_that_are_no_numbers_are_refused():
    content = write_network({"a": {"bias": Dense(np.array([np.inf], np.float32))}})
    with pytest.raises(DseError, match="a weight is no finite number"):
        read_network(content, {"a": {"bias": (1,)}})


@pytest.mark.parametrize("bits", [1, 9])
def test_gap_bits_that_cannot_be_are_refused(bits):
    with pytest.raises(DseError, match="gap_bits is"):
        Coding(bits)
