"""Print the state of studies once."""

from rich.console import Console
from rich.text import Text

from dse.console.look import look
from dse.console.state import label_points
from dse.console.status_lines import (
    cell_lines,
    detail_lines,
    failure_line,
    pace_line,
    standing_line,
)
from dse.console.tables import print_frame
from dse.console.terminal import open_console
from dse.errors import printable
from dse.store.database import Store
from dse.store.families import fields_of
from dse.store.query import status


def print_status(
    store: Store, study: str | None = None, console: Console | None = None
) -> None:
    """Print the cells of a study, or of all, with failures and progress.

    Raises:
        DseError: there is no such study, or none at all.
    """
    console = console or open_console()
    width = console.width if console.is_terminal else None
    read, state = look(store, study)
    for name, points in state.points.groupby("study"):
        heading, *lines = cell_lines(points, read.fields, width)
        _print(console, Text(printable(str(name)), "bold"))
        _print(console, Text(heading, "dim"))
        _print(console, Text("\n".join(lines) + "\n"))
    several = len(state.studies) > 1
    for failure in state.failures:
        head = failure_line(failure, with_study=several)
        console.print(Text(head, "red"), soft_wrap=width is None)
        for line in detail_lines(failure, store.place.own, width):
            _print(console, Text(line))
    if state.failures:
        console.print()
    last = f"{standing_line(state)}; {pace_line(state)}"
    console.print(Text(last), soft_wrap=width is None)


def print_json(store: Store, study: str | None = None) -> None:
    """Print the cells of a study, or of all, as a list of rows.

    Raises:
        DseError: there is no such study, or none at all.
    """
    labelled = label_points(status(store, study), fields_of(store))
    several = labelled["family"].nunique() > 1
    hidden = ["label", "note", *([] if several else ["family"])]
    print_frame(labelled.drop(columns=hidden), "json")


def _print(console: Console, text: Text) -> None:
    """Print lines, cut to the width of a terminal and whole elsewhere."""
    if console.is_terminal:
        console.print(text, no_wrap=True, overflow="ellipsis")
    else:
        console.print(text, soft_wrap=True)
