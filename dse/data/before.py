"""Fingerprints that earlier versions gave a set, so that their cells stay valid.

They let a library guess the parts and labels of a folder, and hashed the names and
contents of all files in it. A set that they read as this version does keeps the
fingerprint of the files that are used.
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
"""Most unused files, hidden ones included, that are tried to recognise a set."""
MOST_BESIDE_BYTES = 2**26
MOST_BESIDE = 6
"""Most top-level entries with unused files for which every subset is tried.

Some of them may have been added since."""


@dataclass(frozen=True)
class Known:
    """Fingerprints of a set.

    Attributes:
        fingerprint: the one in every cell.
        formerly: those of earlier versions that read exactly the same images.
        misread: that of an earlier version that read the set differently, or empty.
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
    """Find the fingerprints of a set, now and in databases of earlier versions.

    Args:
        source: the set.
        identity: its identity.
        told: gives the digest or size of a file.
        decoded_as_before: True if the first version of decoding gave the same pixels.
        joined: True if the last hashed line has no newline, as for streamed sets.
    """
    alone = _named_before(identity.said, joined)
    alike = decoded_as_before and layout_as_before(source)
    beside = _beside(source, told)
    if alike and _are_harmless(source):
        sets = [_named_before({**identity.said, **more}, joined) for more in beside]
        return Known(alone, _remembered(identity, sets))
    every = {place: value for more in beside[:1] for place, value in more.items()}
    misread = _named_before({**identity.said, **every}, joined)
    fingerprint = alone if alike else identity.key[:DIGITS]
    if misread == fingerprint:
        misread = ""
    return Known(fingerprint, _remembered(identity, ()) if alike else (), misread)


def _named_before(by_place: Mapping[str, str], joined: bool) -> str:
    """Compute the fingerprint of a folder of these files in earlier versions."""
    ordered = sorted(by_place, key=lambda place: place.split("/"))
    lines = [os.fsencode(f"{place}:{by_place[place]}") for place in ordered]
    text = b"\n".join(lines) if joined else b"".join(line + b"\n" for line in lines)
    return hashlib.sha256(text).hexdigest()[:DIGITS]


def _remembered(identity: Identity, more: Iterable[str]) -> tuple[str, ...]:
    """Add fingerprints to those kept in the cache, as files come and go; return all."""
    key = f"formerly-{identity.key}"
    kept = pixelcache.read(key)
    before = [] if kept is None else list(kept.told["formerly"])
    every = list(dict.fromkeys([*before, *more]))
    if len(every) > len(before):
        pixelcache.write(key, pixelcache.Kept({}, {"formerly": every}))
    return tuple(every)


def _beside(source: Source, digest_or_size: Told) -> list[dict[str, str]]:
    """List the digests or sizes of unused files: of all, then of smaller subsets."""
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
            entry[file.place] = digest_or_size(source.folder, file)
    except DseError:
        return []
    sizes = (
        range(len(entries), 0, -1) if len(entries) <= MOST_BESIDE else [len(entries)]
    )
    chosen = (x for size in sizes for x in combinations(entries.values(), size))
    return [{k: v for entry in some for k, v in entry.items()} for some in chosen]


def _hidden(source: Source) -> list[Found]:
    """List hidden files and files in hidden folders, without links."""
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
"""Folder names that earlier versions read as each part, in lower case only.

A validation folder counts as test only if the user names it as the test part."""
WORDS = re.compile(rf"(^|[-._ 0-9])({'|'.join(SPELLINGS)})([-._ 0-9]|$)")
"""A part's name inside another name, which earlier versions took as that part."""
PLAIN = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm")
SHARD = re.compile(r"(train|test|validation)(-\d{5}-of-\d{5})?\.parquet")
NOTES, MOST_NOTES = ("", ".txt", ".md"), 3
"""Extensions and number of extra files without effect, but for a README's header."""


def layout_as_before(source: Source) -> bool:
    """Check whether earlier versions read the same images, labels and parts.

    Only the used files are considered. False if it is uncertain, as a library guessed.
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
                # Without part folders, file names decided the part.
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
    columns_alike = all(_columns_as_before(table, source.columns) for table in tables)
    return columns_alike and _names_as_before(source, tables)


def _tables_of(source: Source) -> list[Table]:
    records = [part.records for part in source.parts.values()]
    return [t for x in records if isinstance(x, TableRecords) for t in x.tables]


def _columns_as_before(table: Table, columns: Sequence[str]) -> bool:
    kinds = {name: table.feature(name) for name in table.schema.names}
    return tuple(columns) == columns_as_before(kinds)


def columns_as_before(kinds: Mapping[str, object]) -> tuple[str, str] | None:
    """Choose the image and the label column as earlier versions did.

    Args:
        kinds: what the Hugging Face library calls each column's kind, if anything.
    """
    images = [name for name, kind in kinds.items() if kind == "Image"]
    labels = [x for x in ("label", "fine_label", "labels", "class") if x in kinds]
    labels += [name for name, kind in kinds.items() if kind == "ClassLabel"]
    return (images[0], labels[0]) if images and labels else None


def _names_as_before(source: Source, tables: Sequence[Table]) -> bool:
    """True if all files have one class list, or labels are words or numbers from 0."""
    lists = {tuple(table.class_list(source.columns[1])) for table in tables}
    if len(lists) != 1:
        return False
    if lists.pop():
        return True
    names = source.class_names
    numbered = all(name.isdecimal() for name in names)
    return not numbered or names == tuple(map(str, range(len(names))))


def _are_harmless(source: Source) -> bool:
    """Check whether unused files changed only the fingerprint in earlier versions.

    Such are hidden files, a few notes at the top, and parts without labels.
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
    """True if a name is printable and has no `::`, at which it could be split."""
    return place.isprintable() and "::" not in place
