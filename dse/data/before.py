"""How earlier versions knew a set: cells of before stay valid where they read the same.

They let a library guess the parts and labels of a folder, and called it by a hash over
the names and contents of all files in it. A set that they read as we do keeps the name
that they gave its own files.
"""

import hashlib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from dse.data import pixelcache
from dse.data.identity import Identity, Told, files_of
from dse.data.names import SPELLINGS
from dse.data.source import UNLABELLED, Source, TableRecords
from dse.data.tables import Table
from dse.data.walk import Found, open_regular
from dse.errors import DseError

DIGITS = 16
MOST_HIDDEN = 1_000
"""Hidden files that are looked at to know a set again."""
MOST_BESIDE_BYTES = 2**26
MOST_BESIDE = 6
"""Files or folders beside the images of which every choice is tried: some may have come
since."""


@dataclass(frozen=True)
class Known:
    """How a set is known.

    Attributes:
        fingerprint: in every cell.
        formerly: in databases of earlier versions, where they read the very same.
        misread: in those where they read something else; empty where there are none.
    """

    fingerprint: str
    formerly: tuple[str, ...] = ()
    misread: str = ""


def known(
    source: Source,
    identity: Identity,
    told: Told,
    *,
    decoded_as_before: bool,
    joined: bool = False,
) -> Known:
    """How a set is known, now and in earlier databases.

    Args:
        source: the set.
        identity: of the set.
        told: what its identity says of a file.
        decoded_as_before: whether the first version of decoding gave the same pixels.
        joined: whether lines were joined by their ends, as for streamed sets.
    """
    alone = _named_before(identity.said, joined)
    alike = decoded_as_before and layout_as_before(source)
    beside = _beside(source, told)
    if alike and _are_harmless(source):
        sets = [_named_before({**identity.said, **more}, joined) for more in beside]
        return Known(alone, _remembered(identity, sets))
    every = {place: said for more in beside[:1] for place, said in more.items()}
    misread = _named_before({**identity.said, **every}, joined)
    fingerprint = alone if alike else identity.key[:DIGITS]
    if misread == fingerprint:
        misread = ""
    return Known(fingerprint, _remembered(identity, ()) if alike else (), misread)


def _named_before(said: Mapping[str, str], joined: bool) -> str:
    """As earlier versions called a folder of these files."""
    ordered = sorted(said, key=lambda place: place.split("/"))
    lines = [os.fsencode(f"{place}:{said[place]}") for place in ordered]
    text = b"\n".join(lines) if joined else b"".join(line + b"\n" for line in lines)
    return hashlib.sha256(text).hexdigest()[:DIGITS]


def _remembered(identity: Identity, more: Iterable[str]) -> tuple[str, ...]:
    """Former names of a set, those that it once had among them: files come and go."""
    key = f"formerly-{identity.key}"
    kept = pixelcache.read(key)
    before = [] if kept is None else list(kept.told["formerly"])
    every = list(dict.fromkeys([*before, *more]))
    if len(every) > len(before):
        pixelcache.write(key, pixelcache.Kept({}, {"formerly": every}))
    return tuple(every)


def _beside(source: Source, told: Told) -> list[dict[str, str]]:
    """What is told of the files beside those that are used: all, then fewer of them."""
    if not source.left_out:
        return []
    used = {file.place for file in files_of(source)}
    others = [file for file in source.walked.files if file.place not in used]
    others += _hidden(source)
    too_large = sum(file.size for file in others) > MOST_BESIDE_BYTES
    if len(others) > MOST_HIDDEN or too_large:
        return []
    entries: dict[str, dict[str, str]] = {}
    try:
        for file in others:
            entry = entries.setdefault(file.steps[0], {})
            entry[file.place] = told(source.folder, file)
    except DseError:
        return []
    sizes = (
        range(len(entries), 0, -1) if len(entries) <= MOST_BESIDE else [len(entries)]
    )
    chosen = (x for size in sizes for x in combinations(entries.values(), size))
    return [{k: v for entry in some for k, v in entry.items()} for some in chosen]


def _hidden(source: Source) -> list[Found]:
    """Hidden files, with those in hidden folders; no links."""
    found: list[Found] = []
    for left in source.walked.left_out:
        place = source.folder / left.place
        if left.reason != "hidden" or place.is_symlink():
            continue
        files = [place] if place.is_file() else _files_in(place)
        for file in files:
            if file.is_file() and not file.is_symlink():
                within = file.relative_to(source.folder).as_posix()
                found.append(Found(within, file.stat().st_size))
            if len(found) > MOST_HIDDEN:
                return found
    return found


