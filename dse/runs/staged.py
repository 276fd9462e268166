"""A point of a family together with the stages that its trained networks go through."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from dse.arch.family import Family
from dse.arch.graph import Architecture
from dse.arch.layer import Shape
from dse.errors import DseError
from dse.fields import Field, unknown_name
from dse.runs.recorded import Recorded
from dse.runs.stages import STAGES, Stage, check_stages

DONE = "stages"
"""Name of the column that lists the stages."""
DONE_FIELD = Field(
    "text", "what was done to the trained weights, in order", ordered=False
)


OF_STAGES = (DONE, *(name for kind in STAGES.values() for name in kind.fields))
"""Names of all fields that points without stages lack."""


@dataclass(frozen=True)
class Staged:
    """A point in a space of networks and of what is done to them afterwards.

    It has the fields and values of the family and of its stages, so stages are columns,
    labels and dimensions like metaparameters.

    Attributes:
        point: the network.
        stages: the stages, in order.

    Raises:
        DseError: a stage cannot follow the one before, or the family has a field of the
            same name.
    """

    point: Family | Recorded
    stages: tuple[Stage, ...]

    def __post_init__(self) -> None:
        check_stages(self.stages)
        for name in OF_STAGES:
            if name in self.point.fields:
                raise DseError(
                    f"family {self.point.name} has a metaparameter {name}, as a stage "
                    "has: rename it to compress its networks"
                )

    @property
    def name(self) -> str:
        """Name of the family."""
        return self.point.name

    @property
    def fields(self) -> Mapping[str, Field]:
        """Fields of the family and of the stages, by name."""
        own = {x: field for stage in self.stages for x, field in stage.fields.items()}
        return {**self.point.fields, DONE: DONE_FIELD, **own}

    @property
    def unstated(self) -> tuple[str, ...]:
        """See `Family.unstated`."""
        return self.point.unstated

    @property
    def parent(self) -> "Network":
        """The point with one stage less."""
        before = self.stages[:-1]
        return Staged(self.point, before) if before else self.point

    @property
    def values(self) -> dict[str, Any]:
        """Plain values by name."""
        own = {x: value for stage in self.stages for x, value in stage.values.items()}
        done = ", ".join(stage.name for stage in self.stages)
        return {**self.point.values, DONE: done, **own}

    def network(self, input_shape: Shape, classes: int) -> Architecture:
        """See `Family.network`; stages do not change it."""
        return self.point.network(input_shape, classes)

    def derived(self) -> Mapping[str, float]:
        """See `Family.derived`."""
        return self.point.derived()

    def note(self) -> str:
        """See `Family.note`."""
        return self.point.note()

    def short(self) -> str:
        """Short text of the network and its stages."""
        return ", ".join([self.point.short(), *(x.short() for x in self.stages)])

    def scaled(self, width: float) -> "Staged":
        """See `Family.scaled`."""
        return replace(self, point=self.point.scaled(width))

    def changed(self, changes: Mapping[str, Any]) -> "Staged":
        """This point with other values of some fields, of the family or of a stage.

        Raises:
            DseError: a name is unknown, or a value does not fit.
        """
        known = {name: field for name, field in self.fields.items() if name != DONE}
        for unknown in [name for name in changes if name not in known]:
            raise DseError(unknown_name("there is no", unknown, known))
        stages = [stage.changed(_own(changes, stage.fields)) for stage in self.stages]
        point = self.point.changed(_own(changes, self.point.fields))
        return Staged(point, tuple(stages))


def _own(changes: Mapping[str, Any], fields: Mapping[str, Field]) -> dict[str, Any]:
    return {name: value for name, value in changes.items() if name in fields}


Network = Family | Recorded | Staged
"""A point in a space of networks, with stages or without."""


def unstaged(point: Network) -> Family | Recorded:
    """The point without its stages."""
    return point.point if isinstance(point, Staged) else point


def with_ancestors(points: Iterable[Network]) -> list[Network]:
    """The points, and behind them those whose trained weights they begin from."""
    own = list(points)
    known, found = set(own), dict[Network, None]()
    for point in own:
        while isinstance(point, Staged) and point.parent not in known:
            point = point.parent
            found[point] = None
    return [*own, *sorted(found, key=depth)]


def depth(point: Network) -> int:
    """Number of its stages."""
    return len(point.stages) if isinstance(point, Staged) else 0
