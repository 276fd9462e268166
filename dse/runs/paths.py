"""Paths of the files of a run, without JAX."""

import datetime
import errno
import os
import re
import stat
from pathlib import Path
from typing import BinaryIO, cast

from dse.errors import DseError

WEIGHTS = "weights"
"""Name of the folder of weights, beside a database."""
PLAIN, COMPRESSED = ".safetensors", ".dsenet"
FORMS = (PLAIN, COMPRESSED)
"""Endings of the files of weights."""
_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,199}")


def within(folder: Path, name: object) -> Path:
    """Path of the entry `name` of `folder`, which need not exist.

    Names come from databases, which a stranger may have written. All code that reads,
    copies or deletes such an entry gets its path here, so it never leaves the folder.

    Raises:
        DseError: `name` is not a plain name, or the entry is a link.
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
    """Open a log to append to and read, without waiting; create it if it is missing.

    Raises:
        OSError: it cannot be written, or is a link, a pipe or the like.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    return _regular(file, os.O_RDWR | os.O_APPEND | os.O_CREAT, "a+b")


def read_from(file: Path) -> BinaryIO:
    """Open a log to read, without waiting.

    Raises:
        OSError: it cannot be read, or is a link, a pipe or the like.
    """
    return _regular(file, os.O_RDONLY, "rb")


def _regular(file: Path, flags: int, mode: str) -> BinaryIO:
    number = os.open(file, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise OSError(errno.EINVAL, "it is no regular file", str(file))
    return cast(BinaryIO, os.fdopen(number, mode))


def checkpoints_of(folder: Path, cell_id: str, replicate: int) -> Path:
    """Path of a run's checkpoints, in the folder that holds the database's files.

    Raises:
        DseError: see `within`.
    """
    return within(folder / "checkpoints", f"{cell_id}-{replicate}")


def weights_of(
    folder: Path,
    cell_id: str,
    replicate: int,
    begun: datetime.datetime,
    form: str = PLAIN,
) -> Path:
    """Path of the weights of a run that began at `begun`, in one of `FORMS`.

    No other run has this path. So the weights of a database that was moved away, and of
    one that took its name, stay apart.

    Raises:
        DseError: see `within`.
    """
    name = f"{cell_id}-{begun:%Y%m%dT%H%M%S%f}-{replicate}{form}"
    return within(folder / WEIGHTS, name)


def log_of(folder: Path, cell_id: str, replicate: int) -> Path:
    """Path of a run's log, in the folder that holds the database's files.

    Raises:
        DseError: see `within`.
    """
    return within(folder / "logs", f"{cell_id}-{replicate}.log")
