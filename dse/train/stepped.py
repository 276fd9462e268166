"""Training on CPUs: one replicate at a time, one dispatch per part of a step.

The loops are written in Python, since XLA on CPUs runs convolutions inside its own
loops many times slower. A batch is computed in parts whose activations stay in the
processor's cache.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from dse.arch.cost import BYTES_FP32, cost
from dse.arch.graph import Architecture
from dse.train.draws import epoch_order
from dse.train.engine import Engine
from dse.train.scores import EvaluationRows, evaluated
from dse.train.state import (
    Batches,
    Replicate,
    Scores,
    Sums,
    Totals,
    TrainState,
    no_scores,
    no_totals,
    sums_to_overwrite,
)

PART_BYTES = 16 * 2**20
"""Most bytes of activations in a part of a batch."""

SHORT_RUN_OPERATIONS = 1e13
"""Floating-point operations of a run, about two minutes of a core. Below, compiling
faster is worth slower steps."""

_FAST_TO_COMPILE: Sequence[dict[str, Any]] = (
    {"xla_backend_optimization_level": 1},
    {"xla_cpu_use_fusion_emitters": False},  # older emitters, until JAX 0.11
)

_order = jax.jit(epoch_order, static_argnames=("steps", "batch_size"))


@dataclass(frozen=True)
class _Functions:
    """Compiled functions: `train_step` for batches of one part, else the next two.

    None of the three where nothing is trained.
    """

    parts: int
    train_step: Callable[..., TrainState] | None
    add_part: Callable[..., Sums] | None
    descend: Callable[..., TrainState] | None
    evaluate: Callable[..., Scores]


def part_size(architecture: Architecture, batch_size: int) -> int:
    """Number of images in a part of a batch: a divisor of `batch_size`.

    The largest one that fits; if it is under a quarter of what fits, the whole batch.
    Of a network with batch norms at least a group, even if that does not fit.
    """
    fits = max(1, PART_BYTES // (BYTES_FP32 * cost(architecture).activations))
    sizes = even_parts(architecture, batch_size, fits)
    return next((size for size in sizes if 4 * size >= fits), batch_size)


def even_parts(architecture: Architecture, batch_size: int, fits: int) -> Iterator[int]:
    """Divisors of a batch that are whole groups of batch norms, the largest first.

    At most `fits`, or a group if that is more.
    """
    group = architecture.group
    for size in range(min(max(fits, group), batch_size), 0, -1):
        if batch_size % size == 0 and size % group == 0:
            yield size


def compiler_options(engine: Engine) -> dict[str, Any]:
    """XLA's options for this cell: compile fast if its runs are short."""
    images = engine.steps * engine.batch_size
    operations = 6 * cost(engine.architecture).macs * images
    return _fast_to_compile() if operations < SHORT_RUN_OPERATIONS else {}


@cache
def _fast_to_compile() -> dict[str, Any]:
    """The options of `_FAST_TO_COMPILE` that this version of XLA knows."""
    known: dict[str, Any] = {}
    probe = jax.jit(jnp.negative).lower(jnp.zeros(()))
    for option in _FAST_TO_COMPILE:
        with contextlib.suppress(jax.errors.JaxRuntimeError):
            probe.compile(compiler_options=option)
            known |= option
    return known


def compile_stepped(
    engine: Engine,
    images: Batches,
    example: Sequence[Replicate],
    evaluation_batch: int,
) -> Callable[[Sequence[Replicate]], "SteppedTraining"]:
    """Compile the function that starts training a replicate shaped as in `example`."""
    [replicate] = example
    state = engine.initialise(replicate.keys.initialisation)
    order = _epoch(engine, replicate, 1)
    size = part_size(engine.architecture, engine.batch_size)
    parts = engine.batch_size // size if engine.steps else 0
    options = compiler_options(engine)
    train_step = add_part = descend = None
    if parts == 1:
        step = jax.jit(engine.train_step, donate_argnums=0)
        train_step = step.lower(state, images, order, replicate).compile(options)
    elif parts > 1:
        sums, part = sums_to_overwrite(state), jnp.int32(0)
        adding = jax.jit(partial(engine.add_chosen, size=size), donate_argnums=0)
        add_part = adding.lower(
            sums, state.parameters, state.step, images, order, part, replicate
        ).compile(options)
        descending = jax.jit(engine.descend, donate_argnums=0)
        descend = descending.lower(state, sums, replicate.groups).compile(options)
    chosen = jnp.zeros(evaluation_batch, jnp.int32)
    evaluate = (
        jax.jit(engine.evaluate_chosen)
        .lower(state.weights, no_scores(), images, chosen, replicate.normaliser)
        .compile(options)
    )
    functions = _Functions(parts, train_step, add_part, descend, evaluate)
    return partial(SteppedTraining, engine, images, functions)


class SteppedTraining:
    """One replicate that trains; see `dse.train.members.Training`."""

    def __init__(
        self,
        engine: Engine,
        images: Batches,
        functions: _Functions,
        replicates: Sequence[Replicate],
    ) -> None:
        [self._replicate] = replicates
        self._engine, self._images, self._functions = engine, images, functions
        self._state = engine.initialise(self._replicate.keys.initialisation)
        self._parts = [jnp.int32(part) for part in range(functions.parts)]
        if functions.parts > 1:
            self._sums = sums_to_overwrite(self._state)

    def advance(self, epoch: int, stop: int) -> list[Totals]:
        """See `Training`; `stop` is the end of the epoch."""
        order = _epoch(self._engine, self._replicate, epoch)
        self._state = self._state._replace(totals=no_totals())
        for _ in range(self._engine.steps_per_epoch):
            self._step(order)
        return [jax.device_get(self._state.totals)]

    def _step(self, order: Array) -> None:
        do, state = self._functions, self._state
        if do.train_step is not None:
            self._state = do.train_step(state, self._images, order, self._replicate)
            return
        assert do.add_part is not None
        assert do.descend is not None
        for part in self._parts:
            self._sums = do.add_part(
                self._sums,
                state.parameters,
                state.step,
                self._images,
                order,
                part,
                self._replicate,
            )
        self._state = do.descend(state, self._sums, self._replicate.groups)

    def score(self, images: Sequence[EvaluationRows]) -> list[dict[str, float]]:
        """See `Training`."""
        [rows] = images
        scores, weights = no_scores(), self._state.weights
        for chosen in rows:
            scores = self._functions.evaluate(
                weights,
                scores,
                self._images,
                jnp.asarray(chosen),
                self._replicate.normaliser,
            )
        classes = self._engine.architecture.classes
        return [evaluated(jax.device_get(scores), int((rows >= 0).sum()), classes)]

    def states(self) -> list[TrainState]:
        """See `Training`."""
        return [jax.device_get(self._state)]

    def resume(self, states: Sequence[TrainState]) -> None:
        """See `Training`."""
        [state] = states
        self._state = jax.tree.map(jnp.asarray, state)


def _epoch(engine: Engine, replicate: Replicate, epoch: int) -> Array:
    order: Array = _order(
        replicate.keys.order,
        jnp.int32(epoch),
        replicate.train,
        steps=engine.steps_per_epoch,
        batch_size=engine.batch_size,
    )
    return order
