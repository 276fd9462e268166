"""Names as they lie on a disk, as text that can be kept and shown; names of parts."""

import hashlib
import os
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from dse.errors import printable

PartName = Literal["train", "validation", "test"]

SPELLINGS: dict[str, PartName] = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
    "eval": "test",
    "evaluation": "test",
}
"""What a folder or Parquet file of a part is called, in any capitals."""


MOST_BYTES, MOST_BYTES_OF_SET = 100, 150
"""Of a folder's name, which must leave room for what a file system adds; and of a
set's, which its reports' folders begin with."""
WHOLE = "."
"""As the folder to train on: the dataset's own, but for what is another part."""
BEGINNINGS = ("train", "val", "dev", "test", "eval")


def part_called(name: str) -> PartName | None:
    """The part that a folder of this name holds; None where it is no part's name."""
    return SPELLINGS.get(folded(name))


def part_of_file(stem: str) -> PartName | None:
    """The part that a Parquet file holds: its name begins with the part's."""
    plain = folded(stem)
    word = plain[: next((i for i, x in enumerate(plain) if not x.isalpha()), None)]
    return SPELLINGS.get(word)


def part_told(name: str) -> bool:
    """Whether a word in a folder's name begins as a part's does: `train_data`."""
    words = re.split(r"[^a-z]+", folded(name))
    return any(word.startswith(BEGINNINGS) for word in words)


def folded(name: str) -> str:
    """`name` without what people mix up: capitals, Unicode forms, outer spaces."""
    return unicodedata.normalize("NFKC", name).casefold().strip()


def as_text(name: str | Path) -> str:
    """A file's name, with what is no UTF-8, or would break a line, as escapes."""
    return printable(os.fsencode(name).decode("utf-8", "backslashreplace"))


def short_name(path: Path) -> str:
    """What a set in a folder is called: its name, fit for the name of a folder."""
    text = as_text(path.resolve().name)
    plain = "".join(x if x.isprintable() else "_" for x in text) or "root"
    return bounded(plain, MOST_BYTES_OF_SET)


def bounded(name: str, most: int = MOST_BYTES) -> str:
    """A name of so many bytes at most: a longer one ends in what tells it apart."""
    if len(name.encode()) <= most:
        return name
    digest = short_digest(name)
    start = name.encode()[: most - len(digest) - 1]
    return f"{start.decode(errors='ignore')}-{digest}"


def short_digest(text: str) -> str:
    """Eight digits that tell texts apart."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def listed(names: Iterable[str], most: int = 3) -> str:
    """The first few names in words, and how many more there are."""
    every = list(names)
    rest = len(every) - most
    shown = ", ".join(every[:most])
    return f"{shown} and {rest:,} more" if rest > 0 else shown
