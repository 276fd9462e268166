"""What experiments, presets and arms may be called: studies and folders are so."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path

from dse.errors import DseError
from dse.store import SEARCHES

TAKEN = ("front", "weights", "checkpoints", "logs")
"""Folders beside a database."""
MOST_LETTERS = 60
"""Of a name: 240 bytes at most, where a file's may have 255."""


def name_of_file(file: Path, shipped: Mapping[str, Path]) -> str:
    """What the experiment in a file is called: as the file, without `.py`.

    Args:
        file: where it is.
        shipped: the files that come with the package, by name; a copy of one is it.

    Raises:
        DseError: the name is no word, or means something else already.
    """
    name = unicodedata.normalize("NFC", file.stem)
    others = {other.casefold(): other for other in shipped}
    known = others.get(name.casefold())
    if known is not None and file.read_bytes() == shipped[known].read_bytes():
        return known
    if known is not None:
        why = f"{known} comes with the package, and its studies are called so"
    elif name.casefold().startswith(SEARCHES):
        why = f"names that begin with {SEARCHES} are those of searches"
    elif name.casefold() in TAKEN:
        why = f"the folder {name} beside a database holds something else"
    elif "." in name:
        why = "a dot parts an experiment's name from an arm's"
    elif not _is_word(name):
        why = (
            f"expected at most {MOST_LETTERS} letters, digits, spaces, _ and -, the "
            "first and the last no space or -"
        )
    else:
        return name
    raise DseError(
        f"experiment {str(file)!r} would be called {name!r}; {why}: rename the file "
        "(runs that are there count under any name)"
    )


def check_names(kind: str, names: Iterable[str]) -> None:
    """Refuse presets or arms whose names cannot be part of a study's name.

    Raises:
        DseError: one has other characters, or is too long.
    """
    for name in names:
        if not isinstance(name, str) or not _is_word(name.replace(".", "")):
            raise DseError(
                f"{kind} is called {name!r}; expected at most {MOST_LETTERS} letters, "
                "digits, spaces, dots, _ and -"
            )


def _is_word(name: str) -> bool:
    word = re.fullmatch(r"\w([\w -]*\w)?", name)
    return word is not None and len(name) <= MOST_LETTERS
