"""Random access to encoded images; Parquet files are first copied to the cache."""

import bisect
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from hashlib import blake2b
from io import BufferedIOBase, BytesIO
from itertools import accumulate
from pathlib import Path
from typing import Protocol, cast, runtime_checkable

import pyarrow as pa

from dse.data.cache import cache_folder
from dse.data.names import as_text
from dse.data.source import Record, Records, Source, TableRecords
from dse.errors import DseError

ROWS_AT_ONCE = 64
DIGEST_BYTES = 16
LAYOUT = pa.schema(
    [("image", pa.large_binary()), ("place", pa.string()), ("digest", pa.binary())]
)


Opened = tuple[BufferedIOBase, str, str]
"""Bytes of an image as a file, its place for messages, and its extension."""


@runtime_checkable
class RecordsAtRandom(Protocol):
    """Encoded images with access by position."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Record: ...

    def opened(self, index: int) -> AbstractContextManager[Opened]:
        """Open a record: its bytes as a file, its place and its extension."""


class Joined:
    """Records of several parts, one part after the other."""

    def __init__(self, parts: Sequence[RecordsAtRandom]) -> None:
        self._parts = parts
        self._ends = list(accumulate(map(len, parts)))

    def __len__(self) -> int:
        return self._ends[-1]

    def __getitem__(self, index: int) -> Record:
        part, within = self._place(index)
        return part[within]

    def opened(self, index: int) -> AbstractContextManager[Opened]:
        """See `RecordsAtRandom`."""
        part, within = self._place(index)
        return part.opened(within)

    def _place(self, index: int) -> tuple[RecordsAtRandom, int]:
        part = bisect.bisect_right(self._ends, index)
        before = self._ends[part - 1] if part else 0
        return self._parts[part], index - before


class CopiedRecords:
    """Records in a memory-mapped Arrow file; each is checked when it is read."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._reader = pa.ipc.open_file(pa.memory_map(str(file)))
        batches = self._reader.num_record_batches
        last = self._reader.get_batch(batches - 1).num_rows if batches else 0
        self._count = int(max(0, batches - 1) * ROWS_AT_ONCE + last)

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Record:
        number, row = divmod(index, ROWS_AT_ONCE)
        batch = self._reader.get_batch(number)
        content, place, digest = (column[row].as_py() for column in batch.columns)
        if _digest(content) != digest:
            raise DseError(
                f"the copy of the images in {self._file} is damaged; delete that file, "
                "and it is made again"
            )
        return Record(content, place, "")

    @contextmanager
    def opened(self, index: int) -> Iterator[Opened]:
        """See `RecordsAtRandom`."""
        content, place, extension = self[index]
        yield BytesIO(content), place, extension


def records_at_random(source: Source, key: str) -> Joined:
    """Open all records of a set, one part after the other.

    Args:
        source: the set.
        key: identifies its content; another key makes a new copy.

    Raises:
        DseError: a Parquet file cannot be read, or the cache folder cannot hold a copy.
    """
    return Joined(
        [
            _copied(part.records, f"{key}-{name}")
            if isinstance(part.records, TableRecords)
            else cast(RecordsAtRandom, part.records)
            for name, part in source.parts.items()
        ]
    )


def _copied(records: Records, key: str) -> CopiedRecords:
    file = cache_folder("records") / f"{key}.arrow"
    with suppress(OSError, pa.ArrowException):
        copied = CopiedRecords(file)
        if len(copied) == len(records):
            return copied
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as partial:
            try:
                _copy(records, partial.name)
                Path(partial.name).replace(file)
            except BaseException:
                Path(partial.name).unlink()
                raise
    except OSError as error:
        raise DseError(
            f"a set's Parquet files cannot be copied to {as_text(file.parent)}: "
            f"{error.strerror or error}; free some space there, or name another folder "
            "in DSE_CACHE"
        ) from error
    return CopiedRecords(file)


def _copy(records: Records, file: str) -> None:
    with pa.OSFile(file, "wb") as sink, pa.ipc.new_file(sink, LAYOUT) as writer:
        for batch in _batches(records):
            columns = [
                [record.content for record in batch],
                [record.place for record in batch],
                [_digest(record.content) for record in batch],
            ]
            arrays = [pa.array(c, f.type) for c, f in zip(columns, LAYOUT, strict=True)]
            writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=LAYOUT))


def _batches(records: Records) -> Iterator[list[Record]]:
    batch: list[Record] = []
    for record in records:
        batch.append(record)
        if len(batch) == ROWS_AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch


def _digest(content: bytes) -> bytes:
    return blake2b(content, digest_size=DIGEST_BYTES).digest()
