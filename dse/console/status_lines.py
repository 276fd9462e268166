"""Counts, pace, runs and cells of studies as lines of text."""

import textwrap
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from dse.console.state import (
    Counts,
    Failure,
    Outlook,
    metaparameter_text,
    varied,
)
from dse.console.tables import duration
from dse.console.terminal import columns_that_fit, hidden_columns_line
from dse.errors import DseError, printable
from dse.fields import Fields
from dse.runs.paths import log_of

MOST_FAILURES = 5
"""Most failures that are listed while a sweep runs."""
DETAIL_LETTERS = 240
"""Most letters of a failure's detail on a screen; its log has all."""


def count_line(counts: Counts, reasons: Mapping[str, int] | None = None) -> str:
    """Describe counts of runs, with the failures by reason where those are known."""
    line = f"{counts.complete} of {counts.planned} runs complete"
    if counts.failed:
        line += f", {counts.failed} failed"
    if reasons:
        named = ", ".join(f"{n} {reason}" for reason, n in reasons.items())
        line += f" ({printable(named)})"
    if counts.missing:
        line += f", {counts.missing} missing"
    if counts.running:
        line += f" ({counts.running} of them running)"
    return line


def standing_line(state: Outlook) -> str:
    """Describe the total counts, without networks that ended searches left."""
    counts = replace(state.total, missing=0) if state.ended else state.total
    return count_line(counts, state.reasons)


def pace_line(state: Outlook) -> str:
    """Describe the speed and the time left, or why nothing is under way."""
    pace, count = state.pace, len(state.under_way)
    if state.stalled:
        return (
            f"the sweep seems not to run any more: {count} run"
            f"{' is' if count == 1 else 's are'} marked as running that nothing trains "
            "(the same command again goes on)"
        )
    if state.ended:
        several = sum(counts.missing > 0 for counts in state.studies.values()) > 1
        return (
            f"the search{'es have' if several else ' has'} ended; networks that were "
            f"not begun: {state.total.missing} (the same command trains them, with "
            "more time or trials where it had used up its own)"
        )
    if not count and state.not_begun:
        return (
            "nothing is under way; networks that a search did not begin, among the "
            f"missing: {state.not_begun}"
        )
    if not count:
        return "nothing is missing" if state.finished else "nothing is under way"
    parts = []
    if pace.images_per_second is not None:
        parts.append(f"{pace.images_per_second:,.0f} images/s")
    if pace.runs_per_hour is not None:
        whole = pace.runs_per_hour >= 10
        parts.append(f"{pace.runs_per_hour:,.{0 if whole else 1}f} runs/h")
    left = pace.seconds_left
    parts.append(
        "time left unknown yet" if left is None else f"about {duration(left)} left"
    )
    return ", ".join(parts)


def running_lines(state: Outlook, letters: int | None = None) -> list[str]:
    """A line for each run under way; labels are cut to `letters`."""
    rows = []
    for run in state.under_way:
        accuracy, speed = run.val_accuracy, run.images_per_second
        rows.append(
            [
                _clipped(run.label, letters),
                f"replicate {run.replicate}",
                f"epoch {run.epoch} of {run.epochs}",
                "" if accuracy is None else f"{accuracy:.1%}",
                "" if speed is None else f"{speed:,.0f} images/s",
                run.study if len(state.studies) > 1 else "",
            ]
        )
    return _aligned(rows, right=(3, 4))


def failed_lines(state: Outlook, letters: int | None = None) -> list[str]:
    """A line for each of the newest failures, and one on the older."""
    newest = state.failures[-MOST_FAILURES:][::-1]
    rows = [
        [
            _clipped(failure.label, letters),
            f"replicate {failure.replicate}",
            f"failed, {failure.reason}",
            failure.study if len(state.studies) > 1 else "",
            _clipped(failure.detail or "", DETAIL_LETTERS),
        ]
        for failure in newest
    ]
    older = len(state.failures) - len(newest)
    return [*_aligned(rows), *([f"and {older} older failures"] if older else [])]


def failure_line(failure: Failure, *, with_study: bool) -> str:
    """Describe a failed run: reason, tries, label and cell."""
    tries = "1 try" if failure.tries == 1 else f"{failure.tries} tries"
    cell = f"{failure.study}, {failure.cell_id}" if with_study else failure.cell_id
    return printable(
        f"{failure.reason}, {tries}: {failure.label}, replicate {failure.replicate} "
        f"({cell})"
    )


def detail_lines(failure: Failure, folder: Path, width: int | None) -> list[str]:
    """A failure's detail, wrapped to `width`, and its log under `folder`."""
    lines = [failure.detail] if failure.detail else []
    if width is not None:
        detail = _clipped(failure.detail or "", DETAIL_LETTERS)
        lines = textwrap.wrap(detail, max(width - 4, 20))
    try:
        log = log_of(folder, failure.cell_id, failure.replicate)
        lines += [str(log)] if log.exists() else []
    except DseError as error:
        lines.append(str(error))
    return [f"    {printable(line)}" for line in lines]


def cell_lines(points: pd.DataFrame, fields: Fields, width: int | None) -> list[str]:
    """A study's points as a table; an alias has no counts of its own.

    If it is wider than `width`, its gaps are narrowed, then ids are left out, then
    columns from the right; a last line names what is left out.
    """
    counted = ["complete", "failed", "running", "missing", "planned"]
    names = varied(points, fields)
    rows = [["cell_id", *names, *counted, "same network as"]]
    columns = ["cell_id", *names, *counted, "alias_of"]
    for point in points[columns].to_dict("records"):
        alias = point["alias_of"]
        cells = [metaparameter_text(point[name]) for name in names]
        cells += ["" if alias else str(point[name]) for name in counted]
        rows.append([str(point["cell_id"]), *cells, alias or ""])
    if not points["alias_of"].any():
        rows = [row[:-1] for row in rows]
    headings, lines = rows[0], list[str]()
    for first, gap in ((0, "  "), (0, " "), (1, "  "), (1, " ")):
        numbers = range(1 - first, 1 - first + len(names) + len(counted))
        lines = _aligned([row[first:] for row in rows], numbers, gap)
        if width is None or max(map(len, lines)) <= width:
            last = len(headings)
            break
    else:
        columns_of = zip(*(row[1:] for row in rows), strict=True)
        widths = [max(map(len, column)) for column in columns_of]
        last = 1 + columns_that_fit(widths, width or 0, 1)
        lines = _aligned([row[1:last] for row in rows], numbers, gap)
    hidden = [*headings[:first], *headings[last:]]
    note = hidden_columns_line(hidden, len(headings))
    return [*lines, *textwrap.wrap(note, max(width or 0, 20))]


def _aligned(
    rows: Sequence[Sequence[str]], right: Collection[int] = (), gap: str = "  "
) -> list[str]:
    """Align rows in columns, those in `right` to the right; drop empty columns."""
    rows = [list(map(printable, row)) for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        gap.join(
            cell.rjust(width) if place in right else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
            if width
        ).rstrip()
        for row in rows
    ]


def _clipped(words: str, letters: int | None) -> str:
    if letters is None or len(words) <= letters:
        return words
    return f"{words[: letters - 1]}…"
