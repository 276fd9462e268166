"""Find the files in a dataset's folder in one pass, and what is left out."""

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path

from dse.data.names import as_text
from dse.errors import DseError

MOST_FILES = 5_000_000
MOST_DEPTH = 32
"""Most folders within one another."""

NOT_DATA = ("/proc", "/sys", "/dev")
"""Folders of the kernel, which are no real files; reading them may never end."""


@dataclass(frozen=True)
class Found:
    """A regular file in a dataset's folder, links resolved.

    Attributes:
        place: path relative to the dataset's folder, with slashes.
        size: size in bytes.
        inode: device and inode, the same for two names of one file.
    """

    place: str
    size: int
    inode: tuple[int, int] = (0, 0)

    @property
    def steps(self) -> tuple[str, ...]:
        """Names of the folders above the file, and its own name."""
        return tuple(self.place.split("/"))

    @property
    def extension(self) -> str:
        """Extension in lower case, as `.png`; empty if there is none."""
        stem, dot, kind = self.place.rpartition("/")[2].rpartition(".")
        return f".{kind.lower()}" if stem and dot else ""


@dataclass(frozen=True)
class LeftOut:
    """A file, or a folder with all in it, that is no part of the set."""

    place: str
    reason: str


@dataclass(frozen=True)
class Walk:
    """Files in a folder.

    Attributes:
        files: sorted by place.
        left_out: hidden files and folders, and links that are not followed.
        linked_folders: True if a folder was reached through a link.
        linked_twice: places of two links to one folder; the second was left out.
    """

    files: tuple[Found, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    linked_folders: bool = False
    linked_twice: tuple[tuple[str, str], ...] = ()


def walk(folder: Path) -> Walk:
    """Find all files in `folder`, in one pass.

    Links are followed, also out of the folder, but not in a circle; of several links to
    one folder only the first. Names that begin with a dot are hidden and left out.

    Raises:
        DseError: there are pipes, sockets, devices or links to kernel files, too many
            files or too deep folders, or a folder cannot be read.
    """
    seen = _Walker(folder)
    seen.enter("", folder, (_identity(folder.stat()),))
    files = sorted(seen.files, key=lambda file: file.place)
    left_out = sorted(seen.left_out, key=lambda left: left.place)
    return Walk(
        tuple(files), tuple(left_out), bool(seen.linked), tuple(seen.linked_twice)
    )


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


class _Walker:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.files: list[Found] = []
        self.left_out: list[LeftOut] = []
        self.linked: dict[tuple[int, int], str] = {}
        self.linked_twice: list[tuple[str, str]] = []

    def enter(self, place: str, folder: Path, above: Sequence[tuple[int, int]]) -> None:
        """Collect the files in a folder; `above` identifies it and those around it."""
        if len(above) > MOST_DEPTH:
            raise DseError(
                f"dataset folder {as_text(self.root)} has folders {MOST_DEPTH} deep "
                f"({as_text(place)}); expected a folder of images in class folders"
            )
        for entry in self._entries(folder):
            inner = f"{place}/{entry.name}" if place else entry.name
            if entry.name.startswith("."):
                self.left_out.append(LeftOut(inner, "hidden"))
                continue
            self._take(inner, entry, above)
            if len(self.files) + len(self.left_out) > MOST_FILES:
                raise DseError(
                    f"dataset folder {as_text(self.root)} holds more than "
                    f"{MOST_FILES:,} files; name the folder that holds the images"
                )

    def _entries(self, folder: Path) -> Iterator["os.DirEntry[str]"]:
        try:
            with os.scandir(folder) as entries:
                yield from sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            raise DseError(
                f"dataset folder {as_text(folder)} cannot be read: {error.strerror}"
            ) from error

    def _take(
        self, place: str, entry: "os.DirEntry[str]", above: Sequence[tuple[int, int]]
    ) -> None:
        linked = entry.is_symlink()
        try:
            status = entry.stat()
        except OSError:
            self.left_out.append(LeftOut(place, "a link that leads nowhere"))
            return
        kind = stat.S_IFMT(status.st_mode)
        if kind not in (stat.S_IFREG, stat.S_IFDIR):
            self._refuse(place, "is a pipe, a socket or a device")
        if linked and _is_kernels(os.path.realpath(entry.path)):
            self._refuse(place, "leads into the kernel's own files")
        if kind == stat.S_IFREG:
            self.files.append(Found(place, status.st_size, _identity(status)))
            return
        identity = _identity(status)
        if identity in above:
            self.left_out.append(LeftOut(place, "a link in a circle"))
            return
        if linked:
            first = self.linked.setdefault(identity, place)
            if first != place:
                reason = f"linked at {as_text(first)} already"
                self.left_out.append(LeftOut(place, reason))
                self.linked_twice.append((first, place))
                return
        self.enter(place, Path(entry.path), (*above, identity))

    def _refuse(self, place: str, what: str) -> None:
        raise DseError(
            f"dataset folder {as_text(self.root)}: {as_text(place)} {what}; a dataset "
            "is made of regular files: take it out of the folder"
        )


def _is_kernels(path: str) -> bool:
    return any(path == root or path.startswith(f"{root}/") for root in NOT_DATA)


def read_regular(file: Path | str, most: int) -> bytes:
    """Read a regular file of at most `most` bytes, without blocking.

    Raises:
        DseError: it cannot be read, is no regular file, or is larger.
    """
    with _reading(file) as (number, size):
        if size > most:
            raise DseError(
                f"{as_text(file)} has {size:,} bytes; expected at most {most:,}"
            )
        content = os.read(number, size)
        while len(content) < size and (more := os.read(number, size - len(content))):
            content += more
        return content


@contextmanager
def open_regular(file: Path | str) -> Iterator[BufferedIOBase]:
    """Open a regular file for reading, without blocking.

    Raises:
        DseError: it cannot be read, or is no regular file.
    """
    with _reading(file) as (number, _), os.fdopen(os.dup(number), "rb") as opened:
        yield opened


@contextmanager
def _reading(file: Path | str) -> Iterator[tuple[int, int]]:
    """Open a regular file; give its descriptor and size."""
    try:
        number = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            status = os.fstat(number)
            if not stat.S_ISREG(status.st_mode):
                raise DseError(f"{as_text(file)} is no regular file")
            yield number, status.st_size
        finally:
            os.close(number)
    except OSError as error:
        raise DseError(
            f"{as_text(file)} cannot be read: {error.strerror or error}"
        ) from error
