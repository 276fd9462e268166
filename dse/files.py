"""Files that are written completely or not at all, their names and file systems."""

import contextlib
import errno
import hashlib
import os
import secrets
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

MOUNTS = Path("/proc/mounts")
NETWORK = {"nfs", "nfs4", "cifs", "smb3", "lustre", "beegfs", "gpfs", "ceph", "9p"}
"""File systems that machines may share; those that begin with `fuse.` count too."""


def write_whole(file: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a new file with `write`, then put it in the place of `file`.

    Only a regular file is replaced, never a folder, link, pipe or device.

    Raises:
        OSError: it cannot be written; `file` is unchanged.
    """
    if file.is_symlink() or (file.exists() and not file.is_file()):
        why = "it is a folder, a link, a pipe or a device, and no regular file"
        raise FileExistsError(errno.EEXIST, why, str(file))
    # Nobody can have put a link in the place of a random name.
    unfinished = file.with_name(f".{file.name[:100]}.{secrets.token_hex(8)}")
    exclusively = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    number = os.open(unfinished, exclusively, 0o666)
    try:
        with os.fdopen(number, "wb") as opened:
            write(opened)
            opened.flush()
            os.fsync(opened.fileno())
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)
    _keep_entry(file.parent)


def copy_beside(database: Path, ending: str) -> Path:
    """Copy a SQLite file to its name with `ending`, completely or not at all.

    Returns:
        Path of the copy; a number is added if the name is taken.

    Raises:
        OSError: it cannot be written.
    """
    numbers = ("", *(f"-{n}" for n in range(2, 1000)))
    names = (f"{database.name}{ending}{n}" for n in numbers)
    copy = next(x for x in map(database.with_name, names) if not x.exists())
    unfinished = copy.with_name(f".{copy.name[:100]}.{secrets.token_hex(8)}")
    try:
        with (
            contextlib.closing(sqlite3.connect(database)) as source,
            contextlib.closing(sqlite3.connect(unfinished)) as target,
        ):
            source.backup(target)
            target.execute("PRAGMA journal_mode = DELETE")
        unfinished.replace(copy)
    except sqlite3.Error as error:
        raise OSError(errno.EIO, f"no copy can be kept of it: {error}") from error
    finally:
        unfinished.unlink(missing_ok=True)
    _keep_entry(copy.parent)
    return copy


def _keep_entry(folder: Path) -> None:
    """Make a new entry of a folder survive a loss of power, if the disk can."""
    with contextlib.suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def bounded(name: str, most: int = 100) -> str:
    """Cut a name to at most `most` bytes; a cut name ends in a digest."""
    if len(name.encode()) <= most:
        return name
    digest = short_digest(name)
    start = name.encode()[: most - len(digest) - 1]
    return f"{start.decode(errors='ignore')}-{digest}"


def short_digest(text: str, digits: int = 8) -> str:
    """First hexadecimal digits of a text's SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:digits]


def on_network(folder: Path) -> bool:
    """Check whether machines may share a folder's file system; False if unknown."""
    try:
        mounts = MOUNTS.read_text().splitlines()
    except OSError:
        return False
    place = folder.resolve()
    kinds = {
        Path(words[1].replace(r"\040", " ")): words[2]
        for words in map(str.split, mounts)
    }
    kind = next((kinds[p] for p in (place, *place.parents) if p in kinds), "")
    return kind in NETWORK or kind.startswith("fuse.")
