"""A cell: the architecture, recipe and dataset that are trained together.

What is done to the trained weights afterwards belongs to it too.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from dse.arch.graph import Architecture
from dse.errors import DseError
from dse.fields import unknown_name
from dse.files import short_digest
from dse.runs.recipe import Recipe
from dse.runs.stages import Densify, Prune, Quantise, Stage, check_stages

NUMERICS_VERSION = 3
"""Version of the numerics, raised by hand with any change that can alter a result."""


@dataclass(frozen=True)
class Cell:
    """The setting that a result belongs to: network, recipe and data.

    Attributes:
        recipe: the recipe, resolved for the dataset.
        dataset: its name.
        dataset_fingerprint: identity of its content.
        class_names: its classes, for users of the trained network.
        stages: what is done to the trained weights, in order.

    Raises:
        DseError: see `check_batch` and `check_stages`; or a stage names a layer that
            the network has not.
    """

    architecture: Architecture
    recipe: Recipe
    dataset: str
    dataset_fingerprint: str
    class_names: tuple[str, ...]
    stages: tuple[Stage, ...] = ()

    def __post_init__(self) -> None:
        check_batch(self.architecture, self.recipe.batch_size)
        check_stages(self.stages)
        for stage in self.stages:
            if isinstance(stage, Prune):
                _check_layers(stage.layers, self.architecture.kernels)

    @cached_property
    def id(self) -> str:
        """Identifier: sixteen hexadecimal digits of a hash of what affects a result."""
        recipe = self.recipe.to_json()
        stages = [stage.to_json() for stage in self.stages]
        return cell_id(
            self.architecture.id, recipe, self.dataset_fingerprint, stages=stages
        )

    @property
    def epochs(self) -> int:
        """Passes of its last training; 0 where its last stage has none."""
        return self.stages[-1].epochs if self.stages else self.recipe.epochs

    @property
    def last_recipe(self) -> Recipe:
        """The recipe of its last training: the first one, but for epochs and rate."""
        if not self.stages or not self.epochs:
            return self.recipe
        rate = self.recipe.peak_learning_rate * self.stages[-1].rate
        return replace(
            self.recipe, epochs=self.epochs, peak_learning_rate=rate, steps=None
        )

    @property
    def sparse_layers(self) -> tuple[str, ...]:
        """Layers of whose kernels the zeros stay 0 in its last training."""
        for stage in reversed(self.stages):
            if isinstance(stage, Densify):
                break
            if isinstance(stage, Prune):
                return stage.layers or self.architecture.kernels
        return ()

    @property
    def shares_weights(self) -> bool:
        """Whether weights that share a value are trained together."""
        return bool(self.epochs and self.stages) and isinstance(
            self.stages[-1], Quantise
        )

    @property
    def parent(self) -> "Cell | None":
        """The cell with one stage less, whose weights this one begins from."""
        return replace(self, stages=self.stages[:-1]) if self.stages else None


def _check_layers(named: Collection[str], known: Collection[str]) -> None:
    for name in named:
        if name not in known:
            raise DseError(
                unknown_name("the network has no kernel in", name, dict.fromkeys(known))
            )


def check_batch(
    architecture: Architecture, batch_size: int, train_size: int | None = None
) -> None:
    """Check that a batch is made of whole groups of the network's batch norms.

    Args:
        architecture: the network.
        batch_size: images in a batch.
        train_size: images to train on; a batch has no more. None if not known yet.

    Raises:
        DseError: it is not.
    """
    group = architecture.group
    norms = f"the network's batch norms take {group} images together"
    if train_size is not None and train_size < group:
        raise DseError(
            f"{norms}, and there are {train_size} to train on; expected {group} or more"
        )
    if train_size is not None and train_size < batch_size and train_size % group:
        raise DseError(
            f"{norms}, and all {train_size} to train on would be one batch; expected a "
            f"multiple of {group}: set batch_size to {train_size // group * group}"
        )
    if batch_size % group:
        raise DseError(
            f"a batch has {batch_size} images, and {norms}; expected a multiple of "
            f"that: set batch_size to {max(1, round(batch_size / group)) * group}"
        )


def cell_id(
    architecture_id: str,
    recipe: Mapping[str, Any],
    dataset_fingerprint: str,
    numerics_version: int = NUMERICS_VERSION,
    stages: Sequence[Mapping[str, Any]] = (),
) -> str:
    """Compute the identifier of a cell from its parts; see `Cell.id`.

    A cell without stages is what it was before there were any.
    """
    deciding: dict[str, Any] = {
        "architecture": architecture_id,
        "recipe": recipe,
        "dataset": dataset_fingerprint,
        "numerics_version": numerics_version,
    }
    if stages:
        deciding["stages"] = list(stages)
    text = json.dumps(deciding, sort_keys=True)
    return short_digest(text, 16)
