"""Choose the trainer for a dataset: in memory, or streamed."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from dse.data.dataset import Dataset, ImageData
from dse.data.stream import StreamedDataset
from dse.runs.cell import Cell
from dse.runs.events import Event


@runtime_checkable
class CellTrainer(Protocol):
    """Trainer of cells on one dataset."""

    def prepare(self, cell: Cell, replicates: Sequence[int]) -> None:
        """Begin to compile, in another thread, the program that `train` will need."""

    def train(
        self,
        cell: Cell,
        replicates: Sequence[int],
        beginnings: Mapping[int, Any] | None = None,
    ) -> Iterator[Event]:
        """Train `cell` once for each of `replicates`."""

    def close(self) -> None:
        """Start no further compilation."""


def trainer_for(dataset: ImageData, folder: Path | None) -> CellTrainer:
    """Make the trainer on `dataset`; checkpoints of long trainings go into `folder`.

    Raises:
        DseError: JAX has other settings here than `dse` trains with, or computes on
            the processor though there is a GPU.
        RuntimeError: JAX finds no device.
    """
    # These import JAX, which a driver does not need.
    from dse.train import memory, process, run, streamed

    process.check_jax()
    process.check_device()
    if isinstance(dataset, Dataset):
        return run.Trainer(memory.MemoryFeed(dataset), folder)
    assert isinstance(dataset, StreamedDataset)
    return run.Trainer(streamed.StreamedFeed(dataset), folder)
