"""Streams of small whole numbers as bytes: plain, or as Huffman codes.

One bit is the least that a Huffman code costs. Where numbers carry less, as gaps do
whose most common value is 0, several successive numbers are one symbol; as many as
give the fewest bytes, tables counted.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Integer, UInt8, UInt16, UInt64

from dse.compress.huffman import (
    BLOCK,
    MOST_SYMBOLS,
    Coded,
    code_lengths,
    decode,
    encode,
)
from dse.compress.octets import Octets, deflated
from dse.errors import DseError

GROUPS = (1, 2, 3, 4, 6, 8, 12, 16)
"""How many numbers may be one symbol, of at most 64 bits."""
NEAR_ENTROPY = 1.005
"""Bits over the entropy at which no larger group is tried."""
PLAIN = 0


@dataclass(frozen=True)
class Stream:
    """A stream as read from a file, not decoded yet.

    Attributes:
        bits: bits of a number.
        count: how many numbers.
        group: numbers of a symbol; `PLAIN` if they are not coded.
        symbols: the numbers of each symbol, the first one in the highest bits.
        coded: the codes, or the numbers of `bits` bits each.
    """

    bits: int
    count: int
    group: int
    symbols: UInt64[np.ndarray, " symbols"]
    coded: Coded | bytes


def entropy(numbers: UInt8[np.ndarray, " count"]) -> float:
    """Bits a number of its distribution in the stream; successive ones independent."""
    counts = np.bincount(numbers)
    shares = counts[counts > 0] / len(numbers)
    return float(-(shares * np.log2(shares)).sum())


def write_stream(
    numbers: UInt8[np.ndarray, " count"], bits: int, *, huffman: bool = True
) -> bytes:
    """Write numbers below 2^`bits`, their count not among them.

    Coded ones take the fewest bytes of any group; a stream that codes do not make
    smaller is plain.
    """
    best = _fewest(numbers, bits) if huffman and len(numbers) else None
    if best is None or best.size >= 1 + -(-len(numbers) * bits // 8):
        return struct.pack("<B", PLAIN) + _plain(numbers, bits)
    coded = encode(best.indices, best.lengths)
    blocks = coded.blocks.astype("<u2").tobytes()
    return b"".join([best.table, blocks, coded.payload])


@dataclass(frozen=True)
class _Candidate:
    """One way to code a stream.

    Attributes:
        indices: of each symbol, its place among the different ones.
        lengths: bits of each different symbol's code.
        table: what stands before the codes in a file.
        size: bytes of all.
    """

    indices: Integer[np.ndarray, " count"]
    lengths: UInt8[np.ndarray, " symbols"]
    table: bytes
    size: int


def _fewest(numbers: UInt8[np.ndarray, " count"], bits: int) -> _Candidate | None:
    """The best of the groups, which are tried from the smallest on."""
    best, entropic = None, entropy(numbers) * len(numbers)
    for group in _groups(bits):
        symbols, indices = _different(_grouped(numbers, bits, group), group * bits)
        if len(symbols) > MOST_SYMBOLS:
            break
        counts = np.bincount(indices)
        lengths = code_lengths(counts)
        table = _table(group, bits, symbols, lengths)
        codes = int(lengths @ counts)
        size = len(table) + 2 * -(-len(indices) // BLOCK) + codes // 8
        if best is not None and size >= best.size:
            break
        best = _Candidate(indices, lengths, table, size)
        if codes <= NEAR_ENTROPY * entropic:
            break
    return best


def read_stream(octets: Octets, count: int, bits: int) -> Stream:
    """Read a stream of `count` numbers without decoding it.

    Raises:
        DseError: it is damaged.
    """
    [group] = octets.numbers("B")
    if group == PLAIN:
        coded = octets.take(-(-count * bits // 8))
        return Stream(bits, count, PLAIN, np.zeros(0, np.uint64), coded)
    if group not in _groups(bits) or not count:
        raise DseError(
            f"a symbol has {group} numbers of {count}; expected one of {_groups(bits)}"
        )
    [different] = octets.numbers("H")
    if not 1 <= different <= MOST_SYMBOLS:
        raise DseError(
            f"a stream has {different} different symbols; expected 1 or more"
        )
    width = -(-group * bits // 8)
    table = octets.inflated(different * (width + 1)).reshape(width + 1, different)
    symbols = _steps_summed(table[:width])
    beyond = group * bits < 64 and symbols[-1] >> np.uint64(group * bits)
    if (symbols[1:] <= symbols[:-1]).any() or beyond:
        raise DseError(
            "the symbols of a stream are not ascending and within their bits"
        )
    number = -(-count // group)
    blocks = np.zeros(0, np.uint16)
    if different > 1:
        blocks = np.frombuffer(octets.take(2 * -(-number // BLOCK)), "<u2")
    payload = octets.take(int(blocks.sum(dtype=np.int64)))
    return Stream(
        bits, count, group, symbols, Coded(number, table[width], blocks, payload)
    )


def decode_streams(streams: Sequence[Stream]) -> list[UInt8[np.ndarray, " count"]]:
    """Decode streams together, which is much faster than one after the other.

    Raises:
        DseError: one is damaged.
    """
    coded = [x.coded for x in streams if isinstance(x.coded, Coded)]
    decoded = iter(decode(coded))
    return [
        _ungrouped(stream, next(decoded))
        if isinstance(stream.coded, Coded)
        else _of_plain(stream, stream.coded)
        for stream in streams
    ]


def _groups(bits: int) -> tuple[int, ...]:
    return tuple(group for group in GROUPS if group * bits <= 64)


def _table(
    group: int,
    bits: int,
    symbols: UInt64[np.ndarray, " symbols"],
    lengths: UInt8[np.ndarray, " symbols"],
) -> bytes:
    """What stands before the codes: numbers of a symbol, symbols, lengths of codes."""
    width = -(-group * bits // 8)
    steps = np.diff(symbols, prepend=np.uint64(0)).astype("<u8")
    columns = steps.view(np.uint8).reshape(-1, 8).T[:width]
    table = deflated(columns.tobytes() + lengths.tobytes())
    return struct.pack("<BH", group, len(symbols)) + table


def _steps_summed(
    table: UInt8[np.ndarray, "width symbols"],
) -> UInt64[np.ndarray, " symbols"]:
    """Symbols from the steps between them, whose lowest bytes come first."""
    steps = np.zeros((table.shape[1], 8), np.uint8)
    steps[:, : len(table)] = table.T
    return np.cumsum(steps.view("<u8")[:, 0], dtype=np.uint64)


def _grouped(
    numbers: UInt8[np.ndarray, " count"], bits: int, group: int
) -> UInt64[np.ndarray, " symbols"]:
    """Each `group` successive numbers as one; zeros follow the last."""
    filled = np.zeros(-(-len(numbers) // group) * group, np.uint64)
    filled[: len(numbers)] = numbers
    shifted = filled.reshape(-1, group) << _shifts(bits, group)
    symbols: UInt64[np.ndarray, " symbols"] = np.bitwise_or.reduce(shifted, 1)
    return symbols


def _different(
    symbols: UInt64[np.ndarray, " count"], bits: int
) -> tuple[UInt64[np.ndarray, " symbols"], Integer[np.ndarray, " count"]]:
    """The different symbols, ascending, and the place of each one among them."""
    if bits > 16:
        return np.unique(symbols, return_inverse=True)
    occurs = np.bincount(symbols.astype(np.int64)) > 0
    place = np.cumsum(occurs) - 1
    return np.flatnonzero(occurs).astype(np.uint64), place[symbols]


def _ungrouped(
    stream: Stream, indices: UInt16[np.ndarray, " symbols"]
) -> UInt8[np.ndarray, " count"]:
    split = stream.symbols[:, None] >> _shifts(stream.bits, stream.group)
    table = (split & np.uint64(2**stream.bits - 1)).astype(np.uint8)
    numbers: UInt8[np.ndarray, " count"] = table[indices].reshape(-1)[: stream.count]
    return numbers


def _shifts(bits: int, group: int) -> UInt64[np.ndarray, " group"]:
    return np.uint64(bits) * np.arange(group - 1, -1, -1, dtype=np.uint64)


def _plain(numbers: UInt8[np.ndarray, " count"], bits: int) -> bytes:
    """Numbers of so many bits, the highest bit first."""
    spread = np.unpackbits(numbers[:, None], axis=1)[:, 8 - bits :]
    return np.packbits(spread).tobytes()


def _of_plain(stream: Stream, content: bytes) -> UInt8[np.ndarray, " count"]:
    octets = np.frombuffer(content, np.uint8)
    spread = np.unpackbits(octets, count=stream.count * stream.bits)
    wide = np.zeros((stream.count, 8), np.uint8)
    wide[:, 8 - stream.bits :] = spread.reshape(stream.count, stream.bits)
    return np.packbits(wide, axis=1)[:, 0]
