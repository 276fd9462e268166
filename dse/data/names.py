"""Names of files as text that can be stored and shown, and names of parts."""

import os
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from dse.errors import printable
from dse.files import bounded

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
"""The part that a folder or Parquet file of each name holds, in any case."""


MOST_BYTES_OF_SET = 150
"""Most bytes of a set's name, which begins the names of its reports."""
WHOLE = "."
"""Folder to train on that means the dataset's own, without its other parts."""
BEGINNINGS = ("train", "val", "dev", "test", "eval")


def part_called(name: str) -> PartName | None:
    """Part that a folder of this name holds; None if it is no part's name."""
    return SPELLINGS.get(folded(name))


def part_of_file(stem: str) -> PartName | None:
    """Part that a Parquet file holds, by the first word of its name, or None."""
    plain = folded(stem)
    word = plain[: next((i for i, x in enumerate(plain) if not x.isalpha()), None)]
    return SPELLINGS.get(word)


def part_told(name: str) -> bool:
    """True if a word in a folder's name begins like a part's, as in `train_data`."""
    words = re.split(r"[^a-z]+", folded(name))
    return any(word.startswith(BEGINNINGS) for word in words)


def folded(name: str) -> str:
    """Remove differences in case, Unicode form and outer spaces from a name."""
    return unicodedata.normalize("NFKC", name).casefold().strip()


def as_text(name: str | Path) -> str:
    """Return a file's name with invalid UTF-8 and control characters escaped."""
    return printable(os.fsencode(name).decode("utf-8", "backslashreplace"))


def short_name(path: Path) -> str:
    """Name of a set in a folder, usable in the name of a folder."""
    text = as_text(path.resolve().name)
    plain = "".join(x if x.isprintable() else "_" for x in text) or "root"
    return bounded(plain, MOST_BYTES_OF_SET)


def listed(names: Iterable[str], most: int = 3) -> str:
    """Join the first `most` names, and add how many more there are."""
    every = list(names)
    rest = len(every) - most
    shown = ", ".join(every[:most])
    return f"{shown} and {rest:,} more" if rest > 0 else shown
