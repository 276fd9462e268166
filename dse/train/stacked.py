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

from dse.train.draws import epoch_order
from dse.train.engine import Engine
from dse.train.scores import EvaluationRows, evaluated
from dse.train.state import (
    Batches,
    Replicate,
    Scores,
    Totals,
    TrainState,
    no_scores,
    no_totals,
)


@dataclass(frozen=True)
class _Functions:
    """Compiled functions; inputs except images and epoch have replicates as axis 0."""

    train_epoch: Callable[..., TrainState] | None
    evaluate: Callable[..., Scores]


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
    compiled = None
    if engine.steps:
        training = jax.jit(jax.vmap(train_epoch, (0, None, 0, None)), donate_argnums=0)
        compiled = training.lower(state, images, stack, jnp.int32(1)).compile()
    chosen = jnp.zeros((len(example), evaluation_batch), jnp.int32)
    evaluating = jax.jit(jax.vmap(engine.evaluate_chosen, (0, 0, None, 0, 0)))
    scores = _no_scores(len(example))
    evaluate = evaluating.lower(
        state.weights, scores, images, chosen, stack.normaliser
    ).compile()
    return partial(StackedTraining, engine, images, _Functions(compiled, evaluate))


class StackedTraining:
    """Replicates that train together; see `dse.train.members.Training`."""

    def __init__(
        self,
        engine: Engine,
        images: Batches,
        functions: _Functions,
        replicates: Sequence[Replicate],
    ) -> None:
        self._engine, self._images, self._functions = engine, images, functions
        self._stack: Replicate = _stack(replicates)
        self._count = len(replicates)
        self._state = _initial(engine, replicates)

    def advance(self, epoch: int, stop: int) -> list[Totals]:
        """See `Training`; `stop` is the end of the epoch."""
        assert self._functions.train_epoch is not None
        self._state = self._functions.train_epoch(
            self._state, self._images, self._stack, jnp.int32(epoch)
        )
        return self._apart(self._state.totals)

    def score(self, images: Sequence[EvaluationRows]) -> list[dict[str, float]]:
        """See `Training`."""
        scores, weights = _no_scores(self._count), self._state.weights
        for chosen in np.stack(images, axis=1):
            scores = self._functions.evaluate(
                weights,
                scores,
                self._images,
                jnp.asarray(chosen),
                self._stack.normaliser,
            )
        return [
            evaluated(own, int((rows >= 0).sum()), self._engine.architecture.classes)
            for own, rows in zip(self._apart(scores), images, strict=True)
        ]

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


def _no_scores(count: int) -> Scores:
    stacked: Scores = _stack([no_scores()] * count)
    return stacked


def _initial(engine: Engine, replicates: Sequence[Replicate]) -> TrainState:
    state: TrainState = _stack(
        [engine.initialise(r.keys.initialisation) for r in replicates]
    )
    return state
