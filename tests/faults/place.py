"""Where a sweep is disturbed, and what is left of it."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pretend

from dse.store.database import open_store
from dse.store.query import view


@dataclass
class Place:
    """A folder with the small experiment in it, and a driver for it."""

    folder: Path
    words: tuple[str, ...] = ("sweep", "small.py")
    environment: dict = field(default_factory=dict)

    def start(self, *more, output=subprocess.DEVNULL):
        command = [sys.executable, pretend.__file__, *self.words, *map(str, more)]
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env={**os.environ, **self.environment},
            stdout=output,
            stderr=output,
            text=True,
        )

    def finish(self, *more):
        """Run it to its end, which must be a good one."""
        process = self.start(*more, output=subprocess.PIPE)
        out, error = process.communicate(timeout=120)
        assert process.returncode == 0, f"{out}\n{error}"
        return out

    @property
    def runs(self) -> pd.DataFrame:
        url = f"sqlite:///{self.folder}/results/dse.db"
        rows = view(open_store(url, create=False), "runs")
        return rows.sort_values(["cell_id", "replicate"]).reset_index(drop=True)

    def results(self):
        """The table, less what clocks and the order of events decide."""
        of_time = ["run_id", "created_at", "tries", "compile_seconds"]
        of_time += ["train_seconds", "step_seconds"]
        return self.runs.drop(columns=of_time)

    def completed(self) -> set:
        """Runs that are in the database as complete, each with its row's number."""
        if not (self.folder / "results/dse.db").exists():
            return set()
        return read_completed(self.folder / "results/dse.db")

    def begun(self):
        return pretend.begun(self.folder)


def read_completed(file):
    """By SQLite itself: whatever a killed driver left must be readable."""
    known = "SELECT COUNT(*) FROM sqlite_master WHERE name = 'dse_runs'"
    query = "SELECT id, cell_id, replicate FROM dse_runs WHERE status = 'complete'"
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        if not connection.execute(known).fetchone()[0]:
            return set()
        return set(connection.execute(query).fetchall())
