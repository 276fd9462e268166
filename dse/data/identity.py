"""What a set is called by its content: the images used, their labels and parts.

The identity of a set that earlier versions read as we do is the one that they gave it,
a hash over names and bytes of the files that are used: cells of before stay valid. Any
other set's says how it was read, too.
"""

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dse.data.names import SPELLINGS
from dse.data.pixels import DECODING_VERSION
from dse.data.source import Source, TableRecords
from dse.data.tables import Table
from dse.data.walk import Found, read_regular
from dse.errors import DseError

DIGITS = 16
MOST_BYTES = 2**33
"""Of the files of a set that is held in memory."""
MOST_HIDDEN = 1_000
"""Hidden files that are looked at to know a set again."""

Told = Callable[[Path, Found], str]
"""What an identity says of a file's content: a digest, or its size."""


@dataclass(frozen=True)
class Identity:
    """What a set is called.

    Attributes:
        key: sixty-four hexadecimal digits over all that decides what is read.
        before: the identity that an earlier version gave the same files.
        formerly: identities of the set in earlier databases: the same, with the files
            beside the images that counted, too.
    """

    key: str
    before: str
    formerly: tuple[str, ...]

    def fingerprint(self, *, read_as_before: bool) -> str:
        """The set's name in every cell."""
        return self.before if read_as_before else self.key[:DIGITS]


def identify(
    source: Source, share: float, told: Told, joined: bool = False
) -> Identity:
    """The identity of a set.

    Args:
        source: the set.
        share: held out of it where it has no test part.
        told: what to say of a file.
        joined: whether earlier versions joined lines, as for streamed sets.

    Raises:
        DseError: a file cannot be read, or they are too large together.
    """
    said: dict[str, str] = {}
    for file in files_of(source):
        said[file.place] = told(source.folder, file)
    digest = hashlib.sha256()
    columns = ",".join(source.columns)
    _frame(digest, [f"dse {DECODING_VERSION}", source.kind, columns, str(share)])
    _frame(digest, source.class_names)
    for part, used in source.used.items():
        _frame(digest, [part, str(len(used))])
        _frame(
            digest, (x for f, label in used for x in (f.place, label, said[f.place]))
        )
    before = _as_before(said, joined)
    beside = _beside(source, told) if source.walked.left_out or source.left_out else {}
    every = _as_before({**said, **beside}, joined) if beside else before
    return Identity(digest.hexdigest(), before, () if every == before else (every,))


def files_of(source: Source) -> list[Found]:
    """The files that make up a set, each once."""
    every = {file.place: file for used in source.used.values() for file, _ in used}
    return list(every.values())


def content_digest(folder: Path, file: Found) -> str:
    """Of a file's bytes."""
    content = read_regular(f"{folder}/{file.place}", MOST_BYTES)
    return hashlib.sha256(content).hexdigest()


def size(folder: Path, file: Found) -> str:
    """Of a file, in bytes."""
    return str(file.size)


def refuse_too_large(source: Source) -> None:
    """A set that is held in memory has files of a few GiB.

    Raises:
        DseError: it has more.
    """
    together = sum(file.size for file in files_of(source))
    if together > MOST_BYTES:
        raise DseError(
            f"dataset {source.called} has {together / 2**30:.1f} GiB of files; in "
            f"memory go {MOST_BYTES // 2**30} at most: take fewer images, or stream "
            "them with --preset imagenet"
        )


def _frame(digest: "hashlib._Hash", texts: Iterable[str]) -> None:
    """Add texts so that no others give the same: each after its length."""
    for text in texts:
        content = os.fsencode(text)
        digest.update(f"{len(content)}:".encode() + content)


def _as_before(said: dict[str, str], joined: bool) -> str:
    """As earlier versions called a folder of these files."""
    ordered = sorted(said, key=lambda place: place.split("/"))
    lines = [os.fsencode(f"{place}:{said[place]}") for place in ordered]
    text = b"\n".join(lines) if joined else b"".join(line + b"\n" for line in lines)
    return hashlib.sha256(text).hexdigest()[:DIGITS]


def _beside(source: Source, told: Told) -> dict[str, str]:
    """The files that earlier versions counted and that are no part of the set."""
    used = {file.place for file in files_of(source)}
    others = [file for file in source.walked.files if file.place not in used]
    others += _hidden(source)
    if len(others) > MOST_HIDDEN:
        return {}
    try:
        return {file.place: told(source.folder, file) for file in others}
    except DseError:
        return {}


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
    "test": ("test", "testing", "eval", "evaluation"),
}
"""What the Hugging Face library takes for these parts, in small letters alone."""
WORDS = re.compile(rf"(^|[-._ 0-9])({'|'.join(SPELLINGS)})([-._ 0-9]|$)")
"""A part's name within another name, which decided then."""
PLAIN = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm")
SHARD = re.compile(r"(train|test|validation)(-\d{5}-of-\d{5})?\.parquet")
HARMLESS = re.compile(r"(README|LICENSE|NOTICE)[\w.-]*", re.IGNORECASE)
"""Files beside the images that changed nothing; a README without a header."""


def layout_as_before(source: Source) -> bool:
    """Whether earlier versions took the same images, labels and parts from its files.

    It is true only where that is certain: they let a library guess.
    """
    if source.kind == "hub":
        return "validation" not in source.parts
    walked = source.walked
    used = {file.place for file in files_of(source)}
    others = [file for file in walked.files if file.place not in used]
    if (
        walked.linked_folders
        or "validation" in source.parts
        or any("\n" in place or not _is_utf8(place) for place in used)
        or not all(_is_harmless(source.folder, file.place) for file in others)
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
            if parted and folders and folders[0] in SPLITS[part]:
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
    if not all(SHARD.fullmatch(name) for name in names):
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


def _is_harmless(folder: Path, place: str) -> bool:
    if "/" in place or not HARMLESS.fullmatch(place):
        return False
    if place.upper() != "README.MD":
        return True
    return not read_regular(folder / place, 2**24).startswith(b"---")


def _is_utf8(place: str) -> bool:
    try:
        place.encode()
    except UnicodeEncodeError:
        return False
    return True
