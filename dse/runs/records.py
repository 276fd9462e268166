"""A study and its points, as planners, the database and reports know them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dse.arch.family import Family
from dse.runs.cell import NUMERICS_VERSION, Cell
from dse.runs.recipe import Recipe


@dataclass(frozen=True)
class StudyRecord:
    """A study as the database knows it."""

    name: str
    experiment: str
    preset: str
    dataset: str
    dataset_fingerprint: str
    recipe: Recipe
    replicates: int

    @property
    def trains(self) -> str:
        """What its cells have in common: studies in which it differs share none."""
        recipe = json.dumps(self.recipe.to_json(), sort_keys=True)
        return f"{self.dataset_fingerprint} {NUMERICS_VERSION} {recipe}"


@dataclass(frozen=True)
class Point:
    """A cell under the metaparameters by which a study reaches it."""

    metaparameters: Family
    cell: Cell

    @property
    def key(self) -> str:
        """Family and metaparameters as text, to tell points of a study apart."""
        return point_key(self.metaparameters.name, self.metaparameters.values)


def point_key(family: str, metaparameters: Mapping[str, Any]) -> str:
    """The key of a point, also of one whose family is not here."""
    return f"{family} {json.dumps(dict(metaparameters), sort_keys=True)}"
