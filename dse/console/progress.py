"""Progress of a running sweep: bars on a terminal, and a line for each ended run.

A run's number is its id in the database, which `dse predict` takes.
"""

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from dse.console.terminal import open_console
from dse.errors import printable
from dse.runs.events import Done, EpochEnded, Event, Failed, Started


class SweepProgress:
    """Listener that shows the events of a sweep.

    Args:
        epochs: epochs of a run, of every cell or of each.
        labels: label of each cell; a search adds more while it runs.
        work: work of each cell in any unit, to estimate the time left.
        runs: number of runs to do, by cell; None where it is unknown (a search).
        console: where to show it.
    """

    def __init__(
        self,
        epochs: int | Mapping[str, int],
        labels: Mapping[str, str] | None = None,
        work: Mapping[str, float] | None = None,
        runs: Mapping[str, int] | None = None,
        console: Console | None = None,
    ) -> None:
        self.labels = dict(labels or {})
        self._epochs = epochs
        self._work = work or {}
        self._left = None if runs is None else dict(runs)
        self._planned = None if runs is None else sum(runs.values())
        self._whole_work = sum(
            self._work.get(c, 1.0) * n for c, n in (runs or {}).items()
        )
        self._console = console or open_console()
        self._ended = 0
        self._work_done = 0.0
        self._images = 0
        self._train_seconds = 0.0
        self._speed: dict[tuple[str, int], float] = {}
        self._counted: dict[tuple[str, int], int] = {}  # epochs, also of earlier tries
        self._began = time.monotonic()
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
            transient=True,
        )
        self._overall = self._bars.add_task("runs", total=self._planned, note="")
        self._rows: dict[tuple[str, int], TaskID] = {}
        self._run_ids: dict[tuple[str, int], int | None] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def __call__(self, event: Event) -> None:
        """Show one event."""
        key = event.cell_id, event.replicate
        match event:
            case Started():
                self._run_ids[key] = event.run_id
                self._rows[key] = self._bars.add_task(
                    self._name(event),
                    total=self._epochs_of(event.cell_id),
                    note="compiling",
                )
            case EpochEnded():
                self._add_epoch(key, event)
            case Done(metrics=metrics):
                elapsed = time.monotonic() - self._began
                self._train_seconds += min(event.train_seconds, elapsed)
                reached = [
                    f"validation {metrics['validation']['accuracy']:.1%}",
                    f"test {metrics['test']['accuracy']:.1%}",
                ]
                if event.size is not None:
                    reached.append(f"{event.size:,} bytes")
                if (speed := self._speed.pop(key, None)) is not None:
                    reached.append(f"{speed:,.0f} images/s")
                self._end(event, ", ".join(reached))
            case Failed(again=True):
                self._drop_row(event)
                self.say(
                    f"{self._name(event)} · failed, {event.reason}: {event.detail}; "
                    "it is tried again"
                )
            case Failed():
                self._end(event, f"failed, {event.reason}: {event.detail}")
        self._bars.update(
            self._overall,
            completed=self._ended,
            description=self._cells(),
            note=self._time_left(),
        )

    def introduce(self, planned: Mapping[str, int], workers: int) -> None:
        """Print how many runs each study plans, and how many are to do."""
        todo = self._planned or 0
        on = f"on {workers} worker{'s' if workers > 1 else ''}"
        if len(planned) == 1:
            [(study, runs)] = planned.items()
            self.say(f"{study}: {runs} runs, {runs - todo} in, {todo} to do {on}")
            return
        for study, runs in planned.items():
            self.say(f"{study}: {runs} runs")
        self.say(f"{todo} to do {on}; what studies share is trained once")

    def conclude(self, workers: int, peak_bytes: int) -> None:
        """Print the number of runs, the speed, and the time outside training."""
        if not self._ended:
            return
        seconds = time.monotonic() - self._began
        outside = 1 - self._train_seconds / (seconds * workers)
        self.say(
            f"{self._ended} runs in {seconds:.0f} s: {self._images / seconds:,.0f} "
            f"images/s over {workers} worker{'s' if workers > 1 else ''}, "
            f"{outside:.0%} of the time outside training and evaluation"
            + (
                f", {peak_bytes / 2**30:.1f} GiB of memory at most"
                if peak_bytes
                else ""
            )
        )

    def say(self, line: str) -> None:
        """Print a line."""
        text = printable(line)
        self._console.print(text, highlight=False, soft_wrap=True, markup=False)

    def _add_epoch(self, key: tuple[str, int], event: EpochEnded) -> None:
        work = self._work_of_epoch(event.cell_id)
        counted = self._counted.get(key, 0)
        if not event.replayed:
            self._work_done += work
            self._images += event.images
            # Epochs without a checkpoint are to do again, from this one on.
            self._whole_work += work * max(0, counted - event.epoch + 1)
            counted = event.epoch
        elif event.epoch > counted:
            self._whole_work -= work  # an earlier session did it
            counted = event.epoch
        self._counted[key] = counted
        self._speed[key] = event.images_per_second
        accuracy = event.metrics["validation"]["accuracy"]
        self._bars.update(
            self._rows[key],
            completed=event.epoch,
            note=f"epoch {event.epoch}, validation {accuracy:.1%}, "
            f"{event.images_per_second:,.0f} images/s",
        )

    def _epochs_of(self, cell_id: str) -> int:
        known = self._epochs
        return known if isinstance(known, int) else known[cell_id]

    def _work_of_epoch(self, cell_id: str) -> float:
        """Work of an epoch; that of a stage without training is what there is of it."""
        return self._work.get(cell_id, 1.0) / max(1, self._epochs_of(cell_id))

    def _end(self, event: Event, outcome: str) -> None:
        self._ended += 1
        self._drop_row(event)
        counted = self._counted.pop((event.cell_id, event.replicate), 0)
        left = max(1, self._epochs_of(event.cell_id)) - counted
        self._whole_work -= left * self._work_of_epoch(event.cell_id)
        if self._left is not None:
            self._left[event.cell_id] -= 1
        of = "" if self._planned is None else f" of {self._planned}"
        run_id = self._run_ids.pop((event.cell_id, event.replicate), None)
        run = [] if run_id is None else [f"run {run_id}"]
        parts = [f"{self._ended}{of} done", *run, self._name(event), outcome]
        self.say(" · ".join([*parts, *filter(None, [self._time_left()])]))

    def _drop_row(self, event: Event) -> None:
        row = self._rows.pop((event.cell_id, event.replicate), None)
        if row is not None:
            self._bars.remove_task(row)

    def _name(self, event: Event) -> str:
        label = self.labels.get(event.cell_id, event.cell_id)
        return printable(f"{label}, replicate {event.replicate}")

    def _cells(self) -> str:
        if self._left is None:
            return "networks"
        complete = sum(not left for left in self._left.values())
        return f"cell {min(complete + 1, len(self._left))} of {len(self._left)}, runs"

    def _time_left(self) -> str:
        if self._left is None or not self._work_done:
            return ""
        elapsed = time.monotonic() - self._began
        seconds = elapsed * max(0.0, self._whole_work / self._work_done - 1)
        return (
            f"{seconds / 60:.0f} min left" if seconds > 90 else f"{seconds:.0f} s left"
        )
