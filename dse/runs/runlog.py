"""The log of a run, a text file for people to read."""

import contextlib
import datetime
import os
import re
import socket
import sys
import traceback
from pathlib import Path
from typing import IO

from dse.errors import DseError, printable
from dse.passwords import without_passwords
from dse.runs.events import Checkpointed, Done, EpochEnded, Event, Failed, Started
from dse.runs.paths import append_to, log_of, read_from

END_BYTES, END_LINES, END_LETTERS = 4096, 3, 240
"""Most bytes read, lines and letters quoted of a log."""
_DATED = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ")


def end_of(log: IO[bytes], begin: int = 0) -> str:
    """Join the last lines of a log to a short line that is harmless on a terminal.

    It begins with the last event of the run, if there is one in these lines. The first
    `begin` bytes of the log are ignored.
    """
    size = log.seek(0, os.SEEK_END)
    log.seek(max(begin, size - END_BYTES))
    lines = [line.strip() for line in log.read().decode(errors="replace").splitlines()]
    lines = [printable(line) for line in lines if line][-END_LINES:]
    ours = [place for place, line in enumerate(lines) if _DATED.match(line)]
    text = without_passwords(" | ".join(lines[max(ours, default=0) :]))
    return text if len(text) <= END_LETTERS else f"…{text[-END_LETTERS:]}"


def end_of_run(folder: Path, cell_id: str, replicate: int) -> str:
    """Apply `end_of` to a run's log; empty if it cannot be read."""
    try:
        with read_from(log_of(folder, cell_id, replicate)) as log:
            return end_of(log)
    except OSError:
        return ""


class RunLogs:
    """The logs of the runs that a process trains.

    Args:
        folder: folder of the database's files; None to keep no logs.
        redirect: True to send the output of the process, such as warnings of libraries,
            to the log of the run that began last.
    """

    def __init__(self, folder: Path | None, *, redirect: bool = False) -> None:
        self._folder, self._redirect = folder, redirect

    def hear(self, event: Event) -> None:
        """Write an event to the log of its run."""
        if isinstance(event, Started) and self._redirect:
            self._take_output(event)
        line = _line(event)
        if line is not None:
            self._write(event, f"{line}\n")

    def explain(self, event: Event, error: Exception) -> None:
        """Write the error that failed a run, with its traceback."""
        if self._folder is None:
            traceback.print_exception(error, file=sys.stderr)
        else:
            self._write(event, "".join(traceback.format_exception(error)))

    def _write(self, event: Event, text: str) -> None:
        if self._folder is None:
            return
        now = datetime.datetime.now().isoformat(" ", "seconds")
        # A full disk, or a link in the log's place, must not end the run.
        with contextlib.suppress(OSError, DseError):
            file = log_of(self._folder, event.cell_id, event.replicate)
            with append_to(file) as log:
                log.write(f"{now} {text}".encode(errors="backslashreplace"))

    def _take_output(self, event: Event) -> None:
        if self._folder is None:
            return
        with contextlib.suppress(OSError, DseError):
            file = log_of(self._folder, event.cell_id, event.replicate)
            with append_to(file) as log:
                for output in (1, 2):
                    os.dup2(log.fileno(), output)


def _line(event: Event) -> str | None:
    match event:
        case Started(device=device):
            return f"started on {device} of {socket.gethostname()}, pid {os.getpid()}"
        case EpochEnded(epoch=epoch, metrics=metrics, replayed=replayed):
            scores = ", ".join(
                f"{split} {name} {value:.4g}"
                for split, named in metrics.items()
                for name, value in named.items()
            )
            speed = f"{event.images_per_second:,.0f} images/s"
            return f"epoch {epoch}: {scores}, {'before' if replayed else speed}"
        case Checkpointed(epoch=epoch):
            return f"checkpoint in epoch {epoch}"
        case Done(metrics=metrics, train_seconds=seconds):
            accuracy = metrics["test"]["accuracy"]
            return f"done: test accuracy {accuracy:.4g}, {seconds:.1f} s of training"
        case Failed(reason=reason, detail=detail):
            return f"failed, {reason}: {detail}"
        case _:
            return None
