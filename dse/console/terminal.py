"""Output for people: whole in a pipe, fitted to the width of a terminal."""

import os
import sys
from collections.abc import Sequence

from rich.console import Console

from dse.errors import printable

GAP = 2
"""Spaces between two columns."""


def open_console() -> Console:
    """Open standard output as a console.

    FORCE_COLOR keeps colours in a pipe, but does not make it a terminal of 80 letters.
    """
    if sys.stdout.isatty():
        return Console()
    colours = "standard" if os.environ.get("FORCE_COLOR") else None
    return Console(force_terminal=False, color_system=colours)  # type: ignore[arg-type]


def say(*lines: str) -> None:
    """Print lines, with control characters escaped."""
    for line in lines:
        print(printable(line))


def columns_that_fit(widths: Sequence[int], room: int, gap: int = GAP) -> int:
    """Number of columns that fit, from the first on; at least one."""
    used = -gap
    for count, width in enumerate(widths):
        used += gap + width
        if used > room and count:
            return count
    return len(widths)


def hidden_columns_line(names: Sequence[str], of: int) -> str:
    """Describe the columns that do not fit; empty where all do."""
    if not names:
        return ""
    return (
        f"{len(names)} of {of} columns do not fit here: {', '.join(names)} (a wider "
        "terminal shows them, and so does a file or a pipe)"
    )