def _files_in(folder: Path) -> Iterable[Path]:
    walked = os.walk(folder)
    return (Path(place) / name for place, _, names in walked for name in names)


SPLITS = {
    "train": ("train", "training"),
    "test": (
        *("test", "testing", "eval", "evaluation"),
        *("val", "valid", "validation", "dev"),
    ),
}
"""What was taken for these parts, in small letters alone; the last where a person now
names them as test."""
WORDS = re.compile(rf"(^|[-._ 0-9])({'|'.join(SPELLINGS)})([-._ 0-9]|$)")
"""A part's name within another name, which decided then."""
PLAIN = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm")
SHARD = re.compile(r"(train|test|validation)(-\d{5}-of-\d{5})?\.parquet")
NOTES, MOST_NOTES = ("", ".txt", ".md"), 3
"""Files beside the images that changed nothing; but for a README with a header."""


def layout_as_before(source: Source) -> bool:
    """Whether earlier versions took the same images, labels and parts from its files.

    With nothing beside them; and only where that is certain: they let a library guess.
    """
    walked = source.walked
    used = {file.place for file in files_of(source)}
    if (
        walked.linked_folders
        or "validation" in source.parts
        or not all(_is_plain(place) for place in used)
    ):
        return False
    if source.kind == "parquet":
        return _tables_as_before(source, sorted(used))
    return _folders_as_before(source)


def _folders_as_before(source: Source) -> bool:
    parted = "test" in source.used
    for part, used in source.used.items():
        for file, _ in used:
            *folders, last = file.steps
            if len(folders) == 2 and folders[0] in SPLITS[part]:
                folders = folders[1:]
            elif parted or WORDS.search(last):
                # Without folders of parts, file names made parts.
                return False
            if (
                len(folders) != 1
                or folders[0].startswith("__")
                or WORDS.search(folders[0])
                or file.extension not in PLAIN
            ):
                return False
    return True


def _tables_as_before(source: Source, places: Sequence[str]) -> bool:
    names = [place.removeprefix("data/") for place in places]
    alone = len(places) == 1 and "/" not in places[0] and not WORDS.search(places[0])
    if not (alone or all(SHARD.fullmatch(name) for name in names)):
        return False
    tables = _tables_of(source)
    told = all(_columns_as_before(table, source.columns) for table in tables)
    return told and _names_as_before(source, tables)


def _tables_of(source: Source) -> list[Table]:
    records = [part.records for part in source.parts.values()]
    return [t for x in records if isinstance(x, TableRecords) for t in x.tables]


def _columns_as_before(table: Table, columns: Sequence[str]) -> bool:
    every = table.schema.names
    images = [name for name in every if table.feature(name) == "Image"]
    labels = [
        name for name in ("label", "fine_label", "labels", "class") if name in every
    ]
    labels += [name for name in every if table.feature(name) == "ClassLabel"]
    return bool(images and labels) and (images[0], labels[0]) == tuple(columns)


def _names_as_before(source: Source, tables: Sequence[Table]) -> bool:
    """One class list in all files; or words, or all numbers from 0."""
    lists = {tuple(table.class_list(source.columns[1])) for table in tables}
    if len(lists) != 1:
        return False
    if lists.pop():
        return True
    names = source.class_names
    numbered = all(name.isdecimal() for name in names)
    return not numbered or names == tuple(map(str, range(len(names))))


def _are_harmless(source: Source) -> bool:
    """Whether files beside those that are used changed nothing then but the name.

    Hidden files, a few notes at the top, and a test part without labels.
    """
    used = {file.place for file in files_of(source)}
    used |= {left.place for left in source.left_out if left.reason == UNLABELLED}
    others = [file for file in source.walked.files if file.place not in used]
    return len(others) <= MOST_NOTES and all(
        _is_note(source.folder, file) for file in others
    )


def _is_note(folder: Path, file: Found) -> bool:
    place = file.place
    if "/" in place or file.extension not in NOTES or WORDS.search(place):
        return False
    if place.upper() != "README.MD":
        return True
    with open_regular(folder / place) as opened:
        return opened.read(3) != b"---"


def _is_plain(place: str) -> bool:
    """Whether a name is text that nobody shows or splits in another way."""
    return place.isprintable() and "::" not in place
