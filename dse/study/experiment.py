"""An experiment: points around an anchor, or a list of points, and presets."""

import itertools
import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from dse.arch.family import Family, Published, Source
from dse.bounds import brief
from dse.data.dataset import ImageData
from dse.errors import DseError
from dse.fields import Field
from dse.runs.columns import check_columns
from dse.runs.recipe import Recipe
from dse.runs.staged import Network, unstaged
from dse.study.checks import (
    Shows,
    check_arguments,
    check_arms,
    check_beside,
    check_points,
    check_values,
)
from dse.study.claim import Claim, check_fit
from dse.study.names import arm_names, check_names
from dse.study.points import (
    Points,
    called_points,
    every_point,
    named_points,
    series_of,
)
from dse.study.preset import Preset, named_preset


@dataclass(frozen=True)
class Experiment:
    """Points of one or several families, and presets to run them under.

    Either an anchor is given whose fields `varied` change: every combination of the
    family's values is a point, and every combination of a recipe's values is an arm. Or
    `points` is given, a list or a mapping of networks of any families.

    Attributes:
        title: title of the figures.
        anchor: the point around which fields vary. A preset scales the widths that it
            does not state; stated widths are the same under all presets.
        presets: sizes by name.
        varied: the one field that changes, or a mapping of fields to values. None for
            the anchor alone.
        values: values of a single field, in the order of the figure.
        published: the family's publication to compare with, by name
            (`Family.published`), if any.
        shows: content of the report's figure.
        claims: statements of the source that can be tested.
        arms: recipes to compare, each in its own study: a name, and its changes to the
            preset's recipe. The others are compared with the first.
        beside: numbers of the source to print beside the points, by the point's name
            and a heading.
        points: in place of an anchor networks, networks by name, or several networks
            by the name of a series that the figure draws with a colour of its own.

    Raises:
        DseError: a value is out of range, the arguments contradict each other, a claim
            names an unknown value, arms see different images, or a name is not allowed.
    """

    title: str
    anchor: Network | None = None
    presets: Mapping[str, Preset] = field(default_factory=dict)
    varied: str | Mapping[str, Sequence[Any]] | None = None
    values: Sequence[Any] = ()
    published: str | None = None
    shows: Shows = "size"
    claims: Sequence[Claim] = ()
    arms: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    points: Points = ()
    beside: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_arguments(self)
        check_names("a preset", self.presets)
        if (self.anchor is None) == (not every_point(self.points)):
            raise DseError(
                "an experiment has an anchor or points; expected one of them"
            )
        if self.points and (self.varied is not None or self.values):
            raise DseError("an experiment with points varies nothing besides")
        if self.varied is None and self.values:
            raise DseError(
                f"an experiment has the values {brief(list(self.values))} and varies "
                "nothing; say which field is varied, as varied='sr'"
            )
        if isinstance(self.varied, Mapping) and self.values:
            raise DseError(
                "an experiment that varies several fields has their values in the "
                "mapping; leave out values"
            )
        points = every_point(self.points)
        points += [] if self.anchor is None else [self.anchor]
        check_points(points)
        check_columns(points)
        check_beside(self.beside, [name for name, _ in called_points(self.points)])
        check_values(self.anchor, self.asked)
        if self.arms and any(name in Recipe.fields for name in self.asked):
            raise DseError(
                "an experiment has arms and varies the recipe; expected one of them"
            )
        if self.claims and [*self.recipes_changed] != [""]:
            raise DseError(
                "an experiment has arms and claims; claims are of one recipe: give "
                "each its own experiment"
            )
        check_names("an arm", self.arms or filter(None, self.recipes_changed))
        recipes = [preset.recipe for preset in self.presets.values()]
        check_arms(self.recipes_changed, recipes)
        check_fit(self)

    @property
    def asked(self) -> Mapping[str, Sequence[Any]]:
        """The values as given, by field."""
        if isinstance(self.varied, Mapping):
            return self.varied
        return {} if self.varied is None else {self.varied: self.values}

    @cached_property
    def factors(self) -> Mapping[str, tuple[Any, ...]]:
        """The metaparameters that vary, with their distinct values."""
        assert self.anchor is not None or not self.asked
        return {
            name: tuple(
                dict.fromkeys(self._field(name).checked(name, x) for x in values)
            )
            for name, values in self.asked.items()
            if name not in Recipe.fields
        }

    @property
    def varied_names(self) -> tuple[str, ...] | None:
        """The metaparameters that vary; None where points are listed."""
        return None if self.anchor is None else tuple(self.factors)

    def _field(self, name: str) -> Field:
        if name in Recipe.fields or self.anchor is None:
            return Recipe.fields[name]
        return self.anchor.fields[name]

    @property
    def listed(self) -> Mapping[str, Network]:
        """The listed points by name.

        Raises:
            DseError: two different points get the same name.
        """
        return named_points(self.points)

    @cached_property
    def series(self) -> Mapping[str, Sequence[Network]]:
        """The networks of each series, in the order of `keyed`; empty without any."""
        return series_of(self.points)

    @cached_property
    def published_families(self) -> Mapping[str, Sequence[Published]]:
        """What each family in the series prints as `published`, by its name."""
        if self.published is None:
            return {}
        listed = itertools.chain.from_iterable(self.series.values())
        families = [family for point in listed if (family := _family_of(point))]
        return {
            family.name: family.published()[self.published].points
            for family in dict.fromkeys(families)
            if self.published in family.published()
        }

    @property
    def cells(self) -> int:
        """Number of combinations, arms included, without making any."""
        if self.points:
            return len(self.listed) * max(1, len(self.arms))
        return math.prod(map(len, self.asked.values())) * max(1, len(self.arms))

    @cached_property
    def keyed(self) -> Mapping[Hashable, Network]:
        """The points by key. A key is a name, a value or a tuple of values."""
        if self.anchor is None:
            return {name: point for name, point in self.listed.items()}  # noqa: C416
        combinations = itertools.product(*self.factors.values())
        points: dict[Hashable, Network] = {
            values: self.anchor.changed(dict(zip(self.factors, values, strict=True)))
            for values in combinations
        }
        if len(self.factors) != 1:
            return points
        [values] = self.factors.values()
        return dict(zip(values, points.values(), strict=True))

    def key_of(self, value: Any) -> Hashable:
        """The key in `keyed` of a value that a claim names.

        Args:
            value: a value of the varied field, a mapping or a tuple of values of
                several fields, or the name of a point.

        Raises:
            DseError: there is no such point.
        """
        key: Any = value
        if isinstance(value, Mapping):
            if set(value) != set(self.factors):
                raise DseError(
                    f"a claim is of {dict(value)}; expected a value for each of "
                    f"{' and '.join(self.factors) or 'no field: name a point'}"
                )
            key = tuple(value[name] for name in self.factors)
            key = key[0] if len(key) == 1 else key
        if len(self.factors) == 1:
            [name] = self.factors
            key = self._field(name).checked(name, key)
        elif isinstance(key, tuple) and len(key) == len(self.factors):
            pairs = zip(self.factors, key, strict=True)
            key = tuple(self._field(name).checked(name, x) for name, x in pairs)
        if not isinstance(key, Hashable) or key not in self.keyed:
            what = "" if not self.factors else f"{' and '.join(self.factors)} "
            raise DseError(
                f"a claim is of {what}{value!r}; expected one of "
                f"{', '.join(map(str, self.keyed))}"
            )
        found: Hashable = key
        return found

    def scaled(self, width: float) -> dict[Hashable, Network]:
        """The points by key, with their unstated widths scaled by `width`."""
        return {key: point.scaled(width) for key, point in self.keyed.items()}

    def called(self, width: float) -> tuple[str, ...] | None:
        """Names of `keyed` with unstated widths scaled, where the points have names."""
        if not isinstance(self.points, Mapping):
            return None
        keys = [name for name, _ in called_points(self.points)]
        shown = [name for name, _ in called_points(self.points, width)]
        return tuple(dict(zip(keys, shown, strict=True)).values())

    @cached_property
    def recipes_changed(self) -> Mapping[str, Mapping[str, Any]]:
        """Changes to the recipe, by arm; a single arm is called ""."""
        varied = {n: v for n, v in self.asked.items() if n in Recipe.fields}
        if not varied:
            return self.arms or {"": {}}
        combinations = [
            dict(zip(varied, values, strict=True))
            for values in itertools.product(*varied.values())
        ]
        return dict(zip(arm_names(combinations), combinations, strict=True))

    def recipes(self, preset: Preset, dataset: ImageData) -> dict[str, Recipe]:
        """Recipes resolved for a dataset, by arm; a single one is called ""."""
        return {
            arm: replace(preset, recipe=replace(preset.recipe, **changes)).recipe_for(
                dataset
            )
            for arm, changes in self.recipes_changed.items()
        }

    def preset(self, name: str) -> Preset:
        """The preset `name`; see `named_preset`."""
        return named_preset(self.presets, name)[1]

    @property
    def source(self) -> Source:
        """The published numbers to compare with; empty if `published` is None."""
        families = {_family_of(point) for point in self.keyed.values()}
        if self.published is None or self.series or len(families) > 1:
            return Source()
        [family] = families
        return Source() if family is None else family.published()[self.published]

    @cached_property
    def printed(self) -> Mapping[Hashable, Published]:
        """Published points that differ at most in their widths, by key."""
        return {
            key: printed
            for key, point in self.keyed.items()
            for printed in self.source.points
            if _without_widths(printed.point) == _without_widths(point)
        }


def _family_of(point: Network) -> type[Family] | None:
    """The class of a point's family; None if it was read from a database."""
    family = type(unstaged(point))
    return family if issubclass(family, Family) else None


def _without_widths(point: Network) -> list[Any]:
    kept = [x for x, field in point.fields.items() if not field.scales]
    return [point.name, *(point.values[name] for name in kept)]
