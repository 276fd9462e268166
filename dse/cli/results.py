"""Verbs on results: query, status, retry, forget, predict, export, import."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

import dse
from dse.cli.shared import storage_field
from dse.console.terminal import say
from dse.errors import DseError, printable

PUBLISHED = ".net"
"""How the file of the published network ends."""


@dataclass(frozen=True)
class Query:
    """Read the views runs, cells and epochs with SQL.

    Example: dse query "SELECT pct_3x3, AVG(test_accuracy) FROM runs GROUP BY pct_3x3"

    Attributes:
        sql: A SELECT statement.
        format: Output format; parquet needs standard output to be a file.
        storage: Database URL.
    """

    sql: Positional[str]
    format: Literal["table", "csv", "json", "parquet"] = "table"
    storage: str = storage_field()

    def __call__(self) -> None:
        """Print the rows."""
        from dse.console.tables import print_frame

        print_frame(dse.query(self.sql, self.storage), self.format)


@dataclass(frozen=True)
class Status:
    """Show what is done, under way, failed and missing, and how long it will take.

    Example: dse status fig3b/fashion_mnist_small-quick --live

    Attributes:
        study: A study's name; all when left out.
        json: Print the cells as JSON instead.
        live: Keep showing it until nothing is missing, or Ctrl-C; it only reads.
        storage: Database URL.
    """

    study: Positional[str | None] = None
    json: bool = False
    live: bool = False
    storage: str = storage_field()

    def __call__(self) -> None:
        """Print the status."""
        if self.json and self.live:
            raise DseError("--json prints once, --live goes on; leave one of them out")
        # Imported here: a help text needs neither pandas nor the database.
        from dse.console.live import watch
        from dse.console.status import print_json, print_status
        from dse.store.database import open_store

        show = watch if self.live else print_json if self.json else print_status
        show(open_store(self.storage, create=False), self.study)


@dataclass(frozen=True)
class Retry:
    """Let the next sweep try failed runs of a study again, as if never tried.

    Example: dse retry fig3b/fashion_mnist_small-quick pct_3x3=0.25

    Attributes:
        study: A study's name.
        cells: Cells by id, or by metaparameters as sr=0.5,pct_3x3=0.5; by default all.
        replicate: Replicates of these cells; by default all.
        storage: Database URL.
    """

    study: Positional[str]
    cells: Positional[tuple[str, ...]] = ()
    replicate: Annotated[tuple[int, ...] | None, arg(metavar="INT [INT ...]")] = None
    storage: str = storage_field()

    def __call__(self) -> None:
        """Delete the failed runs."""
        replicates = _replicates(self.replicate)
        gone = dse.forget(
            self.study, self.cells, replicates, self.storage, failed_only=True
        )
        _tell_what_stays(gone.stays)
        print(f"{gone.runs} failed runs are to be tried again by the next dse sweep")


@dataclass(frozen=True)
class Forget:
    """Take runs of a study out of the database, completed ones too.

    The next sweep trains them anew. Other studies that share the runs lose them, too.

    Example: dse forget fig3b/fashion_mnist_small-quick pct_3x3=0.25 --replicate 1

    Attributes:
        study: A study's name.
        cells: Cells by id, or by metaparameters as sr=0.5,pct_3x3=0.5.
        replicate: Replicates of these cells; by default all.
        storage: Database URL.
    """

    study: Positional[str]
    cells: Positional[Annotated[tuple[str, ...], arg(metavar="CELL [CELL ...]")]]
    replicate: Annotated[tuple[int, ...] | None, arg(metavar="INT [INT ...]")] = None
    storage: str = storage_field()

    def __call__(self) -> None:
        """Delete the runs."""
        if not self.cells:
            raise DseError("no cell is named; expected one or more, as pct_3x3=0.25")
        replicates = _replicates(self.replicate)
        gone = dse.forget(self.study, self.cells, replicates, self.storage)
        _tell_what_stays(gone.stays)
        others = [name for name in gone.studies if name != self.study]
        shared = f", also those of {', '.join(others)}" if others else ""
        say(f"{gone.runs} runs are forgotten{shared}; the next dse sweep trains them")


def _replicates(named: tuple[int, ...] | None) -> tuple[int, ...]:
    """Check the replicates that were named; an empty tuple means all.

    Raises:
        DseError: the option was given without a number.
    """
    if named == ():
        raise DseError("--replicate names none; give numbers, or leave it out for all")
    return named or ()


@dataclass(frozen=True)
class Predict:
    """Classify images with the trained network of a run; print the best five classes.

    Example: dse predict 12 shoe.png

    Attributes:
        run: The run_id of a completed run.
        images: Image files of the size that it was trained on.
        storage: Database URL.
    """

    run: Positional[int]
    images: Positional[tuple[Path, ...]]
    storage: str = storage_field()

    def __call__(self) -> None:
        """Print the most likely classes of each image."""
        if not self.images:
            raise DseError("no image file is named; expected one or more")
        refused = 0
        for answer in dse.predict(self.run, self.images, self.storage):
            if answer.refusal:
                refused += 1
                print(f"dse: {printable(answer.refusal)}", file=sys.stderr)
            else:
                best = [f"{name} ({share:.1%})" for name, share in answer.best]
                say(f"{answer.file}: {', '.join(best)}")
        if refused:
            raise DseError(f"{refused} of {len(self.images)} files were not classified")


@dataclass(frozen=True)
class Export:
    """Write studies with their runs and weights to one file.

    Example: dse export fig3b.zip fig3b/fashion_mnist_small-quick

    Attributes:
        file: The zip file to write.
        study: A study's name; all when left out.
        storage: Database URL.
    """

    file: Positional[Path]
    study: Positional[str | None] = None
    storage: str = storage_field()

    def __call__(self) -> None:
        """Export the studies."""
        count = dse.export_studies(self.file, self.study, self.storage)
        say(f"wrote {count} runs to {self.file}")


@dataclass(frozen=True)
class Import:
    """Merge exported files into the database; what is there already is left alone.

    The compressed SqueezeNet that its authors published, a file that ends with .net, is
    imported as a run, for dse predict.

    Example: dse import fig3b.zip

    Attributes:
        files: Files that dse export wrote, or a published network.
        classes: Names of a published network's classes, a text with one a line.
        storage: Database URL.
    """

    files: Positional[tuple[Path, ...]]
    classes: Path | None = None
    storage: str = storage_field()

    def __call__(self) -> None:
        """Import the files."""
        if not self.files:
            raise DseError("no file is named; expected what dse export wrote")
        for file in self.files:
            if not file.exists():  # checked before a database is created
                raise DseError(f"there is no file {file}; expected a dse export")
        published = [file for file in self.files if file.suffix == PUBLISHED]
        if self.classes is not None and not published:
            raise DseError(
                "--classes names those of a published network, a file that ends with "
                f"{PUBLISHED}, and there is none; leave it out"
            )
        for file in self.files:
            if file in published:
                _import_published(file, self.classes, self.storage)
            else:
                say(f"{file}: {dse.import_studies(file, self.storage)} new runs")


def _import_published(file: Path, classes: Path | None, storage: str) -> None:
    found = dse.import_published(file, classes, storage)
    is_there = "" if found.new else " is there already, and its class names stay"
    say(
        f"{file}: run {found.run}{is_there}; {found.weights:,} weights that are not 0, "
        f"kept in {found.bytes:,} bytes ({found.published_bytes:,} as published)",
        f"use it: dse predict {found.run} IMAGE...",
    )


def _tell_what_stays(stays: Sequence[str]) -> None:
    for line in stays:
        print(f"dse: {printable(line)}", file=sys.stderr)
