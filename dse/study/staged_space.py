"""A search space of networks that are compressed: stages add dimensions, or none."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dse.arch.family import Values
from dse.arch.layer import Shape
from dse.files import short_digest
from dse.runs.staged import Staged
from dse.runs.stages import Stage
from dse.spaces.budget import Budget
from dse.spaces.space import Space, narrowed
from dse.study.compression import FIELDS, chain_of


@dataclass(frozen=True)
class StagedSpace:
    """A space whose networks all go through the same kinds of stages.

    Attributes:
        networks: the space of the networks.
        stages: the stages, with their fixed settings.
        varied: values of the settings that vary, by field.

    Raises:
        DseError: a stage cannot follow the one before, or a value does not fit.
    """

    networks: Space
    stages: tuple[Stage, ...]
    varied: Mapping[str, tuple[Any, ...]]

    def __post_init__(self) -> None:
        _ = self.anchor
        for name, values in self.varied.items():
            for value in values:
                self.anchor.changed({name: FIELDS[name].checked(name, value)})

    @property
    def anchor(self) -> Staged:
        """The anchor of the networks, with the stages."""
        return Staged(self.networks.anchor, self.stages)

    @property
    def values(self) -> Mapping[str, Values]:
        """Values by field, of the networks and of the stages."""
        return {**self.networks.values, **self.varied}

    @property
    def digest(self) -> str:
        """Eight hexadecimal digits of a hash of the whole space."""
        done = [stage.to_json() for stage in self.stages]
        varied = {name: list(values) for name, values in self.varied.items()}
        return short_digest(json.dumps([self.networks.digest, done, varied]))

    def point(self, values: Mapping[str, Any]) -> Staged:
        """The anchor with other values."""
        own = {name: x for name, x in values.items() if name in self.networks.values}
        others = {name: x for name, x in values.items() if name in self.varied}
        return Staged(self.networks.point(own), self.stages).changed(others)

    def narrowed(self, budget: Budget, shape: Shape, classes: int) -> "StagedSpace":
        """See `dse.spaces.space.narrowed`; stages change no cost that it knows."""
        networks = narrowed(self.networks, budget, shape, classes)
        return StagedSpace(networks, self.stages, self.varied)


def staged(space: Space, settings: Mapping[str, Any]) -> "StagedSpace | Space":
    """A space with the stages that have one of the settings; see `chain_of`.

    Raises:
        DseError: a setting is unknown, or values do not fit each other.
    """
    if not settings:
        return space
    several = {
        name: tuple(values)
        for name, values in settings.items()
        if isinstance(values, list | tuple) and len(values) > 1
    }
    return StagedSpace(space, chain_of(settings), several)
