"""Refusals of folders that can be read in several ways."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from dse.data.names import (
    WHOLE,
    PartName,
    as_text,
    folded,
    listed,
    part_called,
    part_told,
)
from dse.data.walk import Found
from dse.errors import DseError

MOST_COMPARED = 100
"""Most folders that a folder is compared with for each of its classes."""
RENAME = "rename them train, validation or test, or give --train-folder, --test-folder"
ARE_CLASSES = f"--train-folder {WHOLE} where the top folders are the classes"


def refuse_flat(parts: Mapping[str, PartName], called: str) -> None:
    """Refuse folders named as several parts that hold images but no classes."""
    if len(set(parts.values())) > 1:
        raise DseError(
            f"dataset {called}: its folders {listed(map(as_text, parts))} are called "
            "as parts, but hold no class folders; expected train/CLASS and so on, or "
            f"{ARE_CLASSES}"
        )


def refuse_parts_within(
    folders: Sequence[str], holds: Mapping[str, set[str]], called: str
) -> None:
    """Refuse several top folders that hold part folders instead of class folders."""
    within = {
        f"{as_text(folder)}/{as_text(inner)}": part
        for folder in folders
        for inner in sorted(holds[folder])
        if (part := part_called(inner))
    }
    if len(folders) > 1 and len(set(within.values())) > 1:
        top, inner = next(iter(within)).split("/")
        around = {place.split("/")[0] for place in within}
        way = f"expected {inner}/{top}, parts first and the classes in them"
        if len(around) == 1:
            way = f"name {called}/{top} itself, if it is the set"
        raise DseError(
            f"dataset {called}: {listed(within)} are called as parts, but lie within "
            f"other folders; {way}, or give {ARE_CLASSES}"
        )


def refuse_parts_in(folder: str, images: Iterable[Found], called: str) -> None:
    """Refuse a folder given as a part that holds part folders, not class folders."""
    above = len(folder.split("/"))
    tops = {x.steps[above] for x in images if len(x.steps) > above + 2}
    parts = {top: part for top in sorted(tops) if (part := part_called(top))}
    if len(set(parts.values())) > 1:
        within = [f"{as_text(folder)}/{as_text(top)}" for top in parts]
        train = next((top for top in parts if parts[top] == "train"), "train")
        raise DseError(
            f"dataset {called}: {as_text(folder)} was named as a part, but holds what "
            f"is called as parts ({listed(within)}); name those, as --train-folder "
            f"{as_text(folder)}/{as_text(train)}"
        )


def refuse_twice(parts: Mapping[str, PartName], called: str) -> None:
    """Refuse two folders that are named as the same part."""
    for part in dict.fromkeys(parts.values()):
        twice = [as_text(top) for top in parts if parts[top] == part]
        if len(twice) > 1:
            raise DseError(
                f"dataset {called}: the folders {' and '.join(twice)} are both its "
                f"{part} part; bring them together, or take one out"
            )


def refuse_same_classes(
    others: Sequence[str],
    parts: Collection[str],
    holds: Mapping[str, set[str]],
    called: str,
) -> None:
    """Refuse folders that hold the same classes but are not both named as parts.

    Raises:
        DseError: two folders share two classes, the only class of one where the other
            has several, or any class where a folder's name suggests a part.
    """
    known = set(parts)
    inner = {x: set(map(folded, holds[x])) for x in (*parts, *others) if holds[x]}
    tell = {folder for folder in inner if folder not in known and part_told(folder)}
    by_class: dict[str, list[str]] = {}
    for folder, names in inner.items():
        shared: Counter[str] = Counter()
        for name in names:
            before = by_class.setdefault(name, [])
            shared.update(before[:MOST_COMPARED])
            before.append(folder)
        for twin, count in shared.items():
            sizes = sorted((len(names), len(inner[twin])))
            are_parts = twin in known and folder in known
            tells = twin in tell or folder in tell
            all_of_one = count == sizes[0] and sizes[1] > 1
            if not are_parts and (count > 1 or tells or all_of_one):
                same = listed(sorted(map(as_text, inner[twin] & names)))
                other = as_text(folder if twin in known else twin)
                ways = f"take {other} out" if known else ARE_CLASSES
                raise DseError(
                    f"dataset {called}: the folders {as_text(twin)} and "
                    f"{as_text(folder)} hold the same classes ({same}) and are not "
                    f"both called as parts; {RENAME}, or {ways}"
                )


def refuse_one_folder(
    folders: Sequence[str], holds: Mapping[str, set[str]], called: str
) -> None:
    """Refuse a set whose images lie in a single top folder, or in none."""
    if len(folders) > 1:
        return
    inner = f"{called}/{as_text(folders[0])}" if folders else ""
    if folders and len(holds[folders[0]]) > 1:
        raise DseError(
            f"dataset {called} holds one folder; name {inner} itself, whose folders "
            "are then the classes"
        )
    where = f"in one folder, {inner}" if folders else "in no folder"
    raise DseError(
        f"dataset {called}: its images lie {where}, so none has a label; expected a "
        "folder for each class, or Parquet files with an image and a label column"
    )
