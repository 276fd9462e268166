"""Files that are whole or not there, and where they lie."""

from collections.abc import Callable
from pathlib import Path

MOUNTS = Path("/proc/mounts")
NETWORK = {"nfs", "nfs4", "cifs", "smb3", "lustre", "beegfs", "gpfs", "ceph", "9p"}
"""File systems that several machines may share; so may those that begin with fuse."""


def write_whole(file: Path, write: Callable[[Path], object]) -> None:
    """Have `write` make a file beside `file`, then put it in its place.

    Raises:
        OSError: it cannot be written; what was at `file` is still there.
    """
    unfinished = file.with_name(f".{file.name}.partial")
    try:
        write(unfinished)
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)


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
