"""Parquet files as an image set: parts by their names, labels by their class lists."""

from collections.abc import Sequence
from pathlib import Path

from dse.data.classes import Label, classes_of, is_unlabelled, refuse_strange_labels
from dse.data.layout import Layout, Named, the_whole
from dse.data.names import (
    PartName,
    as_text,
    listed,
    part_called,
    part_of_file,
    short_name,
)
from dse.data.source import (
    UNLABELLED,
    Part,
    Source,
    TableRecords,
    as_train,
    parted,
)
from dse.data.tables import Table, columns_of, labels_of
from dse.data.walk import LeftOut, Walk
from dse.errors import DseError


def source_of_tables(
    folder: Path,
    called: str,
    named: Named,
    walked: Walk,
    tables: Sequence[Table],
    left_out: Sequence[LeftOut],
) -> Source:
    """The set that Parquet files make up.

    Args:
        folder: in which they lie.
        called: what messages call the set.
        named: what a person named where guessing would be needed.
        walked: all that lies there.
        tables: the Parquet files that hold images.
        left_out: files that are no part of it.

    Raises:
        DseError: parts, columns or labels are not clear.
    """
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
        layout.left_out += [LeftOut(x.place, UNLABELLED) for x in by_part.pop(part)]
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
    return Source(
        short_name(folder),
        called,
        "parquet",
        parted(parts, whole, layout, called),
        classes.names,
        folder,
        as_train(files, whole),
        tuple(columns),
        walked,
        tuple(layout.left_out),
        tuple(layout.notes),
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
    if others and "train" not in by_part:
        raise DseError(
            f"dataset {called}: {listed(as_text(x.place) for x in others)} is called "
            f"as no part, and of its parts, {' and '.join(by_part)}, none is train; "
            "rename it train.parquet, or give --train-folder"
        )
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
