"""Canonical Huffman codes of whole arrays, without a loop over their symbols.

A stream of symbols is cut into blocks of `BLOCK`, each of whole bytes, whose sizes are
stored. So the blocks of all streams are decoded in step: one NumPy operation reads a
symbol of each block.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64, Integer, UInt8, UInt16

from dse.errors import DseError

BLOCK = 2048
"""Symbols in a block; the size of a block costs 16 bits."""
LONGEST = 14
"""Most bits of a code; a code and the bits before it in a byte fit in three bytes."""
MOST_SYMBOLS = 4096
"""Most different symbols of a stream."""
_WINDOW = 24


@dataclass(frozen=True)
class Coded:
    """A coded stream of whole numbers below `len(lengths)`.

    Attributes:
        count: number of symbols.
        lengths: bits of the code of each symbol; of a single symbol, which needs no
            code, 0.
        blocks: bytes of each block.
        payload: the blocks.
    """

    count: int
    lengths: UInt8[np.ndarray, " symbols"]
    blocks: UInt16[np.ndarray, " blocks"]
    payload: bytes

    def __post_init__(self) -> None:
        symbols = len(self.lengths)
        if not 1 <= symbols <= MOST_SYMBOLS or self.count < 1:
            raise DseError(
                f"a coded stream has {self.count} symbols, {symbols} different ones; "
                f"expected 1 or more, and at most {MOST_SYMBOLS} different ones"
            )
        if symbols == 1:
            if self.lengths[0] or len(self.blocks) or self.payload:
                raise DseError("a stream of one symbol has codes; expected none")
            return
        if not 1 <= self.lengths.min() <= self.lengths.max() <= LONGEST:
            raise DseError(f"a Huffman code has no bits, or more than {LONGEST}")
        if (2.0 ** -self.lengths.astype(np.float64)).sum() != 1:
            raise DseError("the lengths of Huffman codes are not those of a whole tree")
        if len(self.blocks) != -(-self.count // BLOCK):
            raise DseError(
                f"{self.count} symbols are in {len(self.blocks)} blocks; expected "
                f"{BLOCK} in each"
            )
        if len(self.payload) != self.blocks.sum(dtype=np.int64):
            raise DseError(
                f"the blocks of a stream have {len(self.payload)} bytes; expected "
                f"{self.blocks.sum(dtype=np.int64)}"
            )


def code_lengths(
    counts: Int64[np.ndarray, " symbols"], longest: int = LONGEST
) -> UInt8[np.ndarray, " symbols"]:
    """Find the lengths of the best prefix code of at most `longest` bits.

    Package-merge (Larmore and Hirschberg 1990): of each level's list, the symbols and
    the pairs of the level below by weight, the first ones are taken. A symbol's length
    is the number of levels at which it is taken.

    Args:
        counts: how often each symbol occurs, at least once.
        longest: bits, enough for so many symbols.
    """
    symbols = len(counts)
    if symbols == 1:
        return np.zeros(1, np.uint8)
    order = np.argsort(counts, kind="stable")
    weights = counts[order].astype(np.int64)
    level, is_symbol = weights, [np.ones(symbols, bool)]
    for _ in range(longest - 1):
        pairs = level[: len(level) // 2 * 2].reshape(-1, 2).sum(1)
        level = np.concatenate([weights, pairs])
        merged = np.argsort(level, kind="stable")
        level = level[merged]
        is_symbol.append(merged < symbols)
    taken, ranks = 2 * symbols - 2, np.zeros(symbols + 1, np.int64)
    for flags in reversed(is_symbol):
        of_symbols = int(flags[:taken].sum())
        ranks[of_symbols] += 1
        taken = 2 * (taken - of_symbols)
    lengths = np.empty(symbols, np.uint8)
    # Rank r is taken at every level of which more than r symbols are.
    lengths[order] = longest - np.cumsum(ranks)[:symbols]
    return lengths


def encode(
    symbols: Integer[np.ndarray, " count"], lengths: UInt8[np.ndarray, " symbols"]
) -> Coded:
    """Code symbols by the lengths of their codes, as `code_lengths` gives them."""
    if len(lengths) == 1:
        return Coded(len(symbols), lengths, np.zeros(0, np.uint16), b"")
    bits = lengths[symbols].astype(np.int64)
    starts = np.arange(0, len(symbols), BLOCK)
    blocks = -(-np.add.reduceat(bits, starts) // 8)
    before = np.cumsum(bits) - bits
    moved = 8 * (np.cumsum(blocks) - blocks) - before[starts]
    at = before + np.repeat(moved, np.diff(starts, append=len(symbols)))
    payload = _packed(_codes(lengths)[symbols], bits, at, int(blocks.sum()))
    return Coded(len(symbols), lengths, blocks.astype(np.uint16), payload)


def decode(streams: Sequence[Coded]) -> list[UInt16[np.ndarray, " count"]]:
    """Decode streams together, which is much faster than one after the other.

    Raises:
        DseError: the codes do not end where a block does.
    """
    coded = [stream for stream in streams if len(stream.lengths) > 1]
    decoded = iter(_decoded(coded) if coded else [])
    return [
        next(decoded) if len(stream.lengths) > 1 else np.zeros(stream.count, np.uint16)
        for stream in streams
    ]


def _decoded(streams: Sequence[Coded]) -> list[UInt16[np.ndarray, " count"]]:
    joined = b"".join(stream.payload for stream in streams)
    windows = _windows(joined)
    tables = [_table(stream.lengths) for stream in streams]
    ends = np.cumsum(np.concatenate([x.blocks for x in streams]), dtype=np.int64)
    starts = np.concatenate([[0], ends[:-1]])
    counts = np.full(len(ends), BLOCK)
    counts[np.cumsum([len(x.blocks) for x in streams]) - 1] = [
        (x.count - 1) % BLOCK + 1 for x in streams
    ]
    of_block = np.repeat(np.arange(len(streams)), [len(x.blocks) for x in streams])
    sizes = np.array([len(table) for table in tables])
    table = np.concatenate(tables)

    order = np.argsort(-counts, kind="stable")  # those that end first come last
    base = (np.cumsum(sizes) - sizes)[of_block[order]]
    mask = sizes[of_block[order]] - 1
    shift = _WINDOW - np.log2(sizes).astype(np.int64)[of_block[order]]
    at = 8 * starts[order]
    read = np.empty((counts.max(), len(ends)), np.uint16)
    active = np.searchsorted(-counts[order], -np.arange(len(read)), side="left")
    for row, n in zip(read, active, strict=True):
        place = at[:n]
        bits = windows[place >> 3] >> (shift[:n] - (place & 7))
        entry = table[base[:n] + (bits & mask[:n])]
        row[:n] = entry >> 4
        place += entry & 15
    if ((at + 7) // 8 != ends[order]).any():
        raise DseError("a block's codes do not end where the block does")
    rows = np.empty_like(read.T)
    rows[order] = read.T
    symbols = rows[np.arange(len(read)) < counts[:, None]]
    return np.split(symbols, np.cumsum([x.count for x in streams])[:-1])


def _windows(joined: bytes) -> Int64[np.ndarray, " bytes"]:
    """The `_WINDOW` bits from each byte on.

    Zeros follow the end, beyond which the codes of a damaged block may lead.
    """
    beyond = bytes(BLOCK * LONGEST // 8 + 3)
    octets = np.frombuffer(joined + beyond, np.uint8).astype(np.int64)
    return octets[:-2] << 16 | octets[1:-1] << 8 | octets[2:]


def _canonical(lengths: UInt8[np.ndarray, " symbols"]) -> Int64[np.ndarray, " symbols"]:
    """Symbols in the order of their codes: by length, then by number."""
    return np.argsort(lengths, kind="stable")


def _codes(lengths: UInt8[np.ndarray, " symbols"]) -> Int64[np.ndarray, " symbols"]:
    order = _canonical(lengths)
    spans = np.int64(1) << (LONGEST - lengths[order].astype(np.int64))
    codes = np.empty(len(lengths), np.int64)
    codes[order] = (np.cumsum(spans) - spans) // spans
    return codes


def _table(lengths: UInt8[np.ndarray, " symbols"]) -> UInt16[np.ndarray, " entries"]:
    """Symbol and length by the next bits, as many as the longest code has."""
    order = _canonical(lengths)
    sorted_lengths = lengths[order].astype(np.int64)
    entries = (order << 4 | sorted_lengths).astype(np.uint16)
    return np.repeat(entries, 1 << (sorted_lengths[-1] - sorted_lengths))


def _packed(
    codes: Int64[np.ndarray, " count"],
    bits: Int64[np.ndarray, " count"],
    at: Int64[np.ndarray, " count"],
    size: int,
) -> bytes:
    """Write codes of so many bits at ascending bit positions, the first bit first."""
    word, within = at >> 6, at & 63
    left = (64 - within - bits).astype(np.int64)  # bits to the right of the code
    values, fits = codes.astype(np.uint64), left >= 0
    up = np.where(fits, left, 0).astype(np.uint64)
    down = np.where(fits, 0, -left).astype(np.uint64)
    begun = np.flatnonzero(np.diff(word, prepend=-1))
    words = np.zeros(size // 8 + 2, np.uint64)
    words[word[begun]] = np.bitwise_or.reduceat(values << up >> down, begun)
    spilt = np.flatnonzero(~fits)  # one code at most crosses the end of a word
    words[word[spilt] + 1] |= values[spilt] << (64 + left[spilt]).astype(np.uint64)
    return words.astype(">u8").tobytes()[:size]
