"""The trainer for a set: in memory, or streamed."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from dse.data.dataset import Dataset, ImageData
from dse.train.cell import Cell
from dse.train.events import Event
from dse.train.settings import check_jax


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
        DseError: JAX is set up otherwise here than where others train.
        RuntimeError: it finds no device.
    """
    check_jax()
    if isinstance(dataset, Dataset):
        from dse.train.run import Trainer

        return Trainer(dataset, folder)
    from dse.data.stream import StreamedDataset
    from dse.train.streamed import StreamedTrainer

    assert isinstance(dataset, StreamedDataset)
    return StreamedTrainer(dataset, folder)
