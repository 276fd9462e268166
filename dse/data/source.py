"""An image set before decoding: parts, classes and encoded records."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BufferedIOBase
from pathlib import Path
from typing import Literal, NamedTuple, Protocol, TypeVar, runtime_checkable

import numpy as np
from jaxtyping import Int

from dse.data.layout import Layout
from dse.data.names import PartName, as_text
from dse.data.pixels import MOST_FILE_BYTES
from dse.data.tables import Table, images_of
from dse.data.walk import Found, LeftOut, Walk, open_regular, read_regular
from dse.errors import DseError

PARTS: tuple[PartName, ...] = ("train", "validation", "test")
Kind = Literal["images", "parquet", "hub"]
Held = TypeVar("Held")
UNLABELLED = "no labels"
"""Reason why a part with withheld labels is left out."""


class Record(NamedTuple):
    """An encoded image.

    Attributes:
        content: its bytes.
        place: its location, for messages.
        extension: extension of its file; empty in a table.
    """

    content: bytes
    place: str
    extension: str


@runtime_checkable
class Records(Protocol):
    """Encoded images in order."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Record]:
        """Iterate over the records, with a few in memory at a time."""


@dataclass(frozen=True)
class FileRecords:
    """Images in separate files, read on access."""

    folder: Path
    files: tuple[Found, ...]

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Record:
        file = self.files[index]
        content = read_regular(self.folder / file.place, MOST_FILE_BYTES)
        return Record(content, as_text(file.place), file.extension)

    def __iter__(self) -> Iterator[Record]:
        return (self[index] for index in range(len(self)))

    @contextmanager
    def opened(self, index: int) -> Iterator[tuple[BufferedIOBase, str, str]]:
        """Open an image's file without reading it; give its place and extension."""
        file = self.files[index]
        with open_regular(self.folder / file.place) as opened:
            yield opened, as_text(file.place), file.extension


@dataclass(frozen=True)
class TableRecords:
    """Images in the rows of Parquet files, which can only be read in order."""

    tables: tuple[Table, ...]
    column: str

    def __len__(self) -> int:
        return sum(table.rows for table in self.tables)

    def __iter__(self) -> Iterator[Record]:
        for table in self.tables:
            place = as_text(table.place)
            for row, content in enumerate(images_of(table, self.column)):
                yield Record(content, f"{place}, row {row},", "")


@dataclass(frozen=True)
class Part:
    """Images of a part with their labels, whole numbers from 0."""

    records: Records
    labels: Int[np.ndarray, " n"]


@dataclass(frozen=True)
class Source:
    """An image set with nothing decoded.

    Attributes:
        name: short name, for folders and captions.
        called: name in messages.
        kind: images in folders, Parquet files, or a set of the hub.
        parts: `train`, and `validation` and `test` if it has them.
        class_names: one for each label.
        folder: folder of the set.
        used: the files of each part, an image file with its class.
        columns: image and label column of tables.
        walked: all files in its folder.
        left_out: files that are no part of it.
        notes: notes for the user on how it was read.
        candidates: number of image files, also unused or of formats that are not read;
            0 for Parquet files.
    """

    name: str
    called: str
    kind: Kind
    parts: Mapping[PartName, Part]
    class_names: tuple[str, ...]
    folder: Path = Path()
    used: Mapping[PartName, Sequence[tuple[Found, str]]] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    walked: Walk = field(default_factory=Walk)
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()
    candidates: int = 0


def same_files(source: Source) -> tuple[dict[str, int], int]:
    """Count images whose file is used twice, through links.

    Returns:
        By part, the images that are also in train; and the train images that occur
        again with another label.

    Raises:
        DseError: all test images are also in train.
    """
    labels: dict[tuple[int, int], set[str]] = {}
    if source.kind != "images":
        return {}, 0
    for file, label in source.used["train"]:
        labels.setdefault(file.inode, set()).add(label)
    doubles = {
        part: sum(file.inode in labels for file, _ in used)
        for part, used in source.used.items()
        if part != "train"
    }
    if doubles.get("test") == len(source.used.get("test", ())) > 0:
        raise DseError(
            f"dataset {source.called}: all of its test images are files of train, too, "
            "so a test would say nothing; bring images of their own"
        )
    contrary = sum(len(labels[file.inode]) > 1 for file, _ in source.used["train"])
    return {part: n for part, n in doubles.items() if n}, contrary


def parted(
    parts: Mapping[PartName, Part], whole: PartName, layout: Layout
) -> dict[PartName, Part]:
    """Return the parts in order; the only part of a set becomes train."""
    if whole != "train":
        layout.notes.append(
            f"its only part is called {whole}; it is trained on, and a part of it held "
            "out"
        )
    trained = as_train(parts, whole)
    return {part: trained[part] for part in PARTS if part in trained}


def as_train(parts: Mapping[PartName, Held], whole: PartName) -> dict[PartName, Held]:
    """Return `parts` by name; the only part of a set becomes train."""
    return dict(parts) if whole == "train" else {"train": parts[whole]}
