"""Terminal output on a dataset: progress while it is read, then its contents."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from dse.console.terminal import say
from dse.errors import printable

if TYPE_CHECKING:
    from dse.data.dataset import ImageData

PATIENCE_SECONDS = 2.0
"""Least seconds before a line of progress where there is no terminal."""


@contextlib.contextmanager
def watching(
    name: str, console: Console | None = None
) -> Iterator[Callable[[int, int], None]]:
    """Yield a function that shows how many images are read, as a bar or in lines."""
    console = console or Console(stderr=True)
    if console.is_terminal:
        bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("images"),
            console=console,
            transient=True,
        )
        task = bar.add_task(f"reading {printable(name)}", total=None)
        with bar:
            yield lambda done, of: bar.update(task, completed=done, total=of)
        return
    printed_at = time.monotonic()

    def tell(done: int, of: int) -> None:
        nonlocal printed_at
        now = time.monotonic()
        if now - printed_at > PATIENCE_SECONDS and done < of:
            printed_at = now
            line = f"reading {printable(name)}: {done:,} of {of:,} images"
            print(line, file=sys.stderr)

    yield tell


def introduce(dataset: "ImageData", *, whole: bool = False) -> None:
    """Print the contents of a set in a line, then the warnings about it.

    Args:
        dataset: the set.
        whole: True to print all of the contents.
    """
    contents = dataset.contents
    if contents is None:
        return
    if whole:
        say(f"{dataset.name}: {dataset.classes:,} classes", *contents.lines())
    else:
        say(f"{dataset.name}: {contents.short()}")
    say(*(f"warning: {warning}" for warning in contents.warnings()))
