"""An engine compiled for one dataset's shapes, in the form that suits the device."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import jax
import jax.numpy as jnp

from dse.models.network import Weights
from dse.ops import operations_for
from dse.ops.interface import Operations
from dse.runs.cell import Cell
from dse.train.engine import (
    Batches,
    Engine,
    EvaluationRows,
    Keys,
    Normaliser,
    Replicate,
    Totals,
    TrainState,
)
from dse.train.stacked import compile_stacked
from dse.train.stepped import compile_stepped

Form = Literal["stepped", "stacked"]
"""One replicate with a dispatch for every step; or several, with one for an epoch."""


class Training(Protocol):
    """Replicates of a cell under way together."""

    def train_epoch(self, epoch: int) -> list[Totals]:
        """Train an epoch; what each replicate came to, in host memory."""

    def score(self, rows: Sequence[EvaluationRows]) -> list[Totals]:
        """Evaluate each replicate on its own images, all equally many rows."""

    def weights(self) -> list[Weights]:
        """Each replicate's parameters, in host memory."""

    def states(self) -> list[TrainState]:
        """What the steps made of each replicate so far, in host memory."""

    def resume(self, states: Sequence[TrainState]) -> None:
        """Go on from each replicate's state, as another training had it."""


@dataclass(frozen=True)
class Program:
    """A compiled cell.

    Attributes:
        engine: what was compiled.
        begin: starts a training of a stack of replicates.
        compile_seconds: what compilation took.
    """

    engine: Engine
    begin: Callable[[Sequence[Replicate]], Training]
    compile_seconds: float


def form_for(platform: str) -> Form:
    """The form for a JAX platform."""
    return "stepped" if platform == "cpu" else "stacked"


def stack_size(replicates: int, form: Form | None = None) -> int:
    """How many of so many replicates train together."""
    form = form or form_for(jax.default_backend())
    return replicates if form == "stacked" else 1


def compile_program(
    cell: Cell,
    images: Batches,
    train_size: int,
    evaluation_batch: int,
    replicates: int,
    form: Form | None = None,
    operations: Operations | None = None,
) -> Program:
    """Compile `cell` for stacks of `stack_size(replicates, form)` replicates.

    Args:
        cell: what to train.
        images: the dataset on the device.
        train_size: images that each replicate trains on.
        evaluation_batch: images evaluated at a time.
        replicates: how many are wanted.
        form: how they train; None for what suits the device.
        operations: the numerics; None for what suits the device.
    """
    started = time.perf_counter()
    platform = jax.default_backend()
    form = form or form_for(platform)
    together = stack_size(replicates, form)
    batch_size = min(cell.recipe.batch_size, train_size)
    engine = Engine(
        cell.recipe.applied_to(cell.architecture),
        cell.recipe,
        train_size // batch_size,
        batch_size,
        operations or operations_for(platform, stacked=together > 1),
    )
    compiling = compile_stacked if form == "stacked" else compile_stepped
    example = [_example(images, train_size)] * together
    begin = compiling(engine, images, example, evaluation_batch)
    return Program(engine, begin, time.perf_counter() - started)


def _example(images: Batches, train_size: int) -> Replicate:
    """A replicate's shapes."""
    key = jax.random.key(0)
    channels = jnp.ones(images.pixels.shape[3])
    return Replicate(
        Keys(key, key, key, key),
        Normaliser(channels, channels),
        jnp.zeros(train_size, jnp.int32),
    )
