"""Compile an engine for a dataset's shapes, in the form that suits the device."""

import time
from typing import Literal

import jax
import jax.numpy as jnp

from dse.ops import operations_for
from dse.ops.interface import Operations
from dse.runs.cell import Cell
from dse.train.engine import Engine
from dse.train.members import Program
from dse.train.stacked import compile_stacked
from dse.train.state import Batches, Keys, Normaliser, Replicate
from dse.train.stepped import compile_stepped

Form = Literal["stepped", "stacked"]
"""`stepped`: one replicate, a dispatch per step; `stacked`: several, one per epoch."""


def form_for(platform: str) -> Form:
    """The form that suits a JAX platform."""
    return "stepped" if platform == "cpu" else "stacked"


def stack_size(replicates: int) -> int:
    """Number of replicates that train together."""
    return replicates if form_for(jax.default_backend()) == "stacked" else 1


def compile_program(
    cell: Cell,
    images: Batches,
    train_size: int,
    evaluation_batch: int,
    replicates: int,
    operations: Operations | None = None,
) -> Program:
    """Compile `cell` for stacks of `stack_size(replicates)` replicates.

    Args:
        cell: the cell to train.
        images: the dataset on the device.
        train_size: images that each replicate trains on.
        evaluation_batch: images evaluated at a time.
        replicates: how many are wanted.
        operations: None for the numerics that suit the device.
    """
    started = time.perf_counter()
    platform = jax.default_backend()
    form, together = form_for(platform), stack_size(replicates)
    chosen = operations or operations_for(platform, stacked=together > 1)
    engine = Engine.of(cell, train_size, chosen)
    compiling = compile_stacked if form == "stacked" else compile_stepped
    example = [_example(images, train_size, engine)] * together
    begin = compiling(engine, images, example, evaluation_batch)
    return Program(engine, begin, time.perf_counter() - started)


def _example(images: Batches, train_size: int, engine: Engine) -> Replicate:
    """A replicate of the right shapes, without real values."""
    key = jax.random.key(0)
    channels = jnp.ones(images.pixels.shape[3])
    return Replicate(
        Keys(key, key, key, key),
        Normaliser(channels, channels),
        jnp.zeros(train_size, jnp.int32),
        engine.no_groups(),
    )
