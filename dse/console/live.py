"""Live view of the state of studies, refreshed while a sweep runs."""

import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterator

import pandas as pd
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from dse.console.look import Seen, look, reading_store
from dse.console.state import Counts, Outlook
from dse.console.status_lines import (
    count_line,
    failed_lines,
    pace_line,
    running_lines,
    standing_line,
)
from dse.console.terminal import open_console
from dse.errors import DseError, printable
from dse.store.database import Store

SECONDS = 2.0
"""Least seconds from one reading to the next."""
SHARE = 0.1
"""Largest share of the time that readings of a large database may take."""
SETTLING = 10
"""Readings in a row that must find nothing missing; one where no sweep runs.

A failed run may be tried again once a worker is back; a search may propose points.
"""
REMEMBERED = 5
"""Latest readings to take the most workers from: one is idle between two runs."""
MOST_STUDIES = 10
"""Most studies that get a line of their own."""
BESIDE_LABEL = 52
"""Letters of a run's line in the live view beside its label."""


def watch(
    store: Store,
    study: str | None = None,
    console: Console | None = None,
    wait: Callable[[float], None] = time.sleep,
) -> None:
    """Show a study, or all, until nothing is missing or Ctrl-C is pressed.

    It only reads. While the database does not answer, it waits.

    Args:
        store: the database.
        study: a study's name.
        console: where to show it; one that is not interactive gets every change.
        wait: function that waits for some seconds.

    Raises:
        DseError: there is no such study, or none at all.
    """
    screen = _shown_on(console or open_console())
    with contextlib.suppress(KeyboardInterrupt), screen as show:
        for state, away in _states(reading_store(store), study, wait):
            show(state, away)


def _states(
    store: Store, study: str | None, wait: Callable[[float], None]
) -> Iterator[tuple[Outlook, str]]:
    """Yield each reading; if one fails, the one before it and the reason."""
    state = store.patiently(lambda: look(store, study)[1])
    changed: pd.Timestamp | None = None
    workers = deque([state.workers], maxlen=REMEMBERED)
    finished, away, took = 0, "", 0.0
    while True:
        yield state, away
        finished = finished + 1 if state.finished else 0
        if finished >= (1 if state.driven is False else SETTLING):
            return
        wait(max(SECONDS, took / SHARE) - took)
        began, away = time.monotonic(), ""
        try:
            _, now = look(store, study, Seen(changed, max(workers)))
        except DseError as error:
            away = f"{error}; waiting for it"
        else:
            changed = changed if now == state else pd.Timestamp.now("UTC")
            state = now
            workers.append(state.workers)
        took = time.monotonic() - began


@contextlib.contextmanager
def _shown_on(console: Console) -> Iterator[Callable[[Outlook, str], None]]:
    """Yield a function that redraws each reading, or prints it if it has changed."""
    if console.is_interactive:
        with Live(console=console, auto_refresh=False) as live:

            def draw(state: Outlook, away: str) -> None:
                live.update(_picture(state, away, console), refresh=True)

            yield draw
        return
    printed = ""

    def tell(state: Outlook, away: str) -> None:
        nonlocal printed
        block = "\n".join(_block(state, away))
        if block != printed:
            console.print(Text(f"{block}\n"), soft_wrap=True)
        printed = block

    yield tell


def _picture(state: Outlook, away: str, console: Console) -> RenderableType:
    """Draw the live view, fitted to the screen."""
    studies, others = _shown_studies(state)
    bars = Table.grid(padding=(0, 2))
    for name, counts in studies.items():
        ended = counts.complete + counts.failed
        bar = ProgressBar(counts.planned, ended, width=24)
        bars.add_row(Text(printable(name)), bar, Text(f"{ended}/{counts.planned}"))
    letters = max(console.width - BESIDE_LABEL, 24)
    running, failed = running_lines(state, letters), failed_lines(state, letters)
    room = max(console.height - len(studies) - len(failed) - 8, 3)
    if len(running) > room:
        running[room:] = [f"and {len(running) - room} more runs"]
    lines = [
        Text(others, "dim"),
        Text(standing_line(state)),
        Text(pace_line(state), "yellow" if state.stalled else ""),
        Text(printable(away), "yellow"),
        Text("\n".join(["", *running]), "cyan", no_wrap=True, overflow="ellipsis"),
        Text("\n".join(["", *failed]), "red", no_wrap=True, overflow="ellipsis"),
    ]
    return Group(bars, *(line for line in lines if line.plain))


def _block(state: Outlook, away: str) -> list[str]:
    """The live view as lines to print."""
    studies, others = _shown_studies(state)
    counts = studies.items()
    lines = [f"{printable(name)}: {count_line(of_it)}" for name, of_it in counts]
    if len(state.studies) == 1:
        lines = []
    lines += [others, f"{_all(state)}: {standing_line(state)}"]
    lines += [pace_line(state), printable(away)]
    lines += [f"  {line}" for line in (*running_lines(state), *failed_lines(state))]
    return [line for line in lines if line]


def _all(state: Outlook) -> str:
    """Name of the study that is shown, or "all"."""
    return "all" if len(state.studies) > 1 else printable(next(iter(state.studies)))


def _shown_studies(state: Outlook) -> tuple[dict[str, Counts], str]:
    """The studies that there is room for, and a line on the others."""
    if len(state.studies) <= MOST_STUDIES:
        return dict(state.studies), ""
    missing = {name: counts for name, counts in state.studies.items() if counts.missing}
    shown = dict(list(missing.items())[:MOST_STUDIES])
    finished, rest = len(state.studies) - len(missing), len(missing) - len(shown)
    return shown, f"and {finished} studies that are finished, {rest} that are not"
