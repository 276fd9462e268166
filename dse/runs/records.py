"""A study and its points, for planners, the database and reports."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dse.runs.cell import NUMERICS_VERSION, Cell
from dse.runs.recipe import Recipe
from dse.runs.staged import Network, Staged


@dataclass(frozen=True)
class StudyRecord:
    """A study as the database stores it."""

    name: str
    experiment: str
    preset: str
    dataset: str
    dataset_fingerprint: str
    recipe: Recipe
    replicates: int

    @property
    def trains(self) -> str:
        """Text of what all its cells share; studies that differ in it share no cell."""
        recipe = json.dumps(self.recipe.to_json(), sort_keys=True)
        return f"{self.dataset_fingerprint} {NUMERICS_VERSION} {recipe}"


@dataclass(frozen=True)
class Point:
    """A cell with the metaparameters from which a study made it."""

    metaparameters: Network
    cell: Cell

    @property
    def parent(self) -> "Point | None":
        """The point with one stage less, whose trained weights this one begins from."""
        parent, of = self.cell.parent, self.metaparameters
        if parent is None or not isinstance(of, Staged):
            return None
        return Point(of.parent, parent)

    @property
    def key(self) -> str:
        """Family and metaparameters as text, which identifies the point in a study."""
        return point_key(self.metaparameters.name, self.metaparameters.values)


def with_parents(points: Iterable[Point]) -> list[Point]:
    """The points, and behind them those whose trained weights they begin from."""
    own = list(points)
    known, found = {point.key for point in own}, dict[str, Point]()
    for point in own:
        parent = point.parent
        while parent is not None and parent.key not in known:
            found.setdefault(parent.key, parent)
            parent = parent.parent
    return [*own, *sorted(found.values(), key=lambda x: len(x.cell.stages))]


def point_key(family: str, metaparameters: Mapping[str, Any]) -> str:
    """Key of a point, whose family need not be installed."""
    return f"{family} {json.dumps(dict(metaparameters), sort_keys=True)}"
