"""The command line: `dse VERB ...`. It parses, calls `dse.api`, and prints."""

import contextlib
import io
import json
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn
from unittest.mock import patch

import tyro
from tyro.conf import OmitArgPrefixes, Positional, arg, subcommand

from dse.console.terminal import say
from dse.data.layout import Named
from dse.ending import again, end, line_of
from dse.errors import DseError, printable
from dse.passwords import hide
from dse.session import Options
from dse.store import DEFAULT_STORAGE
from dse.streams import BROKEN_PIPE, abandon, is_written, prepare_streams

AGAIN_SECONDS = 0.5
LONGEST_WORD = 60
"""Letters of a word that a usage error quotes; tyro breaks longer ones over lines."""
RETRY = "dse retry STUDY has them tried again"
Experiments = Annotated[
    tuple[str, ...],
    arg(
        metavar="EXPERIMENT [EXPERIMENT ...]",
        help="A shipped name, or the path of a file; several share what they train.",
    ),
]


def _storage() -> Any:
    """A field for a database's URL, whose password no `repr` shows."""
    return field(default=DEFAULT_STORAGE, repr=False)


@dataclass(frozen=True)
class Describe:
    """Print the exact cost of one point, as the paper's Table 1.

    Example: dse describe --sr 0.5 --pct-3x3 0.25

    Attributes:
        base_e: Expand filters of the first Fire module.
        incr_e: Expand filters added after every FREQ Fire modules.
        freq: Fire modules between two increments.
        sr: Squeeze ratio, 0 to 1.
        pct_3x3: Share of 3x3 among the expand filters, 0 to 1.
        bypass: Bypass connections.
        version: SqueezeNet 1.0 or 1.1.
        pools: Modules (1 is conv1) that a max pool follows, as 1,4,8; or version.
        classes: Class scores.
        input_size: Side of the square input, 24 pixels or more.
        channels: Channels of the input.
        json: Print JSON instead of a table.
    """

    base_e: int = 128
    incr_e: int = 128
    freq: int = 2
    sr: float = 0.125
    pct_3x3: float = 0.5
    bypass: Literal["none", "simple", "complex"] = "none"
    version: Literal["1.0", "1.1"] = "1.0"
    pools: str = "version"
    classes: int = 1000
    input_size: int = 227
    channels: int = 3
    json: bool = False

    def __call__(self) -> None:
        """Describe the point."""
        from dse.arch.cost import cost
        from dse.families.describe import as_json
        from dse.families.squeezenet import Metaparameters, squeezenet

        point = Metaparameters(
            self.base_e,
            self.incr_e,
            self.freq,
            self.sr,
            self.pct_3x3,
            self.bypass,
            self.version,
            self.pools,
        )
        shape = (self.input_size, self.input_size, self.channels)
        architecture = squeezenet(point, shape, self.classes)
        if self.json:
            print(json.dumps(as_json(architecture, cost(architecture)), indent=2))
        else:
            from dse.console.tables import print_description

            print_description(point, architecture)


@dataclass(frozen=True)
class Data:
    """Show what is read of an image set: parts, classes, pixels, files left out.

    Example: dse data my_images

    Attributes:
        folder: A folder, the embedded set's name, or a hub id.
        preset: What it is for; imagenet takes images of any size.
        named: What would have to be guessed.
    """

    folder: Positional[str]
    preset: str | None = None
    named: OmitArgPrefixes[Named] = field(default_factory=Named)

    def __call__(self) -> None:
        """Print what was read."""
        from dse.api import open_dataset
        from dse.console.dataset import introduce

        options = Options(preset=self.preset, **asdict(self.named))
        introduce(open_dataset(self.folder, options), whole=True)


