"""A worker whose runs take no time, so that only the driver's time is left.

Started by experiments/benchmarks/driver.py.
"""

import sys
from collections.abc import Iterator, Sequence

import numpy as np

from dse.execute import worker
from dse.runs.cell import Cell
from dse.runs.events import Done, EpochEnded, Event, Started

SCORES = {"loss": 0.5, "accuracy": 0.75}
METRICS = {"train": SCORES, "validation": SCORES}


class TrivialTrainer:
    """A trainer that yields the events of a run without training."""

    def prepare(self, cell: Cell, replicates: Sequence[int]) -> None:
        """Do nothing: there is nothing to compile."""

    def train(self, cell: Cell, replicates: Sequence[int]) -> Iterator[Event]:
        """Yield events as `dse.train.trainers.CellTrainer` does."""
        for replicate in replicates:
            yield Started(cell.id, replicate, "none")
            yield EpochEnded(cell.id, replicate, 1, METRICS, 1, 1.0)
            yield Done(
                cell.id,
                replicate,
                {**METRICS, "test": SCORES},
                train_seconds=0.0,
                compile_seconds=0.0,
                step_seconds=0.0,
                weights={"conv1": {"kernel": np.zeros(3, np.float32)}},
            )

    def close(self) -> None:
        """Do nothing."""


if __name__ == "__main__":
    worker.trainer_for = lambda dataset, folder: TrivialTrainer()
    worker.main(int(sys.argv[1]), int(sys.argv[2]))
