"""Open an image set in a folder of image files or Parquet files."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from dse.data.classes import (
    Label,
    alike_names,
    classes_of,
    refuse_strange_labels,
)
from dse.data.formats import FORMAT_OF, is_image
from dse.data.layout import Layout, Named, lay_out, the_whole
from dse.data.names import PartName, as_text, short_name
from dse.data.parquet import source_of_tables
from dse.data.source import FileRecords, Part, Source, as_train, parted
from dse.data.tables import BESIDE_TABLES, MAGIC, WITHOUT_IMAGES, Table, open_table
from dse.data.walk import Found, LeftOut, Walk, walk
from dse.errors import DseError

NOT_READ = " is not read"
WHAT_IS_EXPECTED = (
    "expected images in one folder per class, or Parquet files with an image and a "
    "label column"
)


def open_source(folder: Path, called: str, named: Named) -> Source:
    """Open the set in `folder`, in one pass and by one rule (`dse.data.layout`).

    Args:
        folder: folder of the set.
        called: name of the set in messages.
        named: columns and folders named by the user.

    Raises:
        DseError: it holds no image set, or one that can be read in several ways.
    """
    walked = walk(folder)
    images, tables, left_out = _sorted_out(folder, walked)
    _refuse_linked_twice(walked, [*images, *tables], called)
    if tables:
        stray = _by_folders(images)
        if stray:
            raise DseError(
                f"dataset folder {called} holds Parquet files ({tables[0].place}) and "
                f"images in folders ({stray}); name the folder that is meant"
            )
        left_out += [LeftOut(x.place, BESIDE_TABLES) for x in images]
        return source_of_tables(folder, called, named, walked, tables, left_out)
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
    """Sort files by content: images, Parquet files of images, and others."""
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
                left_out.append(LeftOut(file.place, WITHOUT_IMAGES))
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


def _refuse_linked_twice(
    walked: Walk, used: Iterable[Found | Table], called: str
) -> None:
    """Refuse two links to one folder of images, as it is unclear which is meant."""
    if not walked.linked_twice:
        return
    steps = (file.place.split("/") for file in used)
    holding = {"/".join(x[:depth]) for x in steps for depth in range(1, len(x))}
    for first, again in walked.linked_twice:
        if first in holding:
            raise DseError(
                f"dataset folder {called}: {as_text(first)} and {as_text(again)} are "
                "links to one folder; its images count once: take one of the links "
                "out, or put a copy in its place"
            )


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
    """List folders of images beside Parquet files; empty if there is only one."""
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
    layout.notes += alike_names(classes.names)
    refuse_strange_labels(labels, whole, classes, called)
    parts = {
        part: Part(
            FileRecords(folder, tuple(file for file, _ in taken)),
            classes.encode(labels[part]),
        )
        for part, taken in layout.parts.items()
    }
    return Source(
        short_name(folder),
        called,
        "images",
        parted(parts, whole, layout),
        classes.names,
        folder,
        as_train(layout.parts, whole),
        walked=walked,
        left_out=tuple(layout.left_out),
        notes=tuple(layout.notes),
        candidates=candidates,
    )


def _refuse_one_text(layout: Layout) -> None:
    """Refuse two class folders whose different names are shown as the same text."""
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