@dataclass(frozen=True)
class Plan:
    """Print an experiment's cells, runs, MACs and time before it is launched.

    Example: dse plan fig3b --preset full --dataset path/to/cifar10

    Attributes:
        dataset: What to train on; by default the preset's.
        preset: quick, narrow, full or imagenet; by default the experiment's first.
        seeds: Replicates of each cell.
        workers: Worker processes.
        executor: serial, process or ray.
        device: here, calibrated in seconds, or a file of experiments/benchmarks.
        named: What would have to be guessed of the dataset.
    """

    experiments: Positional[Experiments]
    dataset: str | None = None
    preset: str | None = None
    seeds: int | None = None
    workers: int | None = None
    executor: str | None = None
    device: str = "here"
    named: OmitArgPrefixes[Named] = field(default_factory=Named)

    def __call__(self) -> None:
        """Print the plan."""
        from dse.api import plan
        from dse.console.tables import print_estimate

        options = Options(
            self.dataset,
            self.preset,
            self.seeds,
            self.workers,
            self.executor,
            **asdict(self.named),
        )
        print_estimate(plan(self.experiments, options, device=self.device))


@dataclass(frozen=True)
class Sweep:
    """Train what is missing of an experiment; repeat the command to go on.

    Example: dse sweep fig3b --seeds 3
    """

    experiments: Positional[Experiments]
    options: OmitArgPrefixes[Options] = field(default_factory=Options)

    def __call__(self) -> None:
        """Run the sweep."""
        from dse.api import sweep_all
        from dse.console.tables import print_outcome
        from dse.study.outcome import sum_of_holes

        swept = sweep_all(self.experiments, self.options)
        for name, outcomes in swept.items():
            for outcome in outcomes:
                print_outcome(name, outcome)
        every = [outcome for outcomes in swept.values() for outcome in outcomes]
        _refuse_holes(sum_of_holes(x.holes for x in every), RETRY)


@dataclass(frozen=True)
class Reproduce:
    """Train what is missing of an experiment, then write its tables and figure.

    Example: dse reproduce fig3b
    """

    experiments: Positional[Experiments]
    options: OmitArgPrefixes[Options] = field(default_factory=Options)

    def __call__(self) -> None:
        """Run and report."""
        from dse.api import reproduce_all
        from dse.console.tables import print_report
        from dse.study.outcome import sum_of_holes

        reports = reproduce_all(self.experiments, self.options)
        for report in reports:
            print_report(report)
        _refuse_holes(sum_of_holes(x.holes for x in reports), RETRY)


@dataclass(frozen=True)
class Check:
    """Judge the paper's claims by the runs in the database; nothing is trained.

    Example: dse check fig3a fig3b table3

    Attributes:
        dataset: What was trained on; by default the preset's.
        preset: quick, narrow, full or imagenet; by default the experiment's first.
        storage: Database URL.
        named: What would have to be guessed of the dataset.
    """

    experiments: Positional[Experiments]
    dataset: str | None = None
    preset: str | None = None
    storage: str = _storage()
    named: OmitArgPrefixes[Named] = field(default_factory=Named)

    def __call__(self) -> None:
        """Print the verdicts."""
        from dse.api import check
        from dse.console.tables import print_claims

        named = asdict(self.named)
        options = Options(self.dataset, self.preset, storage=self.storage, **named)
        for claims in check(self.experiments, options):
            say(f"{claims.study}:")
            print_claims(claims)


@dataclass(frozen=True)
class Search:
    """Search the metaparameters for the best networks within a hard budget.

    Example: dse search --dataset my_images --max-bytes 100000 --minutes 10

    Attributes:
        options: How to run.
        space: Named space, narrow or paper; by default what suits the preset.
        sampler: Optuna's sampler.
        trials: Networks to train in all; 30 when no minutes are given either.
        minutes: Time to take in all.
        batch: Points proposed at a time; workers beyond have nothing to do.
        max_params: Most parameters.
        max_bytes: Most bytes of 32-bit weights (0.1 MB is 100000).
        max_macs: Most multiply-accumulates.
    """

    options: OmitArgPrefixes[Options] = field(default_factory=Options)
    space: str | None = None
    sampler: Literal["tpe", "nsga2", "random"] = "tpe"
    trials: int | None = None
    minutes: float | None = None
    batch: int = 4
    max_params: int | None = None
    max_bytes: int | None = None
    max_macs: int | None = None

    def __call__(self) -> None:
        """Search and report."""
        from dse.api import search
        from dse.console.tables import print_report
        from dse.spaces.space import Budget

        report = search(
            self.options,
            space=self.space,
            sampler=self.sampler,
            budget=Budget(self.max_params, self.max_bytes, self.max_macs),
            trials=self.trials,
            minutes=self.minutes,
            batch=self.batch,
        )
        print_report(report)
        _refuse_holes(report.holes, "and the search goes on without them")


