"""The authors' file: a small one by hand, and the published one."""

import os
import struct
from pathlib import Path

import numpy as np
import pytest

from dse.compress.container import Coding, read_network, write_network
from dse.compress.published import read_published, write_published
from dse.errors import DseError
from dse.families.squeezenet import SqueezeNet

CODEBOOK = np.linspace(-1, 1, 256).astype("<f4")
CODEBOOK[0] = 0
# A 1x2 kernel over three channels and a 1x1 kernel over two: 12 and 40 weights.
KERNELS = {"first": (1, 2, 3, 2), "second": (1, 1, 2, 20)}
FILE = b"".join(
    [
        struct.pack("<2I", 3, 3),
        CODEBOOK.tobytes() + np.array([0.5, 0.25], "<f4").tobytes(),
        bytes([7, 8, 9]) + bytes([0x10, 0x03]),  # at 0, 2 and 6
        CODEBOOK.tobytes() + np.zeros(20, "<f4").tobytes(),
        bytes([0, 0, 5]) + bytes([0xFF, 0x01]),  # two fillers, and at 33
    ]
)
PLACE = os.environ.get("DSE_TEST_DATA", "")
PUBLISHED = Path(PLACE) / "compressed_SqueezeNet.net"


def test_a_file_by_hand():
    tensors = read_published(FILE, KERNELS)
    first, second = (tensors[name]["kernel"].array() for name in KERNELS)
    # Flattened as outputs x inputs x rows x columns: 6 of each output, 2 an input.
    expected = np.zeros((1, 2, 3, 2), np.float32)
    expected[0, 0, 2, 0] = CODEBOOK[7]  # 0: blue, which this project has last
    expected[0, 0, 1, 0] = CODEBOOK[8]  # 2: green
    expected[0, 0, 2, 1] = CODEBOOK[9]  # 6: blue of the other output
    np.testing.assert_array_equal(first, expected)
    expected = np.zeros((1, 1, 2, 20), np.float32)
    expected[0, 0, 1, 16] = CODEBOOK[5]  # 33: the second input of output 16
    np.testing.assert_array_equal(second, expected)
    assert tensors["first"]["bias"].array().tolist() == [0.5, 0.25]
    assert write_published(tensors, KERNELS) == FILE


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the next 8 bytes are not there; 0 are left"),
        (FILE[:-1], "the next 2 bytes are not there; 1 are left"),
        (FILE + b"x", "1 bytes are left"),
        (struct.pack("<2I", 13, 3) + FILE[8:], "first has 13 of 12 weights"),
        (FILE[:-1] + b"\x0f", "lies beyond the kernel"),
        (FILE[:-1] + b"\x11", "holds bytes that are no part of the network"),
        (FILE[:12] + b"\0\0\xc0\x7f" + FILE[16:], "of first is no finite number"),
    ],
)
def test_a_file_that_is_none_is_refused(content, said):
    with pytest.raises(DseError, match=said):
        read_published(content, KERNELS)


def test_a_network_of_another_form_is_not_written():
    tensors = read_published(FILE, KERNELS)
    shared = tensors["first"]["kernel"]
    for codebook, said in (
        (shared.codebook[:16], "first has no codebook of 256 values"),
        (CODEBOOK + 3, "no value of first's codebook is 0"),
    ):
        changed = type(shared)(shared.shape, shared.positions, shared.codes, codebook)
        own = {**tensors, "first": {**tensors["first"], "kernel": changed}}
        with pytest.raises(DseError, match=said):
            write_published(own, KERNELS)


@pytest.mark.skipif(not PUBLISHED.is_file(), reason="DSE_TEST_DATA has no such file")
def test_the_published_network():
    content = PUBLISHED.read_bytes()
    assert len(content) == 675_763
    architecture = SqueezeNet().architecture((227, 227, 3), 1000)
    kernels = {name: x["kernel"].shape for name, x in architecture.parameters.items()}
    tensors = read_published(content, kernels)
    arrays = [x["kernel"].array() for x in tensors.values()]
    assert sum(np.count_nonzero(array) for array in arrays) == 415_921
    # One weight after another, as the layout says; nothing of the reader is used.
    at, stored = 104, struct.unpack("<26I", content[:104])
    for index, (array, number) in enumerate(zip(arrays, stored, strict=True)):
        outputs = array.shape[-1]
        codebook = struct.unpack("<256f", content[at : at + 1024])
        codes = content[at + 1024 + 4 * outputs :][:number]
        gaps = content[at + 1024 + 4 * outputs + number :][: (number + 1) // 2]
        flat, place = [0.0] * array.size, -1
        for entry, code in enumerate(codes):
            place += (gaps[entry // 2] >> 4 * (entry % 2) & 15) + 1
            flat[place] = codebook[code]
        caffe = (array[:, :, ::-1] if index == 0 else array).transpose(3, 2, 0, 1)
        assert caffe.reshape(-1).tolist() == flat
        at += 1024 + 4 * outputs + number + (number + 1) // 2
    assert at == len(content)
    assert write_published(tensors, kernels) == content
    # Recoded here: every weight the same, in fewer bytes.
    shapes = {
        layer: {name: tensor.shape for name, tensor in of_layer.items()}
        for layer, of_layer in tensors.items()
    }
    for coding in (Coding(codes=False, gaps=False), Coding()):
        recoded = write_network(tensors, coding)
        assert len(recoded) < len(content)
        for layer, of_layer in read_network(recoded, shapes).items():
            np.testing.assert_array_equal(
                of_layer["kernel"].array(), tensors[layer]["kernel"].array()
            )
