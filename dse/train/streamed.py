"""Train on a streamed set: batches as they are decoded, checkpoints on the way.

The order of the images follows from the replicate, so the number of the step is the
position in the data: a training that was killed goes on from its last checkpoint and
sees what it would have seen. A batch is worked on in parts that fit the memory.
"""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Int

from dse.arch.cost import BYTES_FP32, cost
from dse.arch.graph import Architecture
from dse.data.dataset import Split, validation_split
from dse.data.stream import StreamedDataset, StreamedPart
from dse.models.network import Weights
from dse.ops import operations_for
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
from dse.train.engine import (
    Batches,
    Engine,
    Normaliser,
    Replicate,
    Sums,
    Totals,
    TrainState,
    add_sums,
    cross_entropy,
    epoch_order,
    no_totals,
    replicate_keys,
)
from dse.train.process import keep_compiled_programs
from dse.train.scores import means, untrained
from dse.train.stepped import compiler_options, part_size, sums_to_overwrite

CHECKPOINT_STEPS = 1000
EVALUATION_BATCH = 64
STEPS_AHEAD = 4
"""Steps that may wait on the device; more would hold more batches there."""
COPIES = 4
"""Bytes of a training step, over those of an image's activations, about."""
MEMORY_SHARE = 0.7


class Scores(NamedTuple):
    """Sums over images."""

    totals: Totals
    correct5: Float[Array, ""]


class StreamedTrainer:
    """Trains cells on a streamed set, one run after the other.

    Args:
        dataset: the dataset.
        folder: under which checkpoints go (`dse.runs.paths`); None for none. They
            stay when a run has ended, for the sake of its result.
        checkpoint_steps: steps from one checkpoint to the next.
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
        """Nothing: compilation is short beside such a training."""

    def close(self) -> None:
        """Nothing is under way between two events."""

    def train(self, cell: Cell, replicates: Sequence[int]) -> Iterator[Event]:
        """Train `cell` once for each of `replicates`; see `dse.train.run.Trainer`."""
        device = jax.devices()[0].device_kind
        program: _Program | None = None
        for number in replicates:
            yield Started(cell.id, number, device)
            split = validation_split(self._dataset, cell.recipe.seed, number)
            compile_seconds = 0.0
            if program is None:
                program = _compile(cell, self._dataset, len(split.train))
                compile_seconds = program.compile_seconds
            run = _Run(cell, number, program, self._dataset, split, compile_seconds)
            with checkpoints_in(self._folder, cell.id, (number,)) as kept:
                yield from run.train(kept, self._checkpoint_steps)


@dataclass(frozen=True)
class _Program:
    engine: Engine
    parts: int
    add_part: Any
    descend: Any
    score: Any
    compile_seconds: float

    @property
    def part_size(self) -> int:
        return self.engine.batch_size // self.parts


@dataclass(frozen=True)
class _Run:
    """One replicate of a cell."""

    cell: Cell
    number: int
    program: _Program
    dataset: StreamedDataset
    split: Split
    compile_seconds: float

    def train(
        self, kept: Sequence[Checkpoints], checkpoint_steps: int
    ) -> Iterator[Event]:
        """Go on from the last checkpoint, or begin."""
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
                told = self._ended(state, epoch, seconds)
                yield told
                if not math.isfinite(told.metrics["train"]["loss"]):
                    loss = told.metrics["train"]["loss"]
                    detail = f"train loss is {loss} in epoch {epoch}"
                    yield Failed(self.cell.id, self.number, "diverged", detail)
                    return
                ended, seconds = (*ended, told), 0.0
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
        """Loss, top-1 and top-5 accuracy; NaN of no images."""
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


def memory_part(architecture: Architecture, batch_size: int) -> int:
    """Images of a batch that are worked on together: they divide it evenly.

    On a CPU what fits its cache (`dse.train.stepped.part_size`), else what fits the
    device's memory.
    """
    device: Any = jax.devices()[0]
    if device.platform == "cpu":
        return part_size(architecture, batch_size)
    held = (device.memory_stats() or {}).get("bytes_limit", 8 * 2**30)
    image = COPIES * BYTES_FP32 * cost(architecture).activations
    fits = max(1, int(MEMORY_SHARE * held) // image)
    return next(n for n in range(min(fits, batch_size), 0, -1) if batch_size % n == 0)


def _compile(cell: Cell, dataset: StreamedDataset, train_size: int) -> _Program:
    began = time.perf_counter()
    batch_size = min(cell.recipe.batch_size, train_size)
    engine = Engine(
        cell.recipe.applied_to(cell.architecture),
        cell.recipe,
        train_size // batch_size,
        batch_size,
        operations_for(jax.default_backend()),
    )
    size = memory_part(engine.architecture, batch_size)
    options = compiler_options(engine) if jax.default_backend() == "cpu" else {}
    key = jax.random.key(0)
    state = engine.initialise(key)
    sums, normaliser = sums_to_overwrite(state), Normaliser(jnp.ones(3), jnp.ones(3))
    replicate = Replicate(
        replicate_keys(0, 0, engine.architecture.id),
        normaliser,
        jnp.zeros(train_size, jnp.int32),
    )
    images, scored = _blank(size, dataset.side), _blank(EVALUATION_BATCH, dataset.side)
    adding = jax.jit(partial(_add_part, engine), donate_argnums=0).lower(
        sums, state.parameters, state.step, images, jnp.int32(0), replicate
    )
    descending = jax.jit(engine.descend, donate_argnums=0).lower(state, sums)
    scoring = jax.jit(partial(_add_scores, engine)).lower(
        state.parameters, Scores(no_totals(), jnp.zeros(())), scored, normaliser
    )
    add_part, descend, score = (
        lowered.compile(options) for lowered in (adding, descending, scoring)
    )
    seconds = time.perf_counter() - began
    return _Program(engine, batch_size // size, add_part, descend, score, seconds)


def _blank(count: int, side: int) -> Batches:
    pixels = jnp.zeros((count, side, side, 3), jnp.uint8)
    return Batches(pixels, jnp.zeros(count, jnp.int32))


def _add_part(
    engine: Engine,
    sums: Sums,
    parameters: Weights,
    step: Int[Array, ""],
    images: Batches,
    part: Int[Array, ""],
    replicate: Replicate,
) -> Sums:
    """`sums` and those of part number `part` of a batch; part 0 begins anew."""
    every = jnp.arange(len(images.labels))
    places = part * len(images.labels) + every
    more = engine.sums(parameters, step, images, every, places, replicate)
    return add_sums(sums, more, part)


def _add_scores(
    engine: Engine,
    parameters: Weights,
    scores: Scores,
    images: Batches,
    normaliser: Normaliser,
) -> Scores:
    """`scores` and those of the images; a label of -1 stands for no image."""
    told = engine.class_scores(parameters, images.pixels, normaliser)
    labels, counted = images.labels, images.labels >= 0
    own = jnp.take_along_axis(told, labels[:, None], axis=1)
    classes = jnp.arange(told.shape[1])
    ahead = (told > own) | ((told == own) & (classes < labels[:, None]))
    # Places before the right class; of equal scores the first counts, as in argmax.
    before = jnp.where(jnp.isfinite(told).all(axis=1), ahead.sum(axis=1), len(classes))
    losses = cross_entropy(told, labels, 0.0)
    return Scores(
        Totals(
            scores.totals.loss + jnp.sum(losses, where=counted),
            scores.totals.correct + jnp.sum(before == 0, where=counted),
        ),
        scores.correct5 + jnp.sum(before < 5, where=counted),
    )