@dataclass(frozen=True)
class Query:
    """Read the views runs, cells and epochs with SQL.

    Example: dse query "SELECT pct_3x3, AVG(test_accuracy) FROM runs GROUP BY pct_3x3"

    Attributes:
        sql: A SELECT.
        format: How to print; parquet needs standard output to be a file.
        storage: Database URL.
    """

    sql: Positional[str]
    format: Literal["table", "csv", "json", "parquet"] = "table"
    storage: str = _storage()

    def __call__(self) -> None:
        """Print the rows."""
        from dse.console.tables import print_frame
        from dse.store.database import open_store
        from dse.store.query import sql

        print_frame(sql(open_store(self.storage, create=False), self.sql), self.format)


@dataclass(frozen=True)
class Status:
    """Show what is done, under way, failed and missing, and how long it will take.

    Example: dse status fig3b/fashion_mnist_small-quick --live

    Attributes:
        study: A study's name; all when left out.
        json: Print the cells as JSON instead.
        live: Go on showing it until nothing is missing, or Ctrl-C; it only reads.
        storage: Database URL.
    """

    study: Positional[str | None] = None
    json: bool = False
    live: bool = False
    storage: str = _storage()

    def __call__(self) -> None:
        """Print the status."""
        from dse.store.database import open_store

        if self.json and self.live:
            raise DseError("--json prints once, --live goes on; leave one of them out")
        store = open_store(self.storage, create=False)
        if self.live:
            from dse.console.live import watch

            watch(store, self.study)
            return
        from dse.console.status import print_json, print_status

        (print_json if self.json else print_status)(store, self.study)


@dataclass(frozen=True)
class Retry:
    """Have failed runs of a study tried again by the next sweep, as if never tried.

    Example: dse retry fig3b/fashion_mnist_small-quick pct_3x3=0.25

    Attributes:
        study: A study's name.
        cells: Cells by id, or by metaparameters as sr=0.5,pct_3x3=0.5; all without.
        replicate: Which replicates of them; all without.
        storage: Database URL.
    """

    study: Positional[str]
    cells: Positional[tuple[str, ...]] = ()
    replicate: Annotated[tuple[int, ...] | None, arg(metavar="INT [INT ...]")] = None
    storage: str = _storage()

    def __call__(self) -> None:
        """Take the failed runs out."""
        from dse.api import forget

        replicates = _replicates(self.replicate)
        gone = forget(
            self.study, self.cells, replicates, self.storage, failed_only=True
        )
        _tell_what_stays(gone.stays)
        print(f"{gone.runs} failed runs are to be tried again by the next dse sweep")


@dataclass(frozen=True)
class Forget:
    """Take runs of a study out of the database, completed ones too.

    The next sweep trains them anew. What other studies share with it goes as well.

    Example: dse forget fig3b/fashion_mnist_small-quick pct_3x3=0.25 --replicate 1

    Attributes:
        study: A study's name.
        cells: Cells by id, or by metaparameters as sr=0.5,pct_3x3=0.5.
        replicate: Which replicates of them; all without.
        storage: Database URL.
    """

    study: Positional[str]
    cells: Positional[Annotated[tuple[str, ...], arg(metavar="CELL [CELL ...]")]]
    replicate: Annotated[tuple[int, ...] | None, arg(metavar="INT [INT ...]")] = None
    storage: str = _storage()

    def __call__(self) -> None:
        """Take the runs out."""
        from dse.api import forget

        if not self.cells:
            raise DseError("no cell is named; expected one or more, as pct_3x3=0.25")
        replicates = _replicates(self.replicate)
        gone = forget(self.study, self.cells, replicates, self.storage)
        _tell_what_stays(gone.stays)
        others = [name for name in gone.studies if name != self.study]
        shared = f", also those of {', '.join(others)}" if others else ""
        say(f"{gone.runs} runs are forgotten{shared}; the next dse sweep trains them")


