"""An image set as it lies in a folder: parts, classes, records; nothing is decoded."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path
from typing import Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int

from dse.data.classes import (
    Label,
    classes_of,
    is_unlabelled,
    refuse_strange_labels,
)
from dse.data.layout import Layout, Named, lay_out, the_whole
from dse.data.names import (
    PartName,
    as_text,
    listed,
    part_called,
    part_of_file,
    short_name,
)
from dse.data.pixels import FORMAT_OF, MOST_FILE_BYTES, is_image
from dse.data.tables import MAGIC, Table, columns_of, images_of, labels_of, open_table
from dse.data.walk import (
    Found,
    LeftOut,
    Walk,
    open_regular,
    read_regular,
    walk,
)
from dse.errors import DseError

PARTS: tuple[PartName, ...] = ("train", "validation", "test")

Kind = Literal["images", "parquet", "hub"]
NOT_READ = " is not read"
WHAT_IS_EXPECTED = (
    "expected images in one folder per class, or Parquet files with an image and a "
    "label column"
)


class Record(NamedTuple):
    """An encoded image.

    Attributes:
        content: its bytes.
        place: where it is, for messages.
        extension: of its file's name; empty in a table.
    """

    content: bytes
    place: str
    extension: str


@runtime_checkable
class Records(Protocol):
    """Encoded images in order."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Record]:
        """One after the other, a few in memory at a time."""


@dataclass(frozen=True)
class FileRecords:
    """Images in files of their own, read when they are asked for."""

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
        """A file, of which only the beginning may be read; place and extension."""
        file = self.files[index]
        with open_regular(self.folder / file.place) as opened:
            yield opened, as_text(file.place), file.extension


@dataclass(frozen=True)
class TableRecords:
    """Images in the rows of Parquet files, which can be read in order only."""

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
    """A set's parts, with nothing decoded.

    Attributes:
        name: short name, for folders and captions.
        called: what messages call it.
        folder: where it lies.
        kind: images in folders, Parquet files, or a set of the hub.
        parts: `train`, and where it has them `validation` and `test`.
        class_names: one for each label.
        used: the files that make up each part, with the class of an image.
        columns: of images and labels in Parquet files.
        walked: what else lies in its folder.
        left_out: files that are no part of it.
        notes: what a person should know of how it was read.
        candidates: files of images in it, used or not, of formats that are not read,
            too; 0 for Parquet files.
    """

    name: str
    called: str
    folder: Path
    kind: Kind
    parts: Mapping[PartName, Part]
    class_names: tuple[str, ...]
    used: Mapping[PartName, Sequence[tuple[Found, str]]]
    columns: tuple[str, ...]
    walked: Walk
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...]
    candidates: int


def open_source(folder: Path, called: str, named: Named) -> Source:
    """What lies in `folder`, in one pass and by one rule (`dse.data.layout`).

    Args:
        folder: the set's.
        called: what messages call it.
        named: what a person named where guessing would be needed.

    Raises:
        DseError: it holds no image set, or one that can be read in several ways.
    """
    walked = walk(folder)
    images, tables, left_out = _sorted_out(folder, walked)
    if tables:
        stray = _by_folders(images)
        if stray:
            raise DseError(
                f"dataset folder {called} holds Parquet files ({tables[0].place}) and "
                f"images in folders ({stray}); name the folder that is meant"
            )
        left_out += [LeftOut(x.place, "an image beside Parquet files") for x in images]
        return _of_tables(folder, called, named, walked, tables, left_out)
    for option, value in (
        ("--image-column", named.image_column),
        ("--label-column", named.label_column),
    ):
        if value is not None:
            raise DseError(
                f"{option} {value} is of Parquet files; {called} holds none with images"
            )
    if not images:
        reasons = sorted({left.reason for left in left_out if left.reason != "hidden"})
        why = f" ({'; '.join(reasons)})" if reasons else ""
        raise DseError(
            f"dataset folder {called} holds no images{why}; {WHAT_IS_EXPECTED}"
        )
    layout = lay_out(images, named, called)
    layout.left_out += left_out
    foreign = sum(left.reason.endswith(NOT_READ) for left in left_out)
    return _of_images(folder, called, walked, layout, len(images) + foreign)


