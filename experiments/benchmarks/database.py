"""Times of queries to a large database: 100,000 runs in a SQLite file.

    python experiments/benchmarks/database.py   # a minute, with 210 MB of disk

First its migration from schema 3 (goal: two seconds). Then, for a study of 1,000 and
one of 10,000 runs: the runs as a frame (goal: half a second), the status and a reading
of the live view (goal: a second each); all runs with a value of a metaparameter; and
the states of the runs of some cells, which a sweep asks for. All are timed within this
process, without imports. The result is results/benchmarks/database.json.
"""

import json
import os
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from importlib.metadata import version
from io import StringIO
from pathlib import Path
from statistics import median
from typing import Any

import tyro
from machine import RESULTS, machine
from made_up import LARGE, SHARED_BY, Sizes, fill, name_of
from rich.console import Console
from tyro.conf import OmitArgPrefixes

from dse.console.look import look, reading_store
from dse.console.status import print_status
from dse.files import write_whole
from dse.store.database import Store, open_store
from dse.store.query import view
from dse.store.run_states import run_states
from dse.store.statement import sql


@dataclass(frozen=True)
class Questions:
    """Fill a database and time questions to it.

    Attributes:
        sizes: Sizes of the database.
        rounds: How often each question is repeated.
        output: The JSON file.
    """

    sizes: OmitArgPrefixes[Sizes] = field(default_factory=Sizes)
    rounds: int = 7
    output: Path = RESULTS / "database.json"


def questions(store: Store, sizes: Sizes) -> dict[str, Callable[[], object]]:
    """The questions by name."""
    asked: dict[str, Callable[[], object]] = {}
    reader = reading_store(store)
    for study, parts in ((name_of(0), 1), (LARGE, min(SHARED_BY, sizes.studies))):
        of = f"of {parts * sizes.cells * sizes.replicates:,} runs"
        asked[f"the view runs {of}"] = partial(view, store, "runs", study)
        asked[f"dse status {of}"] = partial(print_status, store, study, _nowhere())
        asked[f"a reading of --live {of}"] = partial(look, reader, study)
    filtered = "SELECT * FROM runs WHERE sr = 0.5"
    asked["a filter on a metaparameter"] = partial(sql, store, filtered)
    for count in (1, 500, 5000):
        ids = [f"{number:016x}" for number in range(count)]
        asked[f"run_states of {count:,} cells"] = partial(run_states, store, ids)
    return asked


def _nowhere() -> Console:
    return Console(file=StringIO(), width=120, force_terminal=True)


@dataclass(frozen=True)
class Answer:
    """Seconds that a question took.

    Attributes:
        first: the first time, with the file out of memory if the system can drop it.
        median: the median of the later times.
        slowest: the longest of the later times.
        processor: mean processor time of all; less than the others if the machine had
            other work.
    """

    first: float
    median: float
    slowest: float
    processor: float


def ask(question: Callable[[], object], file: Path, rounds: int) -> Answer:
    """Time a question with the file out of memory, then `rounds` times more."""
    _forget(file)
    began = time.process_time()
    first, *later = (_seconds(question) for _ in range(1 + rounds))
    processor = (time.process_time() - began) / (1 + rounds)
    return Answer(first, median(later), max(later), processor)


def _seconds(question: Callable[[], object]) -> float:
    began = time.perf_counter()
    question()
    return time.perf_counter() - began


def _forget(file: Path) -> None:
    """Drop a file's pages from the system's memory."""
    if hasattr(os, "posix_fadvise"):
        with file.open("rb") as opened:
            os.fsync(opened.fileno())
            os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def migration(store: Store, rounds: int) -> Answer:
    """Migrate copies of the database as schema 3 had it, each copy once."""
    # The tests hold the tables of older schemas.
    sys.path.append(str(Path(__file__).parents[2] / "tests" / "store"))
    from older import make_older

    source = store.place.database
    assert source is not None
    file = Path(shutil.copy(source, source.with_name("older.db")))
    make_older(f"sqlite:///{file}", 3)

    def migrate(copy: Path) -> None:
        open_store(f"sqlite:///{copy}", keep=False)

    seconds, began = [], time.process_time()
    for number in range(1 + rounds):
        copy = file.with_name(f"copy{number}.db")
        shutil.copy(file, copy)
        seconds.append(_seconds(partial(migrate, copy)))
        copy.unlink()
    file.unlink()
    processor = (time.process_time() - began) / (1 + rounds)
    first, *later = seconds
    return Answer(first, median(later), max(later), processor)


def measure(sizes: Sizes, rounds: int, folder: Path) -> dict[str, Any]:
    """Fill a database in `folder` and time all questions."""
    file = folder / "full.db"
    store = open_store(f"sqlite:///{file}")
    seconds = _seconds(partial(fill, store, sizes))
    runs = sizes.studies * sizes.cells * sizes.replicates
    print(f"{runs:,} runs, {file.stat().st_size / 1e6:.0f} MB, in {seconds:.0f} s")
    answers: dict[str, dict[str, float]] = {}

    def note(name: str, answer: Answer) -> None:
        answers[name] = asdict(answer)
        print(f"{name:<36}" + "".join(f"{x:>11.3f}" for x in answers[name].values()))

    note("migration from schema 3", migration(store, rounds=3))
    for name, question in questions(store, sizes).items():
        note(name, ask(question, file, rounds))
    return {
        "libraries": {name: version(name) for name in ("sqlalchemy", "pandas")},
        "sqlite": sqlite3.sqlite_version,
        "load": os.getloadavg(),
        "bytes": file.stat().st_size,
        "seconds": answers,
    }


def main() -> None:
    """Fill a database, time questions, print and write."""
    wanted = tyro.cli(Questions, description=__doc__)
    headings = ("first", "median", "slowest", "processor")
    print(f"{'seconds':<36}" + "".join(f"{heading:>11}" for heading in headings))
    with tempfile.TemporaryDirectory() as folder:
        measured = measure(wanted.sizes, wanted.rounds, Path(folder))
    result = {"machine": machine(), "sizes": asdict(wanted.sizes), **measured}
    wanted.output.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(result, indent=1)
    write_whole(wanted.output, lambda opened: opened.write(text.encode()))
    print(f"wrote {wanted.output}")


if __name__ == "__main__":
    main()
