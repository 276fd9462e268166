"""Parquet files in the Hugging Face image layout: columns, labels, and image bytes.

Only bytes within the files are read: a row that names a file elsewhere is refused.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from dse.data.classes import Label, refuse_same_names
from dse.data.foreign import refused
from dse.data.layout import Named
from dse.data.names import as_text, listed
from dse.errors import DseError

IMAGE_NAMES = ("image", "img")
LABEL_NAMES = ("label", "labels", "class", "fine_label")
ROWS_AT_ONCE = 8
"""Few: packed rows may be thousands of times as large as they lie there."""
MOST_UNPACKED, MOST_RATIO = 2**30, 200
"""Bytes of a file's images, and how much larger than packed, that go together only in
a file that is made to flood memory."""
LONGEST_LABEL = 1_000
"""Letters."""
MOST_ROWS = 50_000_000
MAGIC = b"PAR1"
WITHOUT_IMAGES = "Parquet without images"
BESIDE_TABLES = "an image beside Parquet files"
"""Why files are left out."""


class Columns(NamedTuple):
    """The columns of a set's Parquet files."""

    image: str
    label: str


@dataclass(frozen=True)
class Table:
    """A Parquet file that holds images.

    Attributes:
        path: where it lies.
        place: within the set.
        rows: how many.
        schema: the columns with their types.
        features: what the Hugging Face library noted of each column.
    """

    path: Path
    place: str
    rows: int
    schema: pa.Schema = field(repr=False)
    features: Mapping[str, Any] = field(repr=False)

    @property
    def image_columns(self) -> list[str]:
        """Columns of encoded images."""
        return [
            column.name
            for column in self.schema
            if self.feature(column.name) == "Image" or _holds_bytes(column.type)
        ]

    @property
    def label_columns(self) -> list[str]:
        """Columns that are called or declared as labels."""
        return [
            name
            for name in self.schema.names
            if name in LABEL_NAMES or self.feature(name) == "ClassLabel"
        ]

    def class_list(self, column: str) -> list[str]:
        """The names that a column's numbers stand for; empty where it has none."""
        names = self.features.get(column, {}).get("names")
        return list(map(str, names)) if isinstance(names, list) else []

    def feature(self, column: str) -> object:
        """What the Hugging Face library calls a column's kind, if anything."""
        return self.features.get(column, {}).get("_type")


def open_table(path: Path, place: str) -> Table | None:
    """The Parquet file at `path`; None where it holds no images.

    Raises:
        DseError: it is damaged.
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
    """What the Hugging Face library noted of the columns; nothing where it did not.

    Raises:
        DseError: the note is no JSON, so that what it said is lost.
    """
    with refused(
        f"the note of the Hugging Face library in {as_text(place)} is no JSON",
        "write the file anew, without its schema's metadata 'huggingface'",
    ):
        told = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
    for key in ("info", "features"):
        told = told.get(key) if isinstance(told, dict) else None
    if not isinstance(told, dict):
        return {}
    return {str(name): kind for name, kind in told.items() if isinstance(kind, dict)}


def columns_of(tables: Sequence[Table], named: Named, called: str) -> Columns:
    """The image and the label column, the same in all files.

    Raises:
        DseError: one is missing, or there are several and nothing says which is meant.
    """
    first = tables[0]
    chosen = Columns(
        chosen_column(
            "image",
            named.image_column,
            first.image_columns,
            IMAGE_NAMES,
            first.schema.names,
            called,
        ),
        chosen_column(
            "label",
            named.label_column,
            first.label_columns,
            LABEL_NAMES[:1],
            first.schema.names,
            called,
        ),
    )
    for table in tables:
        for kind, column in chosen._asdict().items():
            if column not in table.schema.names:
                raise DseError(
                    f"dataset {called}: {as_text(table.place)} has no column "
                    f"{column!r}, which is the {kind} column of "
                    f"{as_text(first.place)}; take one of the files out"
                )
    return chosen


def chosen_column(
    kind: str,
    named: str | None,
    found: Sequence[str],
    preferred: Sequence[str],
    every: Sequence[str],
    called: str,
) -> str:
    """The column that is named, else the one that must be meant.

    Args:
        kind: image or label.
        named: by a person.
        found: columns of that kind.
        preferred: names that decide among several.
        every: all columns.
        called: what messages call the set.

    Raises:
        DseError: there is none, or none that must be meant.
    """
    if named is not None:
        if named not in every:
            raise DseError(
                f"dataset {called} has no column {named!r} (--{kind}-column); expected "
                f"one of {listed(every, 20)}"
            )
        return named
    usual = [name for name in found if name in preferred]
    if len(usual) == 1:
        return usual[0]
    if len(found) == 1:
        return found[0]
    if not found:
        raise DseError(
            f"dataset {called} has the columns {listed(every, 20)}; expected an image "
            f"column and a label column: name the {kind} column with --{kind}-column"
        )
    raise DseError(
        f"dataset {called} has several {kind} columns ({listed(found, 20)}); say which "
        f"one is meant with --{kind}-column"
    )


def labels_of(table: Table, column: str) -> list[Label]:
    """What a file's label column says, row by row: names where it has a class list.

    Raises:
        DseError: a label is no class.
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
                "words, or "
                "whole numbers from 0"
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
    """The encoded images of a file, row by row, a few rows in memory at a time.

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
    """The values of a column; words that occur often are one object."""
    values: list[Any] = []
    for chunk in column.chunks:
        if isinstance(chunk, pa.DictionaryArray):
            words = chunk.dictionary.to_pylist()
            at = chunk.indices.to_pylist()
            values += [None if i is None else words[i] for i in at]
        else:
            values += chunk.to_pylist()
    return values


def _refuse_bomb(told: Any, place: str) -> None:
    packed = unpacked = 0
    for group in range(told.num_row_groups):
        for index in range(told.num_columns):
            chunk = told.row_group(group).column(index)
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
