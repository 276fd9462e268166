"""What a feed gives the training loop: replicates, programs and when to save."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int

from dse.models.network import Weights
from dse.train.engine import Engine
from dse.train.state import Replicate, Totals, TrainState


@runtime_checkable
class Training(Protocol):
    """Replicates of a cell that train together."""

    def advance(self, epoch: int, stop: int) -> list[Totals]:
        """Train up to step `stop`, the epoch's last one at most.

        Returns:
            Each replicate's totals over the epoch so far, in host memory.
        """

    def score(self, images: Sequence[Any]) -> list[dict[str, float]]:
        """Evaluate each replicate on its own images; all have equally many.

        Args:
            images: `validation` or `test` of each `Member`.
        """

    def states(self) -> list[TrainState]:
        """Each replicate's training state, in host memory."""

    def resume(self, states: Sequence[TrainState]) -> None:
        """Continue from the states of another training, one per replicate."""


@dataclass(frozen=True)
class Program:
    """A compiled cell.

    Attributes:
        engine: the compiled functions.
        begin: starts the training of replicates.
        compile_seconds: time to compile.
    """

    engine: Engine
    begin: Callable[[Sequence[Replicate]], Training]
    compile_seconds: float


@dataclass(frozen=True)
class Beginning:
    """What a replicate of a stage begins from.

    Attributes:
        weights: parameters and running averages by layer, those of the predictor.
        groups: see `Replicate.groups`.
        revise: changes the parameters before an epoch, counted from 1: those that a
            training would have, if it were at the same epoch after an interruption.
    """

    weights: Weights
    groups: Int[np.ndarray, " parameters"] | None = None
    revise: Callable[[int, Weights], Weights] | None = None

    def applied_to(self, state: TrainState) -> TrainState:
        """A state before the first step, with these weights in place of drawn ones.

        Auxiliary heads, which no weights are kept of, stay as drawn.
        """

        def filled(drawn: Weights) -> Weights:
            return {
                layer: {
                    name: self.weights.get(layer, {}).get(name, array)
                    for name, array in names.items()
                }
                for layer, names in drawn.items()
            }

        return state._replace(
            parameters=filled(state.parameters), statistics=filled(state.statistics)
        )


@dataclass(frozen=True)
class Member:
    """A replicate, the images that score it and the accuracy of guessing.

    Attributes:
        number: number of the replicate.
        replicate: its inputs of the training.
        validation: images that score it after each epoch, in the feed's own form.
        test: images that score it at the end.
        chance: share of the commonest class among its train images.
        beginning: what it begins from; None for weights as drawn.
    """

    number: int
    replicate: Replicate
    validation: Any
    test: Any
    chance: float
    beginning: Beginning | None = None


@dataclass(frozen=True)
class Saving:
    """When checkpoints are written.

    Attributes:
        seconds: least time between two of them.
        steps: most steps from one to the next, also within an epoch; None for epochs.
    """

    seconds: float
    steps: int | None = None

    def pause(self, step: int, end: int) -> int:
        """The step at which the training that has done `step` is next looked at."""
        if self.steps is None:
            return end
        return min(end, (step // self.steps + 1) * self.steps)
