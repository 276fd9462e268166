"""A cell: the architecture, recipe and dataset that are trained together."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from dse.arch.graph import Architecture
from dse.errors import DseError
from dse.files import short_digest
from dse.runs.recipe import Recipe

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

    Raises:
        DseError: see `check_batch`.
    """

    architecture: Architecture
    recipe: Recipe
    dataset: str
    dataset_fingerprint: str
    class_names: tuple[str, ...]

    def __post_init__(self) -> None:
        check_batch(self.architecture, self.recipe.batch_size)

    @cached_property
    def id(self) -> str:
        """Identifier: sixteen hexadecimal digits of a hash of what affects a result."""
        recipe = self.recipe.to_json()
        return cell_id(self.architecture.id, recipe, self.dataset_fingerprint)


def check_batch(architecture: Architecture, batch_size: int) -> None:
    """Check that a batch is made of whole groups of the network's batch norms.

    Raises:
        DseError: it is not.
    """
    group = architecture.group
    if batch_size % group:
        raise DseError(
            f"a batch has {batch_size} images, and the network's batch norms take "
            f"{group} together; expected a multiple of that: set batch_size to "
            f"{max(1, round(batch_size / group)) * group}, and have as many images"
        )


def cell_id(
    architecture_id: str,
    recipe: Mapping[str, Any],
    dataset_fingerprint: str,
    numerics_version: int = NUMERICS_VERSION,
) -> str:
    """Compute the identifier of a cell from its parts; see `Cell.id`."""
    deciding: dict[str, Any] = {
        "architecture": architecture_id,
        "recipe": recipe,
        "dataset": dataset_fingerprint,
        "numerics_version": numerics_version,
    }
    text = json.dumps(deciding, sort_keys=True)
    return short_digest(text, 16)