def _sorted_out(
    folder: Path, walked: Walk
) -> tuple[list[Found], list[Table], list[LeftOut]]:
    """Files by what they hold: images, Parquet files of images, and others."""
    images: list[Found] = []
    tables: list[Table] = []
    left_out = list(walked.left_out)
    for file in walked.files:
        path = folder / file.place
        if file.extension in FORMAT_OF:
            images.append(file)
        elif _is_parquet(path, file):
            table = open_table(path, file.place)
            if table is None:
                left_out.append(LeftOut(file.place, "Parquet without images"))
            else:
                tables.append(table)
        else:
            found = is_image(path, file.extension)
            if found:
                images.append(file)
            else:
                format = file.extension.lstrip(".").upper()
                reason = "no image" if found is False else format + NOT_READ
                left_out.append(LeftOut(file.place, reason))
    return images, tables, left_out


def _is_parquet(path: Path, file: Found) -> bool:
    if file.extension != ".parquet":
        return False
    if file.size < 3 * len(MAGIC):
        raise DseError(
            f"{as_text(file.place)} is no whole Parquet file ({file.size} bytes); "
            "remove or replace it"
        )
    return True


def _by_folders(images: Sequence[Found]) -> str:
    """Class folders beside Parquet files, in words; empty where they are none."""
    folders = sorted({image.place.rpartition("/")[0] for image in images})
    return ", ".join(map(as_text, folders[:3])) if len(folders) > 1 else ""


def _of_images(
    folder: Path, called: str, walked: Walk, layout: Layout, candidates: int
) -> Source:
    whole = the_whole(layout.parts, called)
    labels: dict[PartName, list[Label]] = {
        part: [label for _, label in taken] for part, taken in layout.parts.items()
    }
    _refuse_one_text(layout)
    classes = classes_of(labels[whole], (), called)
    refuse_strange_labels(labels, whole, classes, called)
    parts = {
        part: Part(
            FileRecords(folder, tuple(file for file, _ in taken)),
            classes.encode(labels[part]),
        )
        for part, taken in layout.parts.items()
    }
    return _source(
        folder,
        called,
        "images",
        whole,
        parts,
        classes.names,
        layout.parts,
        (),
        walked,
        layout,
        candidates,
    )


def _refuse_one_text(layout: Layout) -> None:
    """Names of bytes that are no UTF-8 may look like another class's."""
    folders: dict[tuple[PartName, str], set[str]] = {}
    for part, taken in layout.parts.items():
        for file, label in taken:
            step = next(x for x in file.steps if as_text(x) == label)
            folders.setdefault((part, label), set()).add(step)
    for (_, label), steps in folders.items():
        if len(steps) > 1:
            raise DseError(
                f"two class folders are both shown as {label!r}; rename one of them"
            )


def _of_tables(
    folder: Path,
    called: str,
    named: Named,
    walked: Walk,
    tables: Sequence[Table],
    left_out: Sequence[LeftOut],
) -> Source:
    layout = Layout(left_out=list(left_out))
    by_part = _parts_of_tables(tables, named, layout, called)
    used = [table for found in by_part.values() for table in found]
    columns = columns_of(used, named, called)
    whole = the_whole(by_part, called)
    labels: dict[PartName, list[Label]] = {
        part: [label for table in found for label in labels_of(table, columns.label)]
        for part, found in by_part.items()
    }
    for part in [p for p in by_part if p != whole and is_unlabelled(labels[p])]:
        layout.notes.append(
            f"its {part} part keeps its labels back, and is not used"
            + (
                "; --test-folder validation tests on its validation part"
                if "validation" in by_part and part == "test"
                else ""
            )
        )
        layout.left_out += [LeftOut(x.place, "no labels") for x in by_part.pop(part)]
        del labels[part]
    declared = [name for t in by_part[whole] for name in t.class_list(columns.label)]
    classes = classes_of(labels[whole], declared, called)
    refuse_strange_labels(labels, whole, classes, called)
    empty = len(classes.names) - len(set(labels[whole]))
    if empty:
        layout.notes.append(f"{empty:,} of its classes have no images to train on")
    parts = {
        part: Part(
            TableRecords(tuple(found), columns.image), classes.encode(labels[part])
        )
        for part, found in by_part.items()
    }
    sizes = {file.place: file for file in walked.files}
    files = {
        part: [(sizes[table.place], "") for table in found]
        for part, found in by_part.items()
    }
    return _source(
        folder,
        called,
        "parquet",
        whole,
        parts,
        classes.names,
        files,
        columns,
        walked,
        layout,
        0,
    )


