"""Files that are whole or not there."""

from collections.abc import Callable
from pathlib import Path


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
