"""Bytes that a stranger may have written, read field by field within their bounds."""

import struct
import zlib

import numpy as np
from jaxtyping import UInt8

from dse.errors import DseError

RAW = -15
"""DEFLATE without a header and a checksum of its own."""


class Octets:
    """Bytes that are read from the first to the last; numbers are little endian."""

    def __init__(self, content: bytes) -> None:
        self._content, self._at = content, 0

    def take(self, size: int) -> bytes:
        """Read the next `size` bytes.

        Raises:
            DseError: there are fewer.
        """
        left = len(self._content) - self._at
        if not 0 <= size <= left:
            raise DseError(f"the next {size:,} bytes are not there; {left:,} are left")
        self._at += size
        return self._content[self._at - size : self._at]

    def numbers(self, layout: str) -> tuple[int, ...]:
        """Read whole numbers whose sizes `layout` gives, as `struct` writes them."""
        return struct.unpack(f"<{layout}", self.take(struct.calcsize(f"<{layout}")))

    def inflated(self, size: int) -> UInt8[np.ndarray, " size"]:
        """Read what `deflated` wrote of `size` bytes.

        Raises:
            DseError: it is damaged, or of another size.
        """
        [packed] = self.numbers("H")
        inflate = zlib.decompressobj(RAW)
        try:
            found = inflate.decompress(self.take(packed), size + 1)
        except zlib.error as error:
            raise DseError(f"a table is damaged: {error}") from error
        if len(found) != size or not inflate.eof or inflate.unused_data:
            raise DseError(f"a table has not the {size:,} bytes that it should have")
        return np.frombuffer(found, np.uint8)

    def end(self) -> None:
        """Check that nothing is left.

        Raises:
            DseError: bytes are left.
        """
        if left := len(self._content) - self._at:
            raise DseError(f"{left:,} bytes are left after the last tensor")


def deflated(content: bytes) -> bytes:
    """Compress a table of less than 64 KiB with DEFLATE, after its size."""
    packed = zlib.compress(content, 9, RAW)
    return struct.pack("<H", len(packed)) + packed
