"""A cell: the architecture, recipe and dataset that are trained together."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from dse.arch.graph import Architecture
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
    """

    architecture: Architecture
    recipe: Recipe
    dataset: str
    dataset_fingerprint: str
    class_names: tuple[str, ...]

    @cached_property
    def id(self) -> str:
        """Identifier: sixteen hexadecimal digits of a hash of what affects a result."""
        recipe = self.recipe.to_json()
        return cell_id(self.architecture.id, recipe, self.dataset_fingerprint)


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
