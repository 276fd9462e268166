"""A study and its points, as planners, the database and reports know them."""

import json
from dataclasses import asdict, dataclass
from functools import cached_property

from dse.families.squeezenet import Metaparameters
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

    metaparameters: Metaparameters
    cell: Cell

    @cached_property
    def key(self) -> str:
        """The metaparameters as text, to tell points of a study apart."""
        return json.dumps(asdict(self.metaparameters), sort_keys=True)
