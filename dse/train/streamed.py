"""The feed of a streamed set: batches as they are decoded, a part at a time.

The order of the images follows from the replicate, so the number of the step is the
position in the data: a training that was killed goes on from its last checkpoint and
sees the images that it would have seen. A batch is split into parts that fit the
memory.
"""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int

from dse.data.dataset import train_size, validation_split
from dse.data.stream import StreamedDataset, StreamedPart
from dse.runs.cell import Cell
from dse.train.draws import epoch_order
from dse.train.members import Member, Program, Saving
from dse.train.scores import commonest_share, evaluated
from dse.train.state import (
    Batches,
    Normaliser,
    Replicate,
    Totals,
    TrainState,
    no_scores,
    no_totals,
    replicate_keys,
    sums_to_overwrite,
)
from dse.train.streamed_program import EVALUATION_BATCH, Functions, compile_functions

CHECKPOINT_STEPS = 1000
STEPS_AHEAD = 4
"""Steps that may wait on the device; each holds its batch in memory there."""


class Chosen(NamedTuple):
    """Images that are evaluated: a part of the set, and positions in it."""

    part: StreamedPart
    positions: Int[np.ndarray, " n"]


class StreamedFeed:
    """Images in files; see `dse.train.run.Feed`. One replicate trains at a time."""

    saving = Saving(0.0, CHECKPOINT_STEPS)

    def __init__(self, dataset: StreamedDataset) -> None:
        self._dataset = dataset

    def together(self, replicates: int) -> int:
        """See `Feed`."""
        return 1

    def compile(self, cell: Cell, replicates: int) -> Program:
        """See `Feed`."""
        dataset = self._dataset
        functions = compile_functions(cell, dataset, train_size(dataset))
        begin = partial(StreamedTraining, functions, dataset)
        return Program(functions.engine, begin, functions.seconds)

    def member(self, cell: Cell, number: int) -> Member:
        """See `Feed`."""
        dataset, recipe = self._dataset, cell.recipe
        split = validation_split(dataset, recipe.seed, number)
        labels = dataset.train.labels[split.train]
        mean = jnp.asarray(recipe.pixel_mean, jnp.float32)
        return Member(
            number,
            Replicate(
                replicate_keys(recipe.seed, number, cell.architecture.id),
                Normaliser(mean, jnp.ones_like(mean)),
                jnp.asarray(split.train),
            ),
            validation=Chosen(dataset.train, split.validation),
            test=Chosen(dataset.test, np.arange(len(dataset.test))),
            chance=commonest_share(labels),
        )


class StreamedTraining:
    """One replicate that trains; see `dse.train.members.Training`."""

    def __init__(
        self,
        functions: Functions,
        dataset: StreamedDataset,
        replicates: Sequence[Replicate],
    ) -> None:
        [self._replicate] = replicates
        self._functions, self._dataset = functions, dataset
        self._engine = functions.engine
        self._state = self._engine.initialise(self._replicate.keys.initialisation)

    def advance(self, epoch: int, stop: int) -> list[Totals]:
        """See `Training`."""
        do, engine, state = self._functions, self._engine, self._state
        order = epoch_order(
            self._replicate.keys.order,
            jnp.int32(epoch),
            self._replicate.train,
            steps=engine.steps_per_epoch,
            batch_size=engine.batch_size,
        )
        first, start = (epoch - 1) * engine.steps_per_epoch, int(state.step)
        positions = np.asarray(order)[start - first : stop - first].reshape(-1)
        batches = self._dataset.batches(self._dataset.train, positions, do.part_size)
        if start == first:
            state = state._replace(totals=no_totals())
        sums = sums_to_overwrite(state)
        for step in range(start, stop):
            for part in range(do.parts):
                pixels, labels = next(batches)
                sums = do.add_part(
                    sums,
                    state.parameters,
                    state.step,
                    Batches(jnp.asarray(pixels), jnp.asarray(labels)),
                    jnp.int32(part),
                    self._replicate,
                )
            state = do.descend(state, sums, self._replicate.groups)
            if step % STEPS_AHEAD == 0:
                state.step.block_until_ready()
        state.step.block_until_ready()
        self._state = state
        return [jax.device_get(state.totals)]

    def score(self, images: Sequence[Chosen]) -> list[dict[str, float]]:
        """See `Training`."""
        [(part, positions)] = images
        scores, weights = no_scores(), self._state.weights
        for pixels, labels in self._dataset.batches(part, positions, EVALUATION_BATCH):
            short = EVALUATION_BATCH - len(labels)
            filled = np.pad(pixels, ((0, short), (0, 0), (0, 0), (0, 0)))
            marked = np.pad(labels, (0, short), constant_values=-1)
            batch = Batches(jnp.asarray(filled), jnp.asarray(marked))
            scores = self._functions.evaluate(
                weights, scores, batch, self._replicate.normaliser
            )
        classes = self._engine.architecture.classes
        return [evaluated(jax.device_get(scores), len(positions), classes)]

    def states(self) -> list[TrainState]:
        """See `Training`."""
        return [jax.device_get(self._state)]

    def resume(self, states: Sequence[TrainState]) -> None:
        """See `Training`."""
        [state] = states
        self._state = jax.tree.map(jnp.asarray, state)
