"""The compiled functions of a streamed training: one part of a batch at a time."""

import time
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Int

from dse.arch.cost import BYTES_FP32, cost
from dse.arch.graph import Architecture
from dse.data.stream import StreamedDataset
from dse.models.network import Weights
from dse.ops import operations_for
from dse.runs.cell import Cell
from dse.train.engine import Engine, cross_entropy
from dse.train.state import (
    Batches,
    Normaliser,
    Replicate,
    Sums,
    Totals,
    add_sums,
    no_totals,
    replicate_keys,
)
from dse.train.stepped import compiler_options, part_size, sums_to_overwrite

EVALUATION_BATCH = 64
COPIES = 4
"""Approximate bytes of a training step, over those of one image's activations."""
MEMORY_SHARE = 0.7


class Scores(NamedTuple):
    """Sums of loss, top-1 and top-5 correct answers over images."""

    totals: Totals
    correct5: Float[Array, ""]


@dataclass(frozen=True)
class StreamedProgram:
    """The compiled functions of one cell; a batch is worked on in `parts` parts."""

    engine: Engine
    parts: int
    add_part: Any
    descend: Any
    score: Any
    compile_seconds: float

    @property
    def part_size(self) -> int:
        return self.engine.batch_size // self.parts


def memory_part(architecture: Architecture, batch_size: int) -> int:
    """Number of images in a part of a batch; parts divide it evenly.

    On a CPU a part fits the cache (`dse.train.stepped.part_size`), elsewhere the
    device's memory.
    """
    device: Any = jax.devices()[0]
    if device.platform == "cpu":
        return part_size(architecture, batch_size)
    held = (device.memory_stats() or {}).get("bytes_limit", 8 * 2**30)
    image = COPIES * BYTES_FP32 * cost(architecture).activations
    fits = max(1, int(MEMORY_SHARE * held) // image)
    return next(n for n in range(min(fits, batch_size), 0, -1) if batch_size % n == 0)


def compile_streamed(
    cell: Cell, dataset: StreamedDataset, train_size: int
) -> StreamedProgram:
    """Compile the training and the scoring of a cell, for `train_size` images."""
    began = time.perf_counter()
    engine = Engine.of(cell, train_size, operations_for(jax.default_backend()))
    size = memory_part(engine.architecture, engine.batch_size)
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
    return StreamedProgram(
        engine, engine.batch_size // size, add_part, descend, score, seconds
    )


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
    """Add the sums of part number `part` of a batch; part 0 starts from zero."""
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
    """Add the scores of the images; a label of -1 marks a place without an image."""
    found = engine.class_scores(parameters, images.pixels, normaliser)
    labels, counted = images.labels, images.labels >= 0
    own = jnp.take_along_axis(found, labels[:, None], axis=1)
    classes = jnp.arange(found.shape[1])
    ahead = (found > own) | ((found == own) & (classes < labels[:, None]))
    # Rank of the right class; among equal scores the first wins, as in argmax.
    before = jnp.where(jnp.isfinite(found).all(axis=1), ahead.sum(axis=1), len(classes))
    losses = cross_entropy(found, labels, 0.0)
    return Scores(
        Totals(
            scores.totals.loss + jnp.sum(losses, where=counted),
            scores.totals.correct + jnp.sum(before == 0, where=counted),
        ),
        scores.correct5 + jnp.sum(before < 5, where=counted),
    )
