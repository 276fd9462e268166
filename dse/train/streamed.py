"""Train on a streamed set: batches as they are decoded, checkpoints on the way.

The order of the images follows from the replicate, so the number of the step is the
position in the data: a training that was killed goes on from its last checkpoint and
sees the images that it would have seen. A batch is split into parts that fit the
memory.
"""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int

from dse.data.dataset import Split, validation_split
from dse.data.stream import StreamedDataset, StreamedPart
from dse.models.network import Weights
from dse.runs.cell import Cell
from dse.runs.events import (
    Checkpointed,
    Done,
    EpochEnded,
    Event,
    Failed,
    Metrics,
    Started,
)
from dse.train.checkpoint import Checkpoints, Progress, checkpoints_in, restore
from dse.train.engine import epoch_order
from dse.train.process import keep_compiled_programs
from dse.train.scores import means, untrained
from dse.train.state import (
    Batches,
    Normaliser,
    Replicate,
    TrainState,
    no_totals,
    replicate_keys,
)
from dse.train.stepped import sums_to_overwrite
from dse.train.streamed_program import (
    EVALUATION_BATCH,
    Scores,
    StreamedProgram,
    compile_streamed,
)

CHECKPOINT_STEPS = 1000
STEPS_AHEAD = 4
"""Steps that may wait on the device; each holds its batch in memory there."""


class StreamedTrainer:
    """Trains cells on a streamed set, one run after the other.

    Args:
        dataset: The dataset.
        folder: Folder for checkpoints (`dse.runs.paths`); None for none. They stay
            when a run has ended, until its result is stored.
        checkpoint_steps: Steps from one checkpoint to the next.
    """

    def __init__(
        self,
        dataset: StreamedDataset,
        folder: Path | None,
        checkpoint_steps: int = CHECKPOINT_STEPS,
    ) -> None:
        keep_compiled_programs()
        self._dataset = dataset
        self._folder, self._checkpoint_steps = folder, checkpoint_steps

    def prepare(self, cell: Cell, replicates: Sequence[int]) -> None:
        """Do nothing: compilation is short beside such a training."""

    def close(self) -> None:
        """Do nothing: nothing runs between two events."""

    def train(self, cell: Cell, replicates: Sequence[int]) -> Iterator[Event]:
        """Train `cell` once for each of `replicates`; see `dse.train.run.Trainer`."""
        device = jax.devices()[0].device_kind
        program: StreamedProgram | None = None
        for number in replicates:
            yield Started(cell.id, number, device)
            split = validation_split(self._dataset, cell.recipe.seed, number)
            compile_seconds = 0.0
            if program is None:
                program = compile_streamed(cell, self._dataset, len(split.train))
                compile_seconds = program.compile_seconds
            run = _Run(cell, number, program, self._dataset, split, compile_seconds)
            with checkpoints_in(self._folder, cell.id, (number,)) as kept:
                yield from run.train(kept, self._checkpoint_steps)


