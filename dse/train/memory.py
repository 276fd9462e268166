"""The feed of a dataset in memory: all images on the device, one program a cell."""

from functools import cached_property

import jax.numpy as jnp
import numpy as np

from dse.data.dataset import Dataset, channel_statistics, train_size, validation_split
from dse.ops.interface import Operations
from dse.runs.cell import Cell
from dse.train.members import Member, Program, Saving
from dse.train.program import compile_program, stack_size
from dse.train.scores import commonest_share, evaluation_batches
from dse.train.state import Batches, Normaliser, Replicate, replicate_keys

LARGEST_EVALUATION_BATCH = 250
CHECKPOINT_SECONDS = 60.0
"""Least time between checkpoints, which are written at the end of an epoch. A shorter
run writes none."""


class MemoryFeed:
    """Images in memory; see `dse.train.run.Feed`.

    Args:
        dataset: the dataset.
        operations: None for the numerics that suit the device.
    """

    saving = Saving(CHECKPOINT_SECONDS)

    def __init__(self, dataset: Dataset, operations: Operations | None = None) -> None:
        self._dataset, self._operations = dataset, operations

    def together(self, replicates: int) -> int:
        """See `Feed`."""
        return stack_size(replicates)

    def compile(self, cell: Cell, replicates: int) -> Program:
        """See `Feed`."""
        return compile_program(
            cell,
            self._images,
            train_size(self._dataset),
            self._evaluation_batch,
            replicates,
            operations=self._operations,
        )

    def member(self, cell: Cell, number: int) -> Member:
        """See `Feed`."""
        dataset, seed = self._dataset, cell.recipe.seed
        split = validation_split(dataset, seed, number)
        labels = dataset.train.labels[split.train]
        pixels = dataset.train.pixels[split.train]
        test = len(dataset.train) + np.arange(len(dataset.test))
        return Member(
            number,
            Replicate(
                replicate_keys(seed, number, cell.architecture.id),
                Normaliser(*map(jnp.asarray, channel_statistics(pixels))),
                jnp.asarray(split.train),
            ),
            validation=evaluation_batches(split.validation, self._evaluation_batch),
            test=evaluation_batches(test, self._evaluation_batch),
            chance=commonest_share(labels),
        )

    @cached_property
    def _images(self) -> Batches:
        """All images in one array, train then test, so programs see one shape."""
        parts = self._dataset.train, self._dataset.test
        return Batches(
            jnp.asarray(np.concatenate([part.pixels for part in parts])),
            jnp.asarray(np.concatenate([part.labels for part in parts])),
        )

    @property
    def _evaluation_batch(self) -> int:
        """Images evaluated at a time, at most the size of the test part."""
        return min(LARGEST_EVALUATION_BATCH, len(self._dataset.test))
