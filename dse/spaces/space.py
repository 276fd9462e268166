"""A search space: values of some fields of a family; an anchor has the others."""

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dse.arch.closed_form import CostArrays
from dse.arch.family import Family, Values
from dse.arch.layer import Shape
from dse.errors import DseError
from dse.families import DEFAULT, family_called
from dse.fields import GRID_DIGITS, Grid, unknown_name
from dse.files import short_digest
from dse.spaces.budget import Budget

MOST_CORNERS = 1_000
"""Most combinations of fields without a direction of cost that `narrowed` tries."""


@dataclass(frozen=True)
class Space:
    """Values that some fields of a family may take; the others are the anchor's.

    Attributes:
        anchor: a point of the family.
        values: a grid of numbers or a tuple of values, by field.

    Raises:
        DseError: no field varies, one is unknown, or one cannot have such values.
    """

    anchor: Family
    values: Mapping[str, Values]

    def __post_init__(self) -> None:
        fields = self.anchor.fields
        if not self.values:
            raise DseError("a space varies nothing; expected values of some fields")
        for name, values in self.values.items():
            if name not in fields:
                raise DseError(unknown_name(f"{self.anchor.name} has no", name, fields))
            if isinstance(values, Grid):
                if fields[name].kind not in ("whole", "real"):
                    raise DseError(
                        f"a space has a grid of {name}; expected a tuple of values"
                    )
                if fields[name].kind == "whole" and not all(
                    float(x).is_integer() for x in (values.low, values.step)
                ):
                    raise DseError(
                        f"a space has a grid of {name} from {values.low:g} by "
                        f"{values.step:g}; expected whole numbers"
                    )
                every = fields[name].listed(values)
                values = (every[0], every[-1])
            for value in values:
                fields[name].checked(name, value)

    def listed(self, name: str) -> tuple[Any, ...]:
        """All values of a field, in its own type."""
        return self.anchor.fields[name].listed(self.values[name])

    @property
    def settings(self) -> int:
        """Number of points in the space."""
        count = 1
        for name in self.values:
            count *= len(self.listed(name))
        return count

    @property
    def cheapest(self) -> Mapping[str, Any]:
        """Values of least cost, for the fields with a known direction of cost."""
        directions = {name: self.anchor.fields[name].cost for name in self.values}
        return {
            name: (min if direction == "rises" else max)(self.listed(name))
            for name, direction in directions.items()
            if direction
        }

    @property
    def corners(self) -> list[Mapping[str, Any]]:
        """`cheapest` with every combination of the other fields' values."""
        cheapest = self.cheapest
        others = {x: self.listed(x) for x in self.values if x not in cheapest}
        return [
            {**cheapest, **dict(zip(others, values, strict=True))}
            for values in itertools.product(*others.values())
        ]

    @property
    def digest(self) -> str:
        """Eight hexadecimal digits of a hash of the whole space."""
        listed = {name: list(self.listed(name)) for name in self.values}
        text = json.dumps(
            [self.anchor.name, self.anchor.values, listed], sort_keys=True
        )
        return short_digest(text)

    def point(self, values: Mapping[str, Any]) -> Family:
        """The anchor with other values."""
        found = {
            name: round(value, GRID_DIGITS)
            if isinstance(self.values.get(name), Grid)
            else value
            for name, value in values.items()
        }
        return replace(self.anchor, **found)  # type: ignore[type-var]


def named_space(name: str | None, width: float) -> tuple[str, Space]:
    """Find a named space of a family, and the name for its studies.

    Args:
        name: `family.space`, or a space of the default family; None for the space that
            suits a width.
        width: width of a preset: the first space is for widths below 1, the last for
            others.

    Raises:
        DseError: there is no such space.
    """
    family, dot, called = (name or "").rpartition(".")
    kind = family_called(family if dot else DEFAULT)
    if not kind.spaces:
        raise DseError(
            f"{kind.name} has no named spaces; say what varies, as --set "
            f"{next(iter(kind.fields))}=..."
        )
    if name is None:
        called = [*kind.spaces][0 if width < 1 else -1]
    if called not in kind.spaces:
        raise DseError(unknown_name("no space is called", called, kind.spaces))
    return name or called, Space(kind(), kind.spaces[called])


def narrowed(space: Space, budget: Budget, input_shape: Shape, classes: int) -> Space:
    """`space` without the values that no point within `budget` can have.

    A value is kept if it fits the budget with all others at their cheapest, in some
    combination of the fields without a direction of cost. If these are more than
    `MOST_CORNERS`, the space is returned as it is.

    Raises:
        DseError: even the cheapest point does not fit; the message gives its cost.
    """
    family, anchor = type(space.anchor), space.anchor.values
    corners = space.corners
    if len(corners) > MOST_CORNERS:
        return space

    def costs_of(corner: Mapping[str, Any], **values: Any) -> CostArrays:
        return family.costs({**anchor, **corner, **values}, input_shape, classes)

    fitting = [corner for corner in corners if budget.admits(costs_of(corner))]
    if not fitting:
        least = min(corners, key=lambda corner: int(costs_of(corner).params))
        costs = costs_of(least)
        named = ", ".join(f"{x}={_brief(y)}" for x, y in least.items())
        raise DseError(
            f"no point of the space meets the budget: the smallest ({named}) has "
            f"{int(costs.params):,} parameters, {int(costs.bytes_fp32):,} bytes, "
            f"{int(costs.macs):,} MACs; raise the budget or take a narrower space"
        )
    kept: dict[str, Values] = {}
    for name, values in space.values.items():
        listed = space.listed(name)
        if name not in space.cheapest:
            kept[name] = tuple(x for x in listed if x in [c[name] for c in fitting])
            continue
        arrays = {name: np.asarray(listed)}
        useful = np.any([budget.admits(costs_of(c, **arrays)) for c in fitting], axis=0)
        found = [value for value, fits in zip(listed, useful, strict=True) if fits]
        kept[name] = (
            replace(values, low=float(found[0]), high=float(found[-1]))
            if isinstance(values, Grid)
            else tuple(found)
        )
    return Space(space.anchor, kept)


def _brief(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
