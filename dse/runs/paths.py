"""Where the files of a run lie; known without JAX."""

import datetime
import errno
import os
import re
import stat
from pathlib import Path
from typing import BinaryIO, cast

from dse.errors import DseError

WEIGHTS = "weights"
"""The folder of weights, beside a database."""
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


def append_to(file: Path) -> BinaryIO:
    """A log to add to and to read; made, where it is missing. It never waits.

    Raises:
        OSError: it cannot be written; or a link, a pipe or the like is called so.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    return _regular(file, os.O_RDWR | os.O_APPEND | os.O_CREAT, "a+b")


def read_from(file: Path) -> BinaryIO:
    """A log to read. It never waits.

    Raises:
        OSError: it cannot be read; or a link, a pipe or the like is called so.
    """
    return _regular(file, os.O_RDONLY, "rb")


def _regular(file: Path, flags: int, mode: str) -> BinaryIO:
    number = os.open(file, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise OSError(errno.EINVAL, "it is no regular file", str(file))
    return cast(BinaryIO, os.fdopen(number, mode))


def checkpoints_of(folder: Path, cell_id: str, replicate: int) -> Path:
    """The checkpoints of a run, under the folder that holds the database's files.

    Raises:
        DseError: see `within`.
    """
    return within(folder / "checkpoints", f"{cell_id}-{replicate}")


def weights_of(
    folder: Path, cell_id: str, replicate: int, begun: datetime.datetime
) -> Path:
    """Where the weights of a run go that was begun then.

    No other run's are called so: a database that was moved away, and one that took its
    name, keep apart what they train.

    Raises:
        DseError: see `within`.
    """
    name = f"{cell_id}-{begun:%Y%m%dT%H%M%S%f}-{replicate}.safetensors"
    return within(folder / WEIGHTS, name)


def log_of(folder: Path, cell_id: str, replicate: int) -> Path:
    """The log of a run, under the folder that holds the database's files.

    Raises:
        DseError: see `within`.
    """
    return within(folder / "logs", f"{cell_id}-{replicate}.log")
