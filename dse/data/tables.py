"""Parquet files in the Hugging Face image layout: columns, labels, and image bytes.

Only bytes within the files are read: a row that names a file elsewhere is refused.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dse.data.classes import Label, refuse_same_names
from dse.data.foreign import refused
from dse.data.names import as_text
from dse.errors import DseError

LABEL_NAMES = ("label", "labels", "class", "fine_label")
ROWS_AT_ONCE = 8
"""Rows in memory at a time: unpacked they may be thousands of times as large."""
MOST_UNPACKED, MOST_RATIO = 2**30, 200
"""A file is a bomb if it unpacks to more bytes than both: so many, and so many times
its packed size."""
LONGEST_LABEL = 1_000
"""Longest name of a class, in letters."""
MOST_ROWS = 50_000_000
MAGIC = b"PAR1"
WITHOUT_IMAGES = "Parquet without images"
BESIDE_TABLES = "an image beside Parquet files"
"""Reasons why files are left out."""


@dataclass(frozen=True)
class Table:
    """A Parquet file that holds images.

    Attributes:
        path: path of the file.
        place: its place within the set, for messages.
        rows: number of rows.
        schema: the columns with their types.
        features: notes of the Hugging Face library, by column.
    """

    path: Path
    place: str
    rows: int
    schema: pa.Schema = field(repr=False)
    features: Mapping[str, Any] = field(repr=False)

    @property
    def image_columns(self) -> list[str]:
        """Names of columns of encoded images."""
        return [
            column.name
            for column in self.schema
            if self.feature(column.name) == "Image" or _holds_bytes(column.type)
        ]

    @property
    def label_columns(self) -> list[str]:
        """Names of columns that are called or declared as labels."""
        return [
            name
            for name in self.schema.names
            if name in LABEL_NAMES or self.feature(name) == "ClassLabel"
        ]

    def class_list(self, column: str) -> list[str]:
        """Class names for the numbers of a column; empty if it has no list."""
        names = self.features.get(column, {}).get("names")
        return list(map(str, names)) if isinstance(names, list) else []

    def feature(self, column: str) -> object:
        """Kind of a column in the notes of the Hugging Face library; else None."""
        return self.features.get(column, {}).get("_type")


def open_table(path: Path, place: str) -> Table | None:
    """Open the Parquet file at `path`; None if it has no column of images.

    Raises:
        DseError: it is damaged, or too large.
    """
    with _clear(place), _parquet(path) as file:
        schema, rows = file.schema_arrow, file.metadata.num_rows
        _refuse_bomb(file.metadata, place)
    if rows > MOST_ROWS:
        raise DseError(
            f"{as_text(place)} has {rows:,} rows; expected at most {MOST_ROWS:,}"
        )
    table = Table(path, place, rows, schema, _features(schema, place))
    return table if table.image_columns else None


def _features(schema: pa.Schema, place: str) -> dict[str, Any]:
    """Read the notes of the Hugging Face library on columns; empty without notes.

    Raises:
        DseError: the note is no JSON, so its content is lost.
    """
    with refused(
        f"the note of the Hugging Face library in {as_text(place)} is no JSON",
        "write the file anew, without its schema's metadata 'huggingface'",
    ):
        notes = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
    for key in ("info", "features"):
        notes = notes.get(key) if isinstance(notes, dict) else None
    if not isinstance(notes, dict):
        return {}
    return {str(name): kind for name, kind in notes.items() if isinstance(kind, dict)}


def labels_of(table: Table, column: str) -> list[Label]:
    """Read a file's labels, row by row: names if the column has a class list.

    Raises:
        DseError: a label cannot be a class.
    """
    place = as_text(table.place)
    words = [column] if pa.types.is_string(table.schema.field(column).type) else []
    with _clear(table.place), _parquet(table.path, words) as file:
        values = _shared(file.read([column]).column(column))
    names = table.class_list(column)
    refuse_same_names(names, place)
    labels: list[Label] = []
    for row, value in enumerate(values):
        if isinstance(value, bool) or not isinstance(value, str | int | None):
            raise DseError(
                f"{place}, row {row}: label {str(value)[:40]!r} is no class; expected "
                "words, or whole numbers from 0"
            )
        if isinstance(value, str) and len(value) > LONGEST_LABEL:
            raise DseError(
                f"{place}, row {row}: its label has {len(value):,} letters; expected "
                f"{LONGEST_LABEL:,} at most: is {column!r} the label column?"
            )
        if names and isinstance(value, int) and value >= 0:
            if value >= len(names):
                raise DseError(
                    f"{place}, row {row}: label {value} lies outside its class list of "
                    f"{len(names)} (0 to {len(names) - 1}); correct the label or the "
                    "list"
                )
            labels.append(names[value])
        else:
            labels.append(value)
    return labels


def images_of(table: Table, column: str) -> Iterator[bytes]:
    """Yield the encoded images of a file, with a few rows in memory at a time.

    Raises:
        DseError: a row holds no bytes, or the file is damaged.
    """
    place = as_text(table.place)
    with _clear(table.place), _parquet(table.path) as file:
        row = 0
        for batch in file.iter_batches(ROWS_AT_ONCE, columns=[column]):
            for value in batch.column(0).to_pylist():
                content = value.get("bytes") if isinstance(value, dict) else value
                if not isinstance(content, bytes):
                    raise DseError(
                        f"{place}, row {row} holds no image; expected its bytes within "
                        "the file, and nothing else is read"
                    )
                yield content
                row += 1


def _holds_bytes(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _holds_bytes(kind.value_type)
    if pa.types.is_struct(kind):
        index = kind.get_field_index("bytes")
        return index >= 0 and _holds_bytes(kind.field(index).type)
    binary = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view)
    return any(is_kind(kind) for is_kind in binary)


def _shared(column: pa.ChunkedArray) -> list[Any]:
    """Read the values of a column; equal words of a dictionary share one object."""
    values: list[Any] = []
    for chunk in column.chunks:
        if isinstance(chunk, pa.DictionaryArray):
            words = chunk.dictionary.to_pylist()
            at = chunk.indices.to_pylist()
            values += [None if i is None else words[i] for i in at]
        else:
            values += chunk.to_pylist()
    return values


def _refuse_bomb(metadata: Any, place: str) -> None:
    packed = unpacked = 0
    for group in range(metadata.num_row_groups):
        for index in range(metadata.num_columns):
            chunk = metadata.row_group(group).column(index)
            packed += chunk.total_compressed_size
            unpacked += chunk.total_uncompressed_size
    if unpacked > max(MOST_UNPACKED, MOST_RATIO * packed):
        raise DseError(
            f"{as_text(place)} has {packed:,} bytes and unpacks to {unpacked:,}; no "
            "set of images does: take it out of the folder"
        )


def _parquet(path: Path, words: Sequence[str] = ()) -> pq.ParquetFile:
    return pq.ParquetFile(path, pre_buffer=False, read_dictionary=list(words))


def _clear(place: str) -> AbstractContextManager[None]:
    return refused(f"{as_text(place)} cannot be read", "remove or replace it")
