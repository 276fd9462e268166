"""Where the files of a run lie; known without JAX."""

import re
from pathlib import Path

from dse.errors import DseError

_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,199}")


def within(folder: Path, name: object) -> Path:
    """Where the entry of `folder` that is called `name` lies, or would lie.

    Names come out of databases, and a stranger may have written those: whatever reads,
    copies or deletes by one asks here, and never leaves the folder.

    Raises:
        DseError: it is no plain name, or a link is called so.
    """
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        raise DseError(
            f"the database names {str(name)[:80]!r} in {folder}; expected a plain name "
            "there: nothing is done with it"
        )
    place = folder / name
    if place.is_symlink():
        raise DseError(f"{place} is a link; links are not followed: remove it")
    return place


def checkpoints_of(folder: Path, cell_id: str, replicate: int) -> Path:
    """The checkpoints of a run, under the folder that holds the database's files.

    Raises:
        DseError: see `within`.
    """
    return within(folder / "checkpoints", f"{cell_id}-{replicate}")


def log_of(folder: Path, cell_id: str, replicate: int) -> Path:
    """The log of a run, under the folder that holds the database's files.

    Raises:
        DseError: see `within`.
    """
    return within(folder / "logs", f"{cell_id}-{replicate}.log")
