"""The trainer for a set: in memory, or streamed."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from dse.data.dataset import Dataset, ImageData
from dse.data.stream import StreamedDataset
from dse.runs.cell import Cell
from dse.runs.events import Event


@runtime_checkable
class CellTrainer(Protocol):
    """Trains cells on one set."""

    def prepare(self, cell: Cell, replicates: Sequence[int]) -> None:
        """Begin to compile, in another thread, what `train` will be asked for."""

    def train(self, cell: Cell, replicates: Sequence[int]) -> Iterator[Event]:
        """Train `cell` once for each of `replicates`."""

    def close(self) -> None:
        """Begin nothing further."""


def trainer_for(dataset: ImageData, folder: Path | None) -> CellTrainer:
    """What trains on `dataset`; checkpoints of long trainings go into `folder`.

    Raises:
        DseError: JAX is set up otherwise here than where others train, or computes on
            the processor though there is a GPU.
        RuntimeError: it finds no device.
    """
    # JAX is imported here, and above nowhere: a driver does without.
    from dse.train import process, run, streamed

    process.check_jax()
    process.check_device()
    if isinstance(dataset, Dataset):
        return run.Trainer(dataset, folder)
    assert isinstance(dataset, StreamedDataset)
    return streamed.StreamedTrainer(dataset, folder)