def _replicates(named: tuple[int, ...] | None) -> tuple[int, ...]:
    """Those that were named; none of them means all.

    Raises:
        DseError: the option was given, but no number.
    """
    if named == ():
        raise DseError("--replicate names none; give numbers, or leave it out for all")
    return named or ()


@dataclass(frozen=True)
class Predict:
    """Classify images with the trained network of a run.

    Example: dse predict 12 shoe.png

    Attributes:
        run: The run_id of a completed run.
        images: Image files of the size that it was trained on.
        storage: Database URL.
    """

    run: Positional[int]
    images: Positional[tuple[Path, ...]]
    storage: str = _storage()

    def __call__(self) -> None:
        """Print the likeliest class of each image."""
        if not self.images:
            raise DseError("no image file is named; expected one or more")
        from dse.api import predict

        refused = 0
        for answer in predict(self.run, self.images, self.storage):
            if answer.refusal:
                refused += 1
                print(f"dse: {printable(answer.refusal)}", file=sys.stderr)
            else:
                say(f"{answer.file}: {answer.name} ({answer.probability:.1%})")
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
    storage: str = _storage()

    def __call__(self) -> None:
        """Export."""
        from dse.store.database import open_store
        from dse.store.transfer import export_studies

        store = open_store(self.storage, create=False)
        count = export_studies(store, self.file, self.study)
        say(f"wrote {count} runs to {self.file}")


@dataclass(frozen=True)
class Import:
    """Merge exported files into the database; what is there already is left alone.

    Example: dse import fig3b.zip

    Attributes:
        files: Files that dse export wrote.
        storage: Database URL.
    """

    files: Positional[tuple[Path, ...]]
    storage: str = _storage()

    def __call__(self) -> None:
        """Import."""
        if not self.files:
            raise DseError("no file is named; expected what dse export wrote")
        for file in self.files:
            if not file.exists():  # before a database is made for it
                raise DseError(f"there is no file {file}; expected a dse export")
        from dse.store.database import open_store
        from dse.store.transfer import import_file

        store = open_store(self.storage)
        for file in self.files:
            say(f"{file}: {import_file(store, file)} new runs")


Command = (
    Annotated[Describe, subcommand("describe")]
    | Annotated[Data, subcommand("data")]
    | Annotated[Plan, subcommand("plan")]
    | Annotated[Sweep, subcommand("sweep")]
    | Annotated[Reproduce, subcommand("reproduce")]
    | Annotated[Check, subcommand("check")]
    | Annotated[Search, subcommand("search")]
    | Annotated[Status, subcommand("status")]
    | Annotated[Retry, subcommand("retry")]
    | Annotated[Forget, subcommand("forget")]
    | Annotated[Query, subcommand("query")]
    | Annotated[Predict, subcommand("predict")]
    | Annotated[Export, subcommand("export")]
    | Annotated[Import, subcommand("import")]
)


def command(arguments: Sequence[str] | None = None) -> None:
    """The script `dse`: `main`, and no waiting for what libraries left behind.

    A checkpoint that was being written when Ctrl-C came leaves threads that wait for
    minutes; whatever has to be closed is closed by then.
    """
    try:
        main(arguments)
    except SystemExit as end:
        left = set(threading.enumerate()) - {threading.main_thread()}
        if isinstance(end.code, int) and any(not thread.daemon for thread in left):
            with contextlib.suppress(OSError, ValueError):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(end.code)
        raise


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; exit with 0, 1 (failed), 2 (makes no sense) or 130 (Ctrl-C)."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    prepare_streams()
    try:
        with _interruptible():
            command = _parse(words)
            _settle(command)
            command()
            sys.stdout.flush()
    except BrokenPipeError:
        _leave_pipe()
    except SystemExit as ended:
        if isinstance(ended.__context__, BrokenPipeError) or not is_written():
            _leave_pipe()  # rich has heard of it, or tyro's help is not read
        raise
    except KeyboardInterrupt:
        told = f"interrupted; what is finished is kept, go on with: {again(words)}"
        end(told, 130, words)
    except Exception as error:  # noqa: BLE001 - the last that can be said of it
        end(line_of(error, words), 1, words)