@dataclass(frozen=True)
class _Run:
    """One replicate of a cell."""

    cell: Cell
    number: int
    program: StreamedProgram
    dataset: StreamedDataset
    split: Split
    compile_seconds: float

    def train(
        self, kept: Sequence[Checkpoints], checkpoint_steps: int
    ) -> Iterator[Event]:
        """Train from the last checkpoint, or from the start."""
        engine = self.program.engine
        state = engine.initialise(self._replicate.keys.initialisation)
        progress = Progress()
        if restored := restore(kept, state):
            [(state, progress)] = restored
        yield from progress.replayed
        before = progress.train_seconds
        began = time.perf_counter()
        while (step := int(state.step)) < engine.steps:
            epoch = step // engine.steps_per_epoch + 1
            end = min(epoch * engine.steps_per_epoch, engine.steps)
            stop = min(end, (step // checkpoint_steps + 1) * checkpoint_steps)
            advanced = time.perf_counter()
            state = self._advance(state, epoch, stop)
            now = time.perf_counter()
            seconds = progress.epoch_seconds + now - advanced
            ended = progress.ended
            if stop == end:
                epoch_ended = self._ended(state, epoch, seconds)
                yield epoch_ended
                if not math.isfinite(epoch_ended.metrics["train"]["loss"]):
                    loss = epoch_ended.metrics["train"]["loss"]
                    detail = f"train loss is {loss} in epoch {epoch}"
                    yield Failed(self.cell.id, self.number, "diverged", detail)
                    return
                ended, seconds = (*ended, epoch_ended), 0.0
            total = before + time.perf_counter() - began
            progress = Progress(ended, total, seconds)
            for checkpoints in kept:
                checkpoints.save(state, progress)
                yield Checkpointed(self.cell.id, self.number, epoch)
        yield self._result(state, progress)

    @property
    def _replicate(self) -> Replicate:
        recipe = self.cell.recipe
        mean = jnp.asarray(recipe.pixel_mean, jnp.float32)
        return Replicate(
            replicate_keys(recipe.seed, self.number, self.cell.architecture.id),
            Normaliser(mean, jnp.ones_like(mean)),
            jnp.asarray(self.split.train),
        )

    def _advance(self, state: TrainState, epoch: int, stop: int) -> TrainState:
        """Train up to step `stop` within an epoch."""
        program, replicate = self.program, self._replicate
        engine = program.engine
        order = epoch_order(
            replicate.keys.order,
            jnp.int32(epoch),
            replicate.train,
            steps=engine.steps_per_epoch,
            batch_size=engine.batch_size,
        )
        first, start = (epoch - 1) * engine.steps_per_epoch, int(state.step)
        positions = np.asarray(order)[start - first : stop - first].reshape(-1)
        train = self.dataset.train
        batches = self.dataset.batches(train, positions, program.part_size)
        if start == first:
            state = state._replace(totals=no_totals())
        sums = sums_to_overwrite(state)
        for step in range(start, stop):
            for part in range(program.parts):
                pixels, labels = next(batches)
                sums = program.add_part(
                    sums,
                    state.parameters,
                    state.step,
                    Batches(jnp.asarray(pixels), jnp.asarray(labels)),
                    jnp.int32(part),
                    replicate,
                )
            state = program.descend(state, sums)
            if step % STEPS_AHEAD == 0:
                state.step.block_until_ready()
        state.step.block_until_ready()
        return state

    def _ended(self, state: TrainState, epoch: int, seconds: float) -> EpochEnded:
        engine = self.program.engine
        steps = int(state.step) - (epoch - 1) * engine.steps_per_epoch
        seen = steps * engine.batch_size
        metrics = {
            "train": means(jax.device_get(state.totals), seen),
            "validation": self._score(state, self.dataset.train, self.split.validation),
        }
        return EpochEnded(self.cell.id, self.number, epoch, metrics, seen, seconds)

    def _score(
        self, state: TrainState, part: StreamedPart, positions: Int[np.ndarray, " n"]
    ) -> dict[str, float]:
        """Loss, top-1 and top-5 accuracy of images; NaN if there are none."""
        scores = Scores(no_totals(), jnp.zeros(()))
        normaliser = self._replicate.normaliser
        for pixels, labels in self.dataset.batches(part, positions, EVALUATION_BATCH):
            short = EVALUATION_BATCH - len(labels)
            filled = np.pad(pixels, ((0, short), (0, 0), (0, 0), (0, 0)))
            marked = np.pad(labels, (0, short), constant_values=-1)
            images = Batches(jnp.asarray(filled), jnp.asarray(marked))
            scores = self.program.score(state.parameters, scores, images, normaliser)
        totals, correct5 = jax.device_get(scores)
        if not len(positions):
            return dict.fromkeys(("loss", "accuracy", "top5_accuracy"), math.nan)
        count = len(positions)
        return {**means(totals, count), "top5_accuracy": float(correct5) / count}

    def _result(self, state: TrainState, progress: Progress) -> Event:
        last = progress.ended[-1]
        labels = self.dataset.train.labels[self.split.train]
        chance = float(np.bincount(labels).max() / len(labels))
        why = untrained(last.metrics["train"]["accuracy"], chance, last.images)
        if why:
            return Failed(self.cell.id, self.number, "untrained", why)
        began = time.perf_counter()
        every = np.arange(len(self.dataset.test))
        tested = self._score(state, self.dataset.test, every)
        metrics: Metrics = {**last.metrics, "test": tested}
        weights: Weights = jax.device_get(state.parameters)
        return Done(
            self.cell.id,
            self.number,
            metrics=metrics,
            train_seconds=progress.train_seconds + time.perf_counter() - began,
            compile_seconds=self.compile_seconds,
            step_seconds=progress.step_seconds,
            weights={
                **weights,
                "input": jax.device_get(self._replicate.normaliser._asdict()),
            },
        )
