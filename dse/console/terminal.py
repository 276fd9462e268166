"""What is printed for a person: whole in a pipe, and as wide as a terminal."""

import os
import sys
from collections.abc import Sequence

from rich.console import Console

from dse.errors import printable

GAP = 2
"""Spaces between two columns."""


def open_console() -> Console:
    """Standard output: a terminal only where it is one.

    FORCE_COLOR keeps colours in a pipe, and does not make it 80 letters wide.
    """
    if sys.stdout.isatty():
        return Console()
    colours = "standard" if os.environ.get("FORCE_COLOR") else None
    return Console(force_terminal=False, color_system=colours)  # type: ignore[arg-type]


def say(*lines: str) -> None:
    """Print lines; nothing in them steers a terminal."""
    for line in lines:
        print(printable(line))


def columns_that_fit(widths: Sequence[int], room: int, gap: int = GAP) -> int:
    """How many columns there is room for, from the first on; at least one."""
    used = -gap
    for count, width in enumerate(widths):
        used += gap + width
        if used > room and count:
            return count
    return len(widths)


def hidden_columns_line(names: Sequence[str], of: int) -> str:
    """What a terminal is too narrow for; empty where that is nothing."""
    if not names:
        return ""
    return (
        f"{len(names)} of {of} columns do not fit here: {', '.join(names)} (a wider "
        "terminal shows them, and so does a file or a pipe)"
    )