def _leave_pipe() -> NoReturn:
    """End as others do of whom nobody reads any more: without a word."""
    abandon()
    raise SystemExit(BROKEN_PIPE)


def _settle(command: Callable[[], None]) -> None:
    """Leave out of the environment what results do not depend on; who trains says so.

    What is imported before the training ends may read it as well.
    """
    from dse.execute.environment import leave_out_ignored, say_what_is_ignored

    if isinstance(command, Plan | Sweep | Reproduce | Search):
        say_what_is_ignored(os.environ, threads=False)
    leave_out_ignored()


def _refuse_holes(holes: Mapping[str, int], then: str) -> None:
    """End with status 1 when runs failed for what is not the training's own doing."""
    if holes:
        reasons = ", ".join(f"{count} {reason}" for reason, count in holes.items())
        raise DseError(
            f"runs failed and have no tries left ({reasons}): dse status says why and "
            f"where their logs are, {then}"
        )


def _tell_what_stays(stays: Sequence[str]) -> None:
    for line in stays:
        print(f"dse: {printable(line)}", file=sys.stderr)


def _parse(words: list[str]) -> Callable[[], None]:
    """The command in `words`; a mistake in them is one line and status 2."""
    parsed, complaint = _parsed(words)
    if parsed is None:
        # Told of the words as they may be printed, whole: tyro breaks its lines.
        quotable = [_clipped(hide(word)) for word in words]
        complaint = _parsed(quotable)[1] or complaint
        end(_first_paragraph(complaint), 2, words)
    return parsed


def _parsed(words: list[str]) -> tuple[Callable[[], None] | None, str]:
    """The command in `words`, or what tyro has against them."""
    complaint = io.StringIO()
    try:
        # A complaint is read by `_first_paragraph`; in a few columns tyro never ends.
        helps = {"-h", "--help"} & set(words)
        columns = max(shutil.get_terminal_size().columns, 40) if helps else 1000
        with (
            contextlib.redirect_stderr(complaint),
            patch.dict(os.environ, COLUMNS=str(columns)),
        ):
            parsed: Any = tyro.cli(
                Command,
                prog="dse",
                description="Design-space exploration of convolutional networks.",
                args=words,
            )
    except SystemExit as ended:
        if ended.code in (0, None):
            raise
        return None, complaint.getvalue()
    return parsed, ""


def _clipped(word: str) -> str:
    return word if len(word) <= LONGEST_WORD else f"{word[:LONGEST_WORD]}…"


def _first_paragraph(panel: str) -> str:
    """The message within tyro's frame, of lines or hyphens, as one line."""
    lines = [line.strip("│╭╮╰╯ ") for line in panel.splitlines()[1:]]
    said = []
    for line in lines:
        if set(line) - set("─-"):
            said.append(line)
        elif said:
            break
    return f"{' '.join(said)} (dse --help and dse VERB --help say what is expected)"


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Make Ctrl-C and SIGTERM a KeyboardInterrupt that gets through.

    One that is raised inside a callback of the garbage collector or of a weak
    reference is lost: Python would print and ignore it. So it is not printed there, and
    raised again until the command has ended.
    """
    told = sys.unraisablehook

    def lost(what: "sys.UnraisableHookArgs") -> None:
        if not issubclass(what.exc_type, KeyboardInterrupt):
            told(what)

    def interrupt(*_: object) -> NoReturn:
        signal.setitimer(signal.ITIMER_REAL, AGAIN_SECONDS)
        raise KeyboardInterrupt

    listened = [
        number
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)
        if signal.getsignal(number) is not signal.SIG_IGN
    ]
    before = {number: signal.signal(number, interrupt) for number in listened}
    sys.unraisablehook = lost
    try:
        yield
    finally:
        while not _ignored(listened):
            pass
        sys.unraisablehook = told
        for number, handler in before.items():
            signal.signal(number, handler)


def _ignored(numbers: Sequence[signal.Signals]) -> bool:
    """Have signals ignored, and the alarm off; whether none was raised meanwhile."""
    try:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        signal.setitimer(signal.ITIMER_REAL, 0)
    except KeyboardInterrupt:
        return False
    return True


if __name__ == "__main__":
    command()
