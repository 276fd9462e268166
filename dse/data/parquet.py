"""Image sets in Parquet files: parts by file names, labels by class lists."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from dse.data.classes import Label, classes_of, is_unlabelled, refuse_strange_labels
from dse.data.columns import columns_of
from dse.data.layout import Layout, Named, the_whole
from dse.data.names import (
    WHOLE,
    PartName,
    as_text,
    folded,
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
from dse.data.tables import BESIDE_TABLES, WITHOUT_IMAGES, Table, labels_of
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
    """Make an image set from Parquet files.

    Args:
        folder: folder of the files.
        called: name of the set in messages.
        named: columns and folders named by the user.
        walked: all files in the folder.
        tables: the Parquet files that hold images.
        left_out: files that are no part of the set.

    Raises:
        DseError: parts, columns or labels are unclear.
    """
    layout = Layout(left_out=list(left_out))
    beside = sum(left.reason == BESIDE_TABLES for left in left_out)
    if beside:
        layout.notes.append(f"{beside:,} image files beside its Parquet are not used")
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
        parted(parts, whole, layout),
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
    """Sort Parquet files into parts, by the name of the file or a folder above it."""
    by_part: dict[PartName, list[Table]] = {}
    chosen = named.folders
    others = []
    for table in tables:
        part = _part_of(table.place, chosen)
        if part is None:
            others.append(table)
        else:
            by_part.setdefault(part, []).append(table)
    for part, name in chosen.items():
        if part not in by_part and name != WHOLE:
            raise DseError(
                f"dataset {called}: --{part}-folder {name} names no Parquet file; "
                f"expected the beginning of {listed((t.place for t in tables), 6)}"
            )
    takes_rest = not by_part or (set(by_part) == {"test"} and "test" in chosen)
    if others and (takes_rest or chosen.get("train") == WHOLE):
        if chosen.get("train") != WHOLE:
            _refuse_two_names(others, called)
        if chosen:
            layout.notes.append(
                f"{_places(others)} is trained on, as what no option names"
            )
        by_part["train"] = others
        others = []
    if others and "train" not in by_part:
        raise DseError(
            f"dataset {called}: {_places(others)} is called "
            f"as no part, and of its parts, {' and '.join(by_part)}, none is train; "
            "rename it train.parquet, or give --train-folder"
        )
    if others:
        layout.notes.append(f"{_places(others)} is called as no part, and not used")
    layout.left_out += [LeftOut(x.place, "called as no part") for x in others]
    _refuse_without_images(layout.left_out, by_part, chosen, called)
    for part, found in by_part.items():
        folders = {_folder_of(table) for table in found}
        if len(folders) > 1:
            raise DseError(
                f"dataset {called}: its {part} files lie in several folders "
                f"({', '.join(sorted(map(as_text, folders)))}); name the one that is "
                "meant"
            )
    return by_part


def _places(tables: Sequence[Table]) -> str:
    return listed(as_text(table.place) for table in tables)


def _refuse_without_images(
    left_out: Sequence[LeftOut],
    by_part: Mapping[PartName, Sequence[Table]],
    chosen: Mapping[PartName, str],
    called: str,
) -> None:
    """Refuse a file that is named as one of the parts but has no images."""
    for left in left_out:
        part = _part_of(left.place, chosen) if left.reason == WITHOUT_IMAGES else None
        if part is not None and part in by_part:
            raise DseError(
                f"dataset {called}: {as_text(left.place)} is called as its {part} "
                "part, but has no column of images; expected "
                f"{' or '.join(by_part[part][0].image_columns)} of bytes in it, or "
                "take it out of the folder"
            )


def _refuse_two_names(tables: Sequence[Table], called: str) -> None:
    """Refuse files that are named as no part, unless their names are alike."""
    words: dict[tuple[str, ...], str] = {}
    for table in tables:
        *_, last = table.place.split("/")
        words.setdefault(tuple(re.findall(r"[^\W\d_]+", folded(last))), table.place)
    if len(words) > 1:
        raise DseError(
            f"dataset {called}: {' and '.join(map(as_text, list(words.values())[:2]))} "
            "are called as no part, and not alike; rename them train, validation or "
            f"test, or give --train-folder {WHOLE} to train on all of them"
        )


def _part_of(place: str, chosen: Mapping[PartName, str]) -> PartName | None:
    """Find the part of a file: as the user named it, else by its own name."""
    for part, name in chosen.items():
        if _is_within(place, name):
            return part
    part_found = _part_by_name(place)
    return None if part_found in chosen else part_found


def _is_within(place: str, name: str) -> bool:
    """True if `name` is a folder above a file, or a beginning of the file's name."""
    if place == name or place.startswith(f"{name}/"):
        return True
    rest = place.removeprefix(name)
    return rest != place and not rest[0].isalnum() and "/" not in rest


def _part_by_name(place: str) -> PartName | None:
    *folders, last = place.split("/")
    by_file = part_of_file(last.removesuffix(".parquet"))
    if by_file is not None:
        return by_file
    return next((p for f in reversed(folders) if (p := part_called(f))), None)


def _folder_of(table: Table) -> str:
    return table.place.rpartition("/")[0]
