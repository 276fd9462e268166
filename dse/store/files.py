"""Files that are whole or not there, and where they lie."""

import contextlib
import errno
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

MOUNTS = Path("/proc/mounts")
NETWORK = {"nfs", "nfs4", "cifs", "smb3", "lustre", "beegfs", "gpfs", "ceph", "9p"}
"""File systems that several machines may share; so may those that begin with fuse."""


def write_whole(file: Path, write: Callable[[BinaryIO], object]) -> None:
    """Have `write` fill a new file beside `file`, then put it in its place.

    Only a regular file is ever replaced: no folder, pipe or device, and no link.

    Raises:
        OSError: it cannot be written; what was at `file` is still there.
    """
    if file.is_symlink() or (file.exists() and not file.is_file()):
        why = "it is a folder, a link, a pipe or a device, and no regular file"
        raise FileExistsError(errno.EEXIST, why, str(file))
    # Nobody can have put a link in the place of a name that nobody knows.
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


def _keep_entry(folder: Path) -> None:
    """Have a folder's new entry outlast a loss of power, where its disk can."""
    with contextlib.suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def on_network(folder: Path) -> bool:
    """Whether a folder is shared by machines; no, where nobody tells."""
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