def _parts_of_tables(
    tables: Sequence[Table], named: Named, layout: Layout, called: str
) -> dict[PartName, list[Table]]:
    """Parquet files by part: by the name of their file, or of a folder above it."""
    by_part: dict[PartName, list[Table]] = {}
    chosen = named.folders
    others = []
    for table in tables:
        part = next((p for p, name in chosen.items() if _is_within(table, name)), None)
        if part is None:
            part = _part_by_name(table)
            part = None if part in chosen else part
        if part is None:
            others.append(table)
        else:
            by_part.setdefault(part, []).append(table)
    for part, name in chosen.items():
        if part not in by_part:
            raise DseError(
                f"dataset {called}: --{part}-folder {name} names no Parquet file; "
                f"expected the beginning of {listed((t.place for t in tables), 6)}"
            )
    if not by_part or (set(by_part) == {"test"} and "test" in chosen):
        by_part["train"] = others
        others = []
    layout.left_out += [LeftOut(x.place, "called as no part") for x in others]
    for part, found in by_part.items():
        folders = {_folder_of(table) for table in found}
        if len(folders) > 1:
            raise DseError(
                f"dataset {called}: its {part} files lie in several folders "
                f"({', '.join(sorted(map(as_text, folders)))}); name the one that is "
                "meant"
            )
    return by_part


def _is_within(table: Table, name: str) -> bool:
    """Whether a file is meant by a folder's name, or by how its own name begins."""
    place = table.place
    if place == name or place.startswith(f"{name}/"):
        return True
    rest = place.removeprefix(name)
    return rest != place and not rest[0].isalnum() and "/" not in rest


def _part_by_name(table: Table) -> PartName | None:
    *folders, last = table.place.split("/")
    by_file = part_of_file(last.removesuffix(".parquet"))
    if by_file is not None:
        return by_file
    return next((p for f in reversed(folders) if (p := part_called(f))), None)


def _folder_of(table: Table) -> str:
    return table.place.rpartition("/")[0]


def _source(
    folder: Path,
    called: str,
    kind: Kind,
    whole: PartName,
    parts: dict[PartName, Part],
    class_names: tuple[str, ...],
    used: Mapping[PartName, Sequence[tuple[Found, str]]],
    columns: tuple[str, ...],
    walked: Walk,
    layout: Layout,
    candidates: int,
) -> Source:
    own = parted(parts, whole, layout, called)
    if whole != "train":
        used = {"train": used[whole]}
    return Source(
        short_name(folder),
        called,
        folder,
        kind,
        own,
        class_names,
        used,
        columns,
        walked,
        tuple(layout.left_out),
        tuple(layout.notes),
        candidates,
    )


def parted(
    parts: Mapping[PartName, Part], whole: PartName, layout: Layout, called: str
) -> dict[PartName, Part]:
    """The parts in their order; the only one of a set is trained on.

    Raises:
        DseError: a part has no images.
    """
    if whole != "train":
        layout.notes.append(
            f"its only part is called {whole}; it is trained on, and a part of it held "
            "out"
        )
        parts = {"train": parts[whole]}
    for part, own in parts.items():
        if not len(own.records):
            raise DseError(f"dataset {called}: its {part} part has no images")
    return {part: parts[part] for part in PARTS if part in parts}
