"""Train the replicates of a cell, one after the other: (cell, dataset) -> events."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from dse.data.dataset import Dataset, channel_statistics, validation_split
from dse.models.network import weights_of
from dse.train.cell import Cell
from dse.train.engine import (
    Batches,
    Engine,
    Keys,
    Normaliser,
    Totals,
    TrainState,
    evaluation_batches,
    no_totals,
    replicate_keys,
)
from dse.train.events import Done, EpochEnded, Event, Failed, Started

LARGEST_EVALUATION_BATCH = 250


@dataclass(frozen=True)
class Program:
    """An engine's functions, compiled for one dataset's shapes."""

    engine: Engine
    initialise: Callable[..., TrainState]
    epoch_order: Callable[..., Array]
    train_step: Callable[..., TrainState]
    evaluate: Callable[..., Totals]
    compile_seconds: float


def train(cell: Cell, replicates: Sequence[int], dataset: Dataset) -> Iterator[Event]:
    """Train `cell` once for each of `replicates`.

    Yields:
        For each run `Started`, an `EpochEnded` an epoch, and `Done` or `Failed`.
    """
    images = images_on_device(dataset)
    program: Program | None = None
    for replicate in replicates:
        yield Started(cell.id, replicate, jax.devices()[0].device_kind)
        compiled_now = program is None
        if program is None:
            program = compile_program(cell, dataset, images)
        run = _Run(cell, replicate, dataset, program, images)
        yield from run.events(program.compile_seconds if compiled_now else 0.0)


def images_on_device(dataset: Dataset) -> Batches:
    """All images as they are, the test part's after train's: one shape to compile."""
    parts = dataset.train, dataset.test
    return Batches(
        jnp.asarray(np.concatenate([part.pixels for part in parts])),
        jnp.asarray(np.concatenate([part.labels for part in parts])),
    )


def compile_program(cell: Cell, dataset: Dataset, images: Batches) -> Program:
    """Compile the functions of `cell`'s engine ahead of time."""
    started = time.perf_counter()
    split = validation_split(dataset, cell.recipe.seed, 0)
    seen = len(split.train)
    batch_size = min(cell.recipe.batch_size, seen)
    engine = Engine(cell.architecture, cell.recipe, seen // batch_size, batch_size)
    key = jax.random.key(0)
    initialise = jax.jit(engine.initialise).lower(key).compile()
    order = jax.jit(partial(engine.epoch_order, images=seen))
    epoch_order = order.lower(key, jnp.int32(0)).compile()
    state = jax.eval_shape(engine.initialise, key)
    channels = jnp.ones(dataset.image_shape[2])
    normaliser = Normaliser(channels, channels)
    one_epoch = jax.eval_shape(order, key, jnp.int32(0))
    train_step = (
        jax.jit(engine.train_step, donate_argnums=0)
        .lower(state, images, one_epoch, normaliser, key, key)
        .compile()
    )
    chosen = jnp.zeros(evaluation_batch(dataset), jnp.int32)
    evaluate = (
        jax.jit(engine.evaluate)
        .lower(state.parameters, no_totals(), images, chosen, normaliser)
        .compile()
    )
    seconds = time.perf_counter() - started
    return Program(engine, initialise, epoch_order, train_step, evaluate, seconds)


def evaluation_batch(dataset: Dataset) -> int:
    """Images evaluated at a time: no more than the test part has."""
    return min(LARGEST_EVALUATION_BATCH, len(dataset.test))


class _Run:
    """One replicate's training."""

    def __init__(
        self,
        cell: Cell,
        replicate: int,
        dataset: Dataset,
        program: Program,
        images: Batches,
    ) -> None:
        self.cell, self.replicate, self.program = cell, replicate, program
        self.keys: Keys = replicate_keys(
            cell.recipe.seed, replicate, cell.architecture.id
        )
        split = validation_split(dataset, cell.recipe.seed, replicate)
        pixels = dataset.train.pixels[split.train]
        labels = dataset.train.labels[split.train]
        self.normaliser = Normaliser(*map(jnp.asarray, channel_statistics(pixels)))
        self.train_positions = jnp.asarray(split.train)
        self.images = images
        test = len(dataset.train) + np.arange(len(dataset.test))
        batch = evaluation_batch(dataset)
        self.parts = {
            "validation": evaluation_batches(split.validation, batch),
            "test": evaluation_batches(test, batch),
        }
        self.chance = float(np.bincount(labels).max() / len(labels))

    def events(self, compile_seconds: float) -> Iterator[Event]:
        """The run, epoch by epoch."""
        engine, recipe = self.program.engine, self.cell.recipe
        began = time.perf_counter()
        step_seconds = 0.0
        state = self.program.initialise(self.keys.initialisation)
        for epoch in range(1, recipe.epochs + 1):
            epoch_began = time.perf_counter()
            order = self._order(epoch)
            state = state._replace(totals=no_totals())
            for _ in range(engine.steps_per_epoch):
                state = self.program.train_step(
                    state,
                    self.images,
                    order,
                    self.normaliser,
                    self.keys.augmentation,
                    self.keys.dropout,
                )
            seen = engine.steps_per_epoch * engine.batch_size
            trained = _means(state.totals, seen)
            seconds = time.perf_counter() - epoch_began
            step_seconds += seconds
            if not math.isfinite(trained["loss"]):
                loss = trained["loss"]
                yield self._failed("diverged", f"train loss is {loss} in epoch {epoch}")
                return
            metrics = {"train": trained, "validation": self._score(state, "validation")}
            yield EpochEnded(
                self.cell.id, self.replicate, epoch, metrics, seen, seconds
            )
        if trained["accuracy"] <= self._chance_level(seen):
            yield self._failed(
                "untrained",
                f"train accuracy {trained['accuracy']:.4f} in the last epoch is no "
                f"better than chance, {self.chance:.4f}",
            )
            return
        yield Done(
            self.cell.id,
            self.replicate,
            metrics={**metrics, "test": self._score(state, "test")},
            train_seconds=time.perf_counter() - began,
            compile_seconds=compile_seconds,
            step_seconds=step_seconds,
            weights=jax.device_get(
                {**weights_of(state.parameters), "input": self.normaliser._asdict()}
            ),
        )

    def _order(self, epoch: int) -> Array:
        order = self.program.epoch_order(self.keys.order, jnp.int32(epoch))
        return self.train_positions[order]

    def _score(self, state: TrainState, split: str) -> dict[str, float]:
        batches = self.parts[split]
        totals = no_totals()
        for chosen in batches:
            totals = self.program.evaluate(
                state.parameters,
                totals,
                self.images,
                jnp.asarray(chosen),
                self.normaliser,
            )
        return _means(totals, int((batches >= 0).sum()))

    def _chance_level(self, seen: int) -> float:
        """Accuracy that guessing stays under, but for one run in a thousand."""
        return self.chance + 3.09 * math.sqrt(self.chance * (1 - self.chance) / seen)

    def _failed(self, reason: str, detail: str) -> Failed:
        return Failed(self.cell.id, self.replicate, reason, detail)


def _means(totals: Totals, count: int) -> dict[str, float]:
    return {
        "loss": float(totals.loss) / count,
        "accuracy": float(totals.correct) / count,
    }
