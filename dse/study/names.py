"""Rules for names of experiments, presets and arms: they name studies and folders."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dse.errors import DseError
from dse.files import short_digest
from dse.runs.recipe import Recipe
from dse.store import SEARCHES

TAKEN = ("front", "weights", "checkpoints", "logs")
"""Names of folders beside a database."""
MOST_LETTERS = 60
"""Longest name, in letters: at most 240 bytes, where a file name may have 255."""


def shipped_experiments() -> dict[str, Path]:
    """Files of the experiments that come with the package, by name."""
    package = Path(__file__).parents[1]
    folders = [package / "experiments", package.parent / "experiments"]
    folder = next((f for f in folders if f.is_dir()), folders[0])
    return {file.stem: file for file in sorted(folder.glob("[!_]*.py"))}


def name_of_file(file: Path, shipped: Mapping[str, Path]) -> str:
    """The name of the experiment in a file: the file's name without `.py`.

    Args:
        file: path of the file.
        shipped: files that come with the package, by name; a copy counts as original.

    Raises:
        DseError: the name has forbidden characters, or is already in use.
    """
    name = unicodedata.normalize("NFC", file.stem)
    known = {other.casefold(): other for other in shipped}.get(name.casefold())
    if known is not None and file.read_bytes() == shipped[known].read_bytes():
        return known
    if why := _why_not(name, shipped):
        raise DseError(
            f"experiment {str(file)!r} would be called {name!r}; {why}: rename the "
            "file (runs that are there count under any name)"
        )
    return name


def check_name(name: str) -> str:
    """Check the name of an experiment without a file, and return it normalized.

    Raises:
        DseError: the name has forbidden characters, or is already in use.
    """
    normal = unicodedata.normalize("NFC", name)
    if why := _why_not(normal, shipped_experiments()):
        raise DseError(f"an experiment would be called {name!r}; {why}: take another")
    return normal


def _why_not(name: str, shipped: Mapping[str, Path]) -> str:
    """The reason why an experiment cannot have this name; empty if it can."""
    known = {other.casefold(): other for other in shipped}.get(name.casefold())
    if known is not None:
        return f"{known} comes with the package, and its studies are called so"
    if name.casefold().startswith(SEARCHES):
        return f"names that begin with {SEARCHES} are those of searches"
    if name.casefold() in TAKEN:
        return f"the folder {name} beside a database holds something else"
    if "." in name:
        return "a dot parts an experiment's name from an arm's"
    if not _is_word(name):
        return (
            f"expected at most {MOST_LETTERS} letters, digits, spaces, _ and -, the "
            "first and the last no space or -"
        )
    return ""


def check_names(kind: str, names: Iterable[str]) -> None:
    """Refuse presets or arms whose names cannot be part of a study's name.

    Raises:
        DseError: a name has other characters, or is too long.
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


def arm_names(combinations: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names of arms from the recipe fields that they set: `rate 0.05 dropout 0.5`.

    If rounded values would give equal names, values have all their digits. A name that
    is too long ends in a digest.
    """
    fields = Recipe.fields
    words = [
        [fields[name].named(name, value) for name, value in changes.items()]
        for changes in combinations
    ]
    if len({" ".join(parts) for parts in words}) < len(words):
        words = [[f"{x} {y!r}" for x, y in changes.items()] for changes in combinations]
    return [_cut(" ".join(parts).replace("'", "")) for parts in words]


def _cut(name: str) -> str:
    plain = re.sub(r"[^\w .-]", "-", name)
    if len(plain) <= MOST_LETTERS:
        return plain
    digest = short_digest(name)
    return f"{plain[: MOST_LETTERS - 9].strip(' .-')}-{digest}"
