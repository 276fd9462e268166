"""The form in which the authors published a compressed SqueezeNet.

Source: github.com/songhan/SqueezeNet-Deep-Compression. It is pruned and has codebooks
of 8 bits and gaps of 4 bits, without Huffman codes.

Little endian, layers in the network's order: the number of stored weights of each
layer (4 bytes each); then for each layer 256 values of the codebook and the biases, as
32-bit floats, the codes, a byte each, and the gaps, two in a byte, the first one in the
low half. Kernels are flattened as outputs x inputs x rows x columns. A gap counts the
places since the last stored weight; 15 with a value of 0 is a filler, which bridges 16.
The first layer reads blue, green, red; `read_published` gives kernels that read red,
green, blue, as all of this project does.
"""

import struct
from collections.abc import Mapping
from math import prod

import numpy as np
from jaxtyping import Int64, UInt8

from dse.compress.octets import Octets
from dse.compress.tensors import Dense, Shared, Tensor, Tensors
from dse.errors import DseError

CODEBOOK = 256
FILLER = 15
Kernels = Mapping[str, tuple[int, ...]]
"""Shape of each layer's kernel (rows, columns, inputs, outputs), in order."""


def read_published(content: bytes, kernels: Kernels) -> dict[str, dict[str, Tensor]]:
    """Read such a file, every byte of it.

    Raises:
        DseError: it is none, is damaged, or `write_published` would write another.
    """
    octets = Octets(content)
    stored = octets.numbers(f"{len(kernels)}I")
    tensors: dict[str, dict[str, Tensor]] = {}
    for index, ((layer, shape), number) in enumerate(
        zip(kernels.items(), stored, strict=True)
    ):
        if number > prod(shape):
            raise DseError(f"{layer} has {number:,} of {prod(shape):,} weights")
        codebook = np.frombuffer(octets.take(4 * CODEBOOK), "<f4")
        bias = np.frombuffer(octets.take(4 * shape[-1]), "<f4")
        if not (np.isfinite(codebook).all() and np.isfinite(bias).all()):
            raise DseError(f"a weight of {layer} is no finite number")
        codes = np.frombuffer(octets.take(number), np.uint8)
        pairs = np.frombuffer(octets.take((number + 1) // 2), np.uint8)
        gaps = np.stack([pairs & 15, pairs >> 4], 1).reshape(-1)[:number]
        ends = np.cumsum(gaps.astype(np.int64) + 1)
        if number and ends[-1] > prod(shape):
            raise DseError(f"a weight of {layer} lies beyond the kernel")
        kept = ~((gaps == FILLER) & (codebook[codes] == 0))
        tensor = _reordered(
            shape, ends[kept] - 1, codes[kept], codebook, turned=index == 0
        )
        tensors[layer] = {"kernel": tensor, "bias": Dense(bias)}
    octets.end()
    if write_published(tensors, kernels) != content:
        raise DseError("it holds bytes that are no part of the network")
    return tensors


def write_published(tensors: Tensors, kernels: Kernels) -> bytes:
    """Write such a file.

    Raises:
        DseError: a kernel has no codebook of 256 values, or none of them is 0.
    """
    stored, body = [], []
    for index, layer in enumerate(kernels):
        kernel, bias = tensors[layer]["kernel"], tensors[layer]["bias"]
        if not isinstance(kernel, Shared) or len(kernel.codebook) != CODEBOOK:
            raise DseError(f"{layer} has no codebook of {CODEBOOK} values")
        zeros = np.flatnonzero(kernel.codebook == 0)
        if not len(zeros):
            raise DseError(f"no value of {layer}'s codebook is 0, as a filler's is")
        positions, kept_codes = _flattened(kernel, turned=index == 0)
        places = np.diff(positions, prepend=-1) - 1
        fillers = places // (FILLER + 1)
        at = np.cumsum(fillers + 1) - 1
        gaps = np.full(len(positions) + int(fillers.sum()), FILLER, np.uint8)
        codes = np.full(len(gaps), zeros[0], np.uint8)
        gaps[at], codes[at] = places % (FILLER + 1), kept_codes
        halves = np.zeros(len(gaps) + len(gaps) % 2, np.uint8)
        halves[: len(gaps)] = gaps
        stored.append(len(gaps))
        body += [
            kernel.codebook.astype("<f4").tobytes(),
            bias.array().astype("<f4").tobytes(),
            codes.tobytes(),
            (halves[::2] | halves[1::2] << 4).tobytes(),
        ]
    return b"".join([struct.pack(f"<{len(stored)}I", *stored), *body])


def _reordered(
    shape: tuple[int, ...],
    positions: Int64[np.ndarray, " kept"],
    codes: UInt8[np.ndarray, " kept"],
    codebook: np.ndarray,
    *,
    turned: bool,
) -> Shared:
    """A kernel in this project's order of axes, and of channels if `turned`."""
    rows, columns, inputs, outputs = shape
    places = np.full(prod(shape), -1, np.int16)
    places[positions] = codes
    kernel = places.reshape(outputs, inputs, rows, columns).transpose(2, 3, 1, 0)
    flat = (kernel[:, :, ::-1] if turned else kernel).reshape(-1)
    kept = np.flatnonzero(flat >= 0)
    return Shared(shape, kept, flat[kept].astype(np.uint8), codebook)


def _flattened(
    kernel: Shared, *, turned: bool
) -> tuple[Int64[np.ndarray, " kept"], UInt8[np.ndarray, " kept"]]:
    """Positions and codes in the file's order: what `_reordered` turned, back."""
    places = np.full(prod(kernel.shape), -1, np.int16)
    places[kernel.positions] = kernel.codes
    own = places.reshape(kernel.shape)
    flat = (own[:, :, ::-1] if turned else own).transpose(3, 2, 0, 1).reshape(-1)
    kept = np.flatnonzero(flat >= 0)
    return kept, flat[kept].astype(np.uint8)
