"""Experiments and search spaces from the options of a product."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dse.arch.family import Family, Values
from dse.errors import DseError
from dse.families import DEFAULT, family_called
from dse.fields import Field, Grid, unknown_name
from dse.files import short_digest
from dse.runs.recipe import Recipe
from dse.runs.staged import Network, Staged
from dse.spaces.space import Space, named_space
from dse.study.compression import FIELDS, chain_of
from dse.study.experiment import Experiment
from dse.study.names import check_name
from dse.study.preset import Preset
from dse.study.presets import PRESETS
from dse.study.product import MANY, Product
from dse.study.staged_space import StagedSpace, staged

MOST_STEPS = 100_000
"""Largest number of values in a grid."""


@dataclass(frozen=True)
class Settings:
    """The parsed options of a product.

    Attributes:
        anchor: a point of the family, with the fields that have one value.
        varied: fields of the family with several values.
        recipe: fields of the recipe with one value.
        recipes: fields of the recipe with several values.
        stages: fields of stages, each with its values.
    """

    anchor: Family
    varied: Mapping[str, Values]
    recipe: Mapping[str, Any]
    recipes: Mapping[str, tuple[Any, ...]]
    stages: Mapping[str, tuple[Any, ...]]

    @property
    def digest(self) -> str:
        """Short hash of the fixed values and of the names of varied fields."""
        point = self.anchor
        fixed = [point.name, point.values, point.unstated, dict(self.recipe)]
        told: list[Any] = [*fixed, sorted([*self.varied, *self.recipes])]
        if self.stages:
            told.append({name: list(values) for name, values in self.stages.items()})
        return short_digest(json.dumps(told))


def read_settings(product: Product) -> Settings:
    """Parse the options of a product.

    Raises:
        DseError: a field is unknown, given twice, or has no value or a wrong one.
    """
    kind = family_called(product.family or DEFAULT)
    listed: dict[str, Values] = {}
    for word in product.settings:
        name, values = _setting(word, kind)
        if name in listed:
            raise DseError(f"--set {name} is given twice; give its values at once")
        listed[name] = values
    if product.epochs is not None:
        if "epochs" in listed:
            raise DseError("--set epochs and --epochs are both given; leave one out")
        listed["epochs"] = (product.epochs,)
    of_family = {name: x for name, x in listed.items() if name in kind.fields}
    of_recipe = {
        name: x
        for name, x in listed.items()
        if name not in kind.fields and name in Recipe.fields
    }
    of_stages = {
        name: FIELDS[name].listed(x)
        for name, x in listed.items()
        if name not in kind.fields and name not in Recipe.fields
    }
    alone, varied = _parted(of_family)
    recipe, recipes = _parted(of_recipe)
    several = {x: Recipe.fields[x].listed(values) for x, values in recipes.items()}
    return Settings(kind.of(alone), varied, recipe, several, of_stages)


def _parted(
    listed: Mapping[str, Values],
) -> tuple[dict[str, Any], dict[str, Values]]:
    """Separate fields with one value from fields with several."""
    alone = {
        name: values[0]
        for name, values in listed.items()
        if not isinstance(values, Grid) and len(values) == 1
    }
    return alone, {name: x for name, x in listed.items() if name not in alone}


def _setting(word: str, kind: type[Family]) -> tuple[str, Values]:
    """Parse a field and its values, a grid or a tuple."""
    name, equals, written = word.partition("=")
    own = {**kind.fields, **Recipe.fields}
    known = {**own, **{x: y for x, y in FIELDS.items() if x not in own}}
    if name not in known:
        raise DseError(unknown_name("--set", name, known))
    if not equals or not written.strip():
        raise DseError(f"--set {word} has no values; write them as {name}=...,...")
    field = known[name]
    if field.kind in ("whole", "real") and written.count(":") == 2:
        return name, _grid(name, field, written)
    parted = written.split(";" if ";" in written or field.kind == "text" else ",")
    return name, tuple(dict.fromkeys(field.read(name, x.strip()) for x in parted))


def _grid(name: str, field: Field, written: str) -> Values:
    low, high, step = (
        replace(field, least=None, most=None).read(name, x) for x in written.split(":")
    )
    field.checked(name, low)
    field.checked(name, high)
    if step <= 0 or high < low:
        raise DseError(
            f"--set {name}={written} goes nowhere; expected from:to:step, as 16:64:16"
        )
    grid = Grid(low, high, step)
    if grid.count > MOST_STEPS:
        raise DseError(
            f"--set {name}={written} has {grid.count:,} values; expected "
            f"{MOST_STEPS:,} at most: take a larger step"
        )
    return grid


def experiment_of(product: Product) -> tuple[str, Experiment]:
    """Make the experiment of a product, and return it after its name.

    Raises:
        DseError: an option is wrong, or there are many cells and no --yes.
    """
    settings = read_settings(product)
    fields = settings.anchor.fields
    varied: dict[str, Sequence[Any]] = {
        name: fields[name].listed(values) for name, values in settings.varied.items()
    }
    varied |= settings.recipes
    anchor: Network = settings.anchor
    if settings.stages:
        chain = chain_of(settings.stages)
        anchor = Staged(settings.anchor, chain)
        varied |= {x: y for x, y in settings.stages.items() if len(y) > 1}
    count = math.prod(map(len, varied.values()))
    if count > MANY and not product.yes:
        raise DseError(
            f"--set makes {count:,} cells; give fewer values, or --yes if all of them "
            "are meant"
        )
    words = [settings.anchor.name, *varied]
    name = product.called or f"{'-'.join(words)[:40]}-{settings.digest}"
    name = check_name(name)
    presets = _presets(settings)
    title = f"{settings.anchor.name}: {', '.join(varied) or anchor.short()}"
    return name, Experiment(title, anchor, presets, varied=varied or None)


def _presets(settings: Settings) -> dict[str, Preset]:
    """The presets with the fixed recipe values, without presets that refuse them.

    Stated epochs replace a number of steps and a smallest number of images.
    """
    presets, refusals = {}, []
    for called, preset in PRESETS.items():
        changes = dict(settings.recipe)
        if "epochs" in changes:
            changes.setdefault("steps", None)
            preset = replace(preset, least_images=0)
        # Arms train equally long, and other batch sizes would need other steps.
        if "batch_size" in settings.recipes and preset.recipe.steps is not None:
            continue
        try:
            recipe = replace(preset.recipe, **changes)
            for name, values in settings.recipes.items():
                _ = [replace(recipe, **{name: value}) for value in values]
        except DseError as error:
            refusals.append(error)
        else:
            presets[called] = replace(preset, recipe=recipe)
    if not presets:
        raise refusals[0]
    return presets


def space_of(product: Product, width: float) -> tuple[str, Space | StagedSpace]:
    """Make the search space of a product, and return it after its name.

    Args:
        product: the options.
        width: the preset's width, for widths that are not stated.

    Raises:
        DseError: no field varies, or a field of the recipe is given.
    """
    settings = read_settings(product)
    if settings.recipes or settings.recipe:
        names = ", ".join([*settings.recipes, *settings.recipe])
        raise DseError(
            f"a search has one recipe, and --set changes {names}; leave it out"
        )
    anchor = settings.anchor
    if settings.stages and not settings.varied and anchor == type(anchor)():
        called, space = named_space(None, width)
        if anchor.name == space.anchor.name:
            over = staged(space, settings.stages)
            name = check_name(product.called) if product.called else called
            return f"{name}-{over.digest}", over
    if not settings.varied:
        spaces = f", or take --space {' or '.join(anchor.spaces)}"
        raise DseError(
            f"a search varies nothing; say what, as --set {next(iter(anchor.fields))}="
            f"...{spaces if anchor.spaces else ''}"
        )
    whole = staged(Space(anchor.scaled(width), settings.varied), settings.stages)
    name = check_name(product.called or anchor.name)
    return f"{name}-{whole.digest}", whole
