"""The file of a compressed network: form, coding and checksum.

Numbers are little endian; `name` is a layer's name, a slash and a parameter's name, as
UTF-8. A stream is what `dse.compress.streams` writes.

    file     magic (8 bytes), version (2), number of tensors (4), the tensors, and of
             all before it the BLAKE2b digest (16)
    tensor   length of the name (2), name, kind (1), number of axes (1), axes (4 each)
    dense    values
    sparse   positions, values of the kept weights
    shared   positions, values in the codebook less one (1), codebook, bits of a code
             (1), stream of codes
    linear   positions, weight of code 0, step, stream of codes of 8 bits
    factors  rank (4), left, right
    positions   kept weights (4), bits of a gap (1), number of gaps (4), stream of gaps;
             where all weights are kept 0 bits, 0 gaps and no stream

All values are 32-bit floats.
"""

import hashlib
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any

import numpy as np

from dse.bounds import check_whole
from dse.compress import gaps as positions_as_gaps
from dse.compress.octets import Octets
from dse.compress.streams import Stream, decode_streams, read_stream, write_stream
from dse.compress.tensors import Dense, Factors, Linear, Shared, Sparse, Tensor, Tensors
from dse.errors import DseError

MAGIC = b"\x89dse.net"
VERSION = 1
DIGEST = 16
"""Bytes of the checksum."""

KINDS: Mapping[int, type] = {
    1: Dense,
    2: Sparse,
    3: Shared,
    4: Linear,
    5: Factors,
}
Shapes = Mapping[str, Mapping[str, tuple[int, ...]]]
"""Axes of each parameter by layer name, then by parameter name."""


@dataclass(frozen=True)
class Coding:
    """How streams are written.

    Attributes:
        gap_bits: bits of a gap.
        codes: True for Huffman codes of codebook indices.
        gaps: True for Huffman codes of gaps.

    Raises:
        DseError: the bits are not 2 to 8.
    """

    gap_bits: int = 4
    codes: bool = True
    gaps: bool = True

    def __post_init__(self) -> None:
        check_whole("gap_bits", self.gap_bits, 2, positions_as_gaps.MOST_BITS)


def write_network(tensors: Tensors, coding: Coding | None = None) -> bytes:
    """Write a network to bytes."""
    coding = coding or Coding()
    listed = [
        (f"{layer}/{name}".encode(), tensor)
        for layer, arrays in tensors.items()
        for name, tensor in arrays.items()
    ]
    body = [MAGIC, struct.pack("<HI", VERSION, len(listed))]
    for name, tensor in listed:
        [kind] = [number for number, form in KINDS.items() if isinstance(tensor, form)]
        axes = tensor.shape
        body.append(struct.pack("<H", len(name)) + name)
        body.append(struct.pack(f"<BB{len(axes)}I", kind, len(axes), *axes))
        body += _written(tensor, coding)
    content = b"".join(body)
    return content + _digest(content)


def read_network(content: bytes, shapes: Shapes) -> dict[str, dict[str, Tensor]]:
    """Read a network, whose memory is bounded by that of the network itself.

    Args:
        content: the bytes of the file.
        shapes: what the network has.

    Raises:
        DseError: the bytes are no such file, or damaged, or of another network.
    """
    if content[: len(MAGIC)] != MAGIC:
        raise DseError("it does not begin as a compressed network does")
    octets = Octets(content[len(MAGIC) : -DIGEST])
    version, number = octets.numbers("HI")
    if version != VERSION:
        raise DseError(
            f"it has version {version} of the format; this dse reads {VERSION}"
        )
    if _digest(content[:-DIGEST]) != content[-DIGEST:]:
        raise DseError("its checksum does not fit: it is cut or damaged")
    expected = {
        f"{layer}/{name}": shape
        for layer, arrays in shapes.items()
        for name, shape in arrays.items()
    }
    if number != len(expected):
        raise DseError(f"it has {number} tensors; the network has {len(expected)}")
    parts = [_read(octets, expected) for _ in range(number)]
    octets.end()
    numbers = iter(decode_streams([x for part in parts for x in part.streams]))
    tensors: dict[str, dict[str, Tensor]] = {}
    for part in parts:
        layer, _, name = part.name.rpartition("/")
        tensor = part.make(*[next(numbers) for _ in part.streams])
        tensors.setdefault(layer, {})[name] = tensor
    if sum(map(len, tensors.values())) != number:
        raise DseError("a tensor is there twice")
    return tensors


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=DIGEST).digest()


def _written(tensor: Tensor, coding: Coding) -> Iterable[bytes]:
    match tensor:
        case Dense():
            yield _floats(tensor.values)
        case Sparse():
            yield from _positions(tensor, coding)
            yield _floats(tensor.values)
        case Shared():
            yield from _positions(tensor, coding)
            bits = max(1, (len(tensor.codebook) - 1).bit_length())
            yield struct.pack("<B", len(tensor.codebook) - 1)
            yield _floats(tensor.codebook)
            yield struct.pack("<B", bits)
            yield write_stream(tensor.codes, bits, huffman=coding.codes)
        case Linear():
            yield from _positions(tensor, coding)
            yield struct.pack("<ff", tensor.lowest, tensor.step)
            yield write_stream(tensor.codes, 8, huffman=coding.codes)
        case Factors():
            yield struct.pack("<I", tensor.left.shape[1])
            yield _floats(tensor.left)
            yield _floats(tensor.right)


