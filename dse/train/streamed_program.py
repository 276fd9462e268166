"""The compiled functions of a streamed training: one part of a batch at a time."""

import time
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from dse.arch.cost import BYTES_FP32, cost
from dse.arch.graph import Architecture
from dse.data.stream import StreamedDataset
from dse.ops import operations_for
from dse.runs.cell import Cell
from dse.train.engine import Engine
from dse.train.state import (
    Batches,
    Normaliser,
    Replicate,
    no_scores,
    replicate_keys,
    sums_to_overwrite,
)
from dse.train.stepped import compiler_options, even_parts, part_size

EVALUATION_BATCH = 64
COPIES = 4
"""Approximate bytes of a training step, over those of one image's activations."""
MEMORY_SHARE = 0.7


@dataclass(frozen=True)
class Functions:
    """The compiled functions of one cell; a batch is worked on in `parts` parts.

    Attributes:
        seconds: time to compile.
    """

    engine: Engine
    parts: int
    add_part: Any
    descend: Any
    evaluate: Any
    seconds: float

    @property
    def part_size(self) -> int:
        """Images in a part."""
        return self.engine.batch_size // self.parts


def memory_part(architecture: Architecture, batch_size: int) -> int:
    """Number of images in a part of a batch; parts divide it evenly.

    On a CPU a part fits the cache (`dse.train.stepped.part_size`), elsewhere the
    device's memory. It is made of whole groups of batch norms, even if that does not
    fit.
    """
    device: Any = jax.devices()[0]
    if device.platform == "cpu":
        return part_size(architecture, batch_size)
    held = (device.memory_stats() or {}).get("bytes_limit", 8 * 2**30)
    an_image = COPIES * BYTES_FP32 * cost(architecture).activations
    fits = max(1, int(MEMORY_SHARE * held / an_image))
    return next(even_parts(architecture, batch_size, fits))


def compile_functions(
    cell: Cell, dataset: StreamedDataset, train_size: int
) -> Functions:
    """Compile the training and the scoring of a cell, for `train_size` images."""
    began = time.perf_counter()
    engine = Engine.of(cell, train_size, operations_for(jax.default_backend()))
    size = memory_part(engine.architecture, engine.batch_size)
    options = compiler_options(engine) if jax.default_backend() == "cpu" else {}
    state = engine.initialise(jax.random.key(0))
    sums, normaliser = sums_to_overwrite(state), Normaliser(jnp.ones(3), jnp.ones(3))
    replicate = Replicate(
        replicate_keys(0, 0, engine.architecture.id),
        normaliser,
        jnp.zeros(train_size, jnp.int32),
        engine.no_groups(),
    )
    images, scored = _blank(size, dataset.side), _blank(EVALUATION_BATCH, dataset.side)
    adding = jax.jit(engine.add_part, donate_argnums=0).lower(
        sums, state.parameters, state.step, images, jnp.int32(0), replicate
    )
    descending = jax.jit(engine.descend, donate_argnums=0).lower(
        state, sums, replicate.groups
    )
    scoring = jax.jit(engine.evaluate).lower(
        state.weights, no_scores(), scored, normaliser
    )
    add_part, descend, evaluate = (
        lowered.compile(options) for lowered in (adding, descending, scoring)
    )
    seconds = time.perf_counter() - began
    return Functions(
        engine, engine.batch_size // size, add_part, descend, evaluate, seconds
    )


def _blank(count: int, side: int) -> Batches:
    pixels = jnp.zeros((count, side, side, 3), jnp.uint8)
    return Batches(pixels, jnp.zeros(count, jnp.int32))
