"""A driver whose workers only pretend to train, in no time, and misbehave as told.

As a script it is `dse`, or a worker: `python pretend.py WORDS...`. A file that
DSE_PRETEND names says in JSON what goes wrong: for a replicate, at its start number,
one of MISCHIEF. What was begun is written beside it, a line each.
"""

import hashlib
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dse.errors import DseError
from dse.runs.events import Done, EpochEnded, Started

MISCHIEF = ("die", "hang", "abort", "raise", "refuse", "allocate", "nan", "stop")
EPOCHS = 2


@dataclass(frozen=True)
class Mischief:
    """What goes wrong with a replicate of every cell, at its n-th start (0: each)."""

    what: str
    replicate: int
    start: int = 1


def plan_mischief(folder: Path, *planned: Mischief, seconds: float = 0.0) -> dict:
    """The environment of a driver whose workers do that."""
    file = folder / "pretend.json"
    told = {"mischief": [vars(m) for m in planned], "seconds": seconds}
    file.write_text(json.dumps(told))
    return {**os.environ, "DSE_PRETEND": str(file), "JAX_PLATFORMS": "cpu"}


def begun(folder: Path) -> list[tuple[str, int, int]]:
    """Cell, replicate and worker of every run that was begun so far."""
    log = folder / "pretend.json.begun"
    if not log.exists():
        return []
    lines = [line.split() for line in log.read_text().splitlines()]
    return [(cell, int(replicate), int(pid)) for cell, replicate, pid in lines]


def score(cell_id: str, replicate: int, epoch: int) -> float:
    """An accuracy between 0.5 and 0.9 that is the run's own."""
    digest = hashlib.sha256(f"{cell_id} {replicate} {epoch}".encode()).digest()
    return 0.5 + 0.4 * digest[0] / 255


class PretendTrainer:
    """In place of a trainer."""

    def __init__(self):
        self._file = Path(os.environ["DSE_PRETEND"])
        told = json.loads(self._file.read_text())
        self._planned = [Mischief(**m) for m in told["mischief"]]
        self._seconds = told["seconds"]

    def prepare(self, cell, replicates):
        pass

    def close(self):
        pass

    def train(self, cell, replicates):
        for replicate in replicates:
            start = self._begin(cell.id, replicate)
            yield Started(cell.id, replicate, "pretence")
            for epoch in range(1, EPOCHS + 1):
                time.sleep(self._seconds / EPOCHS)
                accuracy = score(cell.id, replicate, epoch)
                scores = {"loss": 1 - accuracy, "accuracy": accuracy}
                metrics = {"train": scores, "validation": scores}
                yield EpochEnded(cell.id, replicate, epoch, metrics, 100, 0.01)
            for mischief in self._planned:
                if mischief.replicate == replicate and mischief.start in (0, start):
                    scores = self._do(mischief.what, scores)
            yield Done(
                cell.id,
                replicate,
                {**metrics, "validation": scores, "test": scores},
                train_seconds=0.02,
                compile_seconds=0.0,
                step_seconds=0.02,
                weights={"conv1": {"kernel": np.full(3, accuracy, np.float32)}},
            )

    def _begin(self, cell_id, replicate):
        """How often the run was begun by now."""
        log = self._file.with_name(f"{self._file.name}.begun")
        with log.open("a") as begun_log:
            begun_log.write(f"{cell_id} {replicate} {os.getpid()}\n")
        of_run = f"{cell_id} {replicate} "
        return sum(line.startswith(of_run) for line in log.read_text().splitlines())

    def _do(self, what, scores):
        match what:
            case "die":
                os.kill(os.getpid(), 9)
            case "hang":
                time.sleep(3600)
            case "abort":
                print("Check failed: \a 1 == 2", flush=True)
                os.abort()
            case "refuse":
                raise DseError("a pretended refusal")
            case "raise":
                raise RuntimeError("a pretended error")
            case "allocate":
                held = []
                while True:
                    held.append(np.ones(2**22))
                    time.sleep(0.01)
            case "nan":
                return dict.fromkeys(scores, float("nan"))
        return scores


def be_a_worker(file_number, driver_number):
    from dse.execute import worker

    worker.trainer_for = lambda dataset, folder: PretendTrainer()
    worker.main(file_number, driver_number)


def be_dse(words):
    from dse.cli import command
    from dse.execute import worker_process

    worker_process.WORKER = (sys.executable, __file__, "--worker")
    command(words)


if __name__ == "__main__":
    if sys.argv[1] == "--worker":
        be_a_worker(int(sys.argv[2]), int(sys.argv[3]))
    else:
        be_dse(sys.argv[1:])
