"""Training on GPUs: the replicates of a cell together, one dispatch per epoch.

Small networks leave a GPU idle between launches. Several replicates in one program
fill it, and within an epoch nothing waits for the host.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Int

from dse.models.network import Weights
from dse.train.engine import Engine, epoch_order
from dse.train.state import (
    Batches,
    EvaluationRows,
    Replicate,
    Totals,
    TrainState,
    no_totals,
)


@dataclass(frozen=True)
class _Functions:
    """Compiled functions; inputs except images and epoch have replicates as axis 0."""

    train_epoch: Callable[..., TrainState]
    evaluate: Callable[..., Totals]


def compile_stacked(
    engine: Engine,
    images: Batches,
    example: Sequence[Replicate],
    evaluation_batch: int,
) -> Callable[[Sequence[Replicate]], "StackedTraining"]:
    """Compile the function that starts training replicates shaped as in `example`."""

    def train_epoch(
        state: TrainState, images: Batches, replicate: Replicate, epoch: Int[Array, ""]
    ) -> TrainState:
        order = epoch_order(
            replicate.keys.order,
            epoch,
            replicate.train,
            steps=engine.steps_per_epoch,
            batch_size=engine.batch_size,
        )

        def step(state: TrainState, _: None) -> tuple[TrainState, None]:
            return engine.train_step(state, images, order, replicate), None

        fresh = state._replace(totals=no_totals())
        trained, _ = jax.lax.scan(step, fresh, length=engine.steps_per_epoch)
        return trained

    stack: Replicate = _stack(example)
    state = _initial(engine, example)
    training = jax.jit(jax.vmap(train_epoch, (0, None, 0, None)), donate_argnums=0)
    compiled = training.lower(state, images, stack, jnp.int32(1)).compile()
    chosen = jnp.zeros((len(example), evaluation_batch), jnp.int32)
    evaluating = jax.jit(jax.vmap(engine.evaluate, (0, 0, None, 0, 0)))
    evaluate = evaluating.lower(
        state.parameters, state.totals, images, chosen, stack.normaliser
    ).compile()
    return partial(StackedTraining, engine, images, _Functions(compiled, evaluate))


class StackedTraining:
    """Replicates that train together; see `dse.train.program.Training`."""

    def __init__(
        self,
        engine: Engine,
        images: Batches,
        functions: _Functions,
        replicates: Sequence[Replicate],
    ) -> None:
        self._images, self._functions = images, functions
        self._stack: Replicate = _stack(replicates)
        self._count = len(replicates)
        self._state = _initial(engine, replicates)

    def train_epoch(self, epoch: int) -> list[Totals]:
        """See `Training`."""
        self._state = self._functions.train_epoch(
            self._state, self._images, self._stack, jnp.int32(epoch)
        )
        return self._apart(self._state.totals)

    def score(self, rows: Sequence[EvaluationRows]) -> list[Totals]:
        """See `Training`."""
        totals = jax.tree.map(jnp.zeros_like, self._state.totals)
        for chosen in np.stack(rows, axis=1):
            totals = self._functions.evaluate(
                self._state.parameters,
                totals,
                self._images,
                jnp.asarray(chosen),
                self._stack.normaliser,
            )
        return self._apart(totals)

    def weights(self) -> list[Weights]:
        """See `Training`."""
        return self._apart(self._state.parameters)

    def states(self) -> list[TrainState]:
        """See `Training`."""
        return self._apart(self._state)

    def resume(self, states: Sequence[TrainState]) -> None:
        """See `Training`."""
        self._state = _stack(states)

    def _apart(self, stacked: Any) -> list[Any]:
        """Split a stacked tree into one tree per replicate, in host memory."""
        held = jax.device_get(stacked)
        return [
            jax.tree.map(lambda leaf, index=index: leaf[index], held)
            for index in range(self._count)
        ]


def _stack(trees: Sequence[Any]) -> Any:
    """Stack the replicates' trees into one, along a new first axis."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def _initial(engine: Engine, replicates: Sequence[Replicate]) -> TrainState:
    state: TrainState = _stack(
        [engine.initialise(r.keys.initialisation) for r in replicates]
    )
    return state