def _positions(tensor: Sparse | Shared | Linear, coding: Coding) -> Iterable[bytes]:
    kept = len(tensor.positions)
    if kept == prod(tensor.shape):
        yield struct.pack("<IBI", kept, 0, 0)
        return
    gaps = positions_as_gaps.gaps_of(tensor.positions, coding.gap_bits)
    yield struct.pack("<IBI", kept, coding.gap_bits, len(gaps))
    yield write_stream(gaps, coding.gap_bits, huffman=coding.gaps)


def _floats(values: np.ndarray) -> bytes:
    return np.ascontiguousarray(values, "<f4").tobytes()


@dataclass(frozen=True)
class _Part:
    """A tensor whose streams are not decoded yet."""

    name: str
    streams: Sequence[Stream]
    make: Callable[..., Tensor]


def _read(octets: Octets, expected: Mapping[str, tuple[int, ...]]) -> _Part:
    [length] = octets.numbers("H")
    name = octets.take(length).decode(errors="replace")
    kind, axes = octets.numbers("BB")
    shape = octets.numbers(f"{axes}I")
    if expected.get(name) != shape:
        raise DseError(
            f"it has {name[:80]!r} of {shape[:8]}; the network has "
            f"{expected.get(name, 'none')}"
        )
    if kind not in KINDS:
        raise DseError(f"{name} is of kind {kind}; expected one of {list(KINDS)}")
    streams, make = _READ[KINDS[kind]](octets, shape)
    return _Part(name, streams, make)


_Read = tuple[Sequence[Stream], Callable[..., Tensor]]


def _read_dense(octets: Octets, shape: tuple[int, ...]) -> _Read:
    values = _values(octets, prod(shape)).reshape(shape)
    return (), lambda: Dense(values)


def _read_sparse(octets: Octets, shape: tuple[int, ...]) -> _Read:
    kept, bits, streams = _read_positions(octets, prod(shape))
    values = _values(octets, kept)

    def make(*gaps: Any) -> Tensor:
        return Sparse(shape, _positions_from(kept, bits, *gaps), values)

    return streams, make


def _read_shared(octets: Octets, shape: tuple[int, ...]) -> _Read:
    kept, bits, streams = _read_positions(octets, prod(shape))
    codebook = _values(octets, octets.numbers("B")[0] + 1)
    [code_bits] = octets.numbers("B")
    if not 1 <= code_bits <= 8:
        raise DseError(f"a code has {code_bits} bits; expected 1 to 8")
    codes = read_stream(octets, kept, code_bits)

    def make(*numbers: Any) -> Tensor:
        *gaps, found = numbers
        return Shared(shape, _positions_from(kept, bits, *gaps), found, codebook)

    return [*streams, codes], make


def _read_linear(octets: Octets, shape: tuple[int, ...]) -> _Read:
    kept, bits, streams = _read_positions(octets, prod(shape))
    lowest, step = map(float, _values(octets, 2))
    codes = read_stream(octets, kept, 8)

    def make(*numbers: Any) -> Tensor:
        *gaps, found = numbers
        return Linear(shape, _positions_from(kept, bits, *gaps), found, lowest, step)

    return [*streams, codes], make


def _read_factors(octets: Octets, shape: tuple[int, ...]) -> _Read:
    inputs, outputs = prod(shape[:-1]), shape[-1]
    [rank] = octets.numbers("I")
    if not 1 <= rank <= min(inputs, outputs):
        raise DseError(
            f"factors have rank {rank}; expected 1 to {min(inputs, outputs)}"
        )
    left = _values(octets, inputs * rank).reshape(inputs, rank)
    right = _values(octets, rank * outputs).reshape(rank, outputs)
    return (), partial(Factors, shape, left, right)


_READ: Mapping[type, Callable[[Octets, tuple[int, ...]], _Read]] = {
    Dense: _read_dense,
    Sparse: _read_sparse,
    Shared: _read_shared,
    Linear: _read_linear,
    Factors: _read_factors,
}


def _read_positions(octets: Octets, size: int) -> tuple[int, int, list[Stream]]:
    """Number of kept weights, bits of a gap and the stream of gaps, if there is one."""
    kept, bits, gaps = octets.numbers("IBI")
    if not bits and not gaps and kept == size:
        return kept, 0, []
    if not 2 <= bits <= positions_as_gaps.MOST_BITS or not kept <= gaps <= size:
        raise DseError(
            f"{kept:,} of {size:,} weights have {gaps:,} gaps of {bits} bits; expected "
            "2 to 8 bits, a gap for each weight and none more than there are places"
        )
    return kept, bits, [read_stream(octets, gaps, bits)]


def _positions_from(kept: int, bits: int, *gaps: Any) -> Any:
    if not gaps:
        return np.arange(kept)
    positions = positions_as_gaps.positions_of(gaps[0], bits)
    if len(positions) != kept:
        raise DseError(f"{len(positions):,} gaps are no fillers; expected {kept:,}")
    return positions


def _values(octets: Octets, number: int) -> Any:
    """Finite 32-bit floats.

    Raises:
        DseError: one is not finite.
    """
    values = np.frombuffer(octets.take(4 * number), "<f4")
    if not np.isfinite(values).all():
        raise DseError("a weight is no finite number")
    return values
