"""Identity of a set by its content: the images used, their labels and parts."""

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dse.data.names import as_text
from dse.data.pixels import DECODING_VERSION, MOST_FILE_BYTES
from dse.data.source import PARTS, Source
from dse.data.walk import Found, open_regular, read_regular
from dse.errors import DseError

WHOLE_BYTES = 2**20
"""Bytes below which a file is read at once."""
MOST_BYTES = 2**33
"""Most bytes of files in a set that is held in memory."""

Told = Callable[[Path, Found], str]
"""Function that gives the digest or the size of a file."""


@dataclass(frozen=True)
class Identity:
    """Identity of the images, labels, parts and pixels that are read.

    Attributes:
        key: hexadecimal digest over all that decides them.
        said: digest or size of each used file, by its place.
    """

    key: str
    said: Mapping[str, str] = field(default_factory=dict, repr=False)


def identify(source: Source, share: float, told: Told) -> Identity:
    """Compute the identity of a set.

    Args:
        source: the set.
        share: share held out of it if it has no test part.
        told: gives the digest or size of a file.

    Raises:
        DseError: a file cannot be read.
    """
    by_place = {file.place: told(source.folder, file) for file in files_of(source)}
    digest = hashlib.sha256()
    _frame(digest, [f"dse {DECODING_VERSION}", source.kind, str(share)])
    for texts in (source.columns, source.class_names):
        _frame(digest, [str(len(texts)), *texts])
    for part in (part for part in PARTS if part in source.used):
        used = source.used[part]
        _frame(digest, [part, str(len(used))])
        _frame(
            digest,
            (x for f, label in used for x in (f.place, label, by_place[f.place])),
        )
    return Identity(digest.hexdigest(), by_place)


def files_of(source: Source) -> list[Found]:
    """List the files that make up a set, each once."""
    every = {file.place: file for used in source.used.values() for file, _ in used}
    return list(every.values())


def content_digest(folder: Path, file: Found) -> str:
    """SHA-256 digest of a file's bytes."""
    if file.extension != ".parquet" and file.size > MOST_FILE_BYTES:
        raise DseError(
            f"{as_text(file.place)} has {file.size:,} bytes; expected at most "
            f"{MOST_FILE_BYTES:,}"
        )
    path = f"{folder}/{file.place}"
    if file.size < WHOLE_BYTES:
        return hashlib.sha256(read_regular(path, MOST_FILE_BYTES)).hexdigest()
    with open_regular(path) as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def moment_of(source: Source) -> str:
    """Digest that changes with any used file, also if its size stays the same."""
    digest = hashlib.sha256()
    for file in files_of(source):
        status = (source.folder / file.place).stat()
        seen = status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino
        _frame(digest, [file.place, *map(str, seen)])
    return digest.hexdigest()


def size(folder: Path, file: Found) -> str:
    """Size of a file in bytes, as text."""
    return str(file.size)


def refuse_too_large(source: Source) -> None:
    """Refuse a set whose files are too large to be held in memory.

    Raises:
        DseError: they have more than `MOST_BYTES` together.
    """
    together = sum(file.size for file in files_of(source))
    if together > MOST_BYTES:
        raise DseError(
            f"dataset {source.called} has {together / 2**30:.1f} GiB of files; in "
            f"memory go {MOST_BYTES // 2**30} at most: take fewer images, or stream "
            "them with --preset imagenet"
        )


def _frame(digest: "hashlib._Hash", texts: Iterable[str]) -> None:
    """Add each text after its length, so that other texts give another digest."""
    for text in texts:
        content = os.fsencode(text)
        digest.update(f"{len(content)}:".encode() + content)
