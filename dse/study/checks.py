"""Checks of an experiment's arguments; each error is one line."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import NoneType
from typing import Any, Literal, get_args

from dse.arch.family import Family
from dse.bounds import brief
from dse.errors import DseError
from dse.families import check_family
from dse.fields import unknown_name
from dse.runs.recipe import Recipe
from dse.runs.staged import DONE, Network, unstaged
from dse.study.points import check_listed
from dse.study.preset import Preset

Shows = Literal["size", "macs", "layers", "gap"]
"""Contents of a report's figure."""
SHOWN: tuple[str, ...] = get_args(Shows)

ARGUMENTS: Mapping[str, tuple[Any, str]] = {
    "title": (str, "a text"),
    "presets": (Mapping, 'presets by name, as {"quick": Preset(...)}'),
    "varied": (
        (NoneType, str, Mapping),
        'a field, as "sr", or fields with their values, as {"sr": (0.25, 0.5)}',
    ),
    "values": ((list, tuple, range), "a list or a tuple"),
    "published": ((NoneType, str), "the name of a publication"),
    "claims": ((list, tuple), "a list of claims"),
    "beside": (Mapping, 'numbers by point, as {"AlexNet": {"MB": 240}}'),
    "arms": (Mapping, 'changes to the recipe by name, as {"slow": {"momentum": 0.5}}'),
}
"""Types of an experiment's arguments, and words for them."""
MOST_VALUES = 10_000
MOST_CELLS = 1_000_000
SHARED_BY_ARMS = ("epochs", "steps", "seed", "resize", "crop", "pixel_mean")
ARM_MAY_CHANGE = tuple(name for name in Recipe.fields if name not in SHARED_BY_ARMS)
"""Recipe fields that arms may change: all arms see the same images equally often."""


def check_arguments(experiment: Any) -> None:
    """Refuse arguments of an experiment that are of another type.

    Args:
        experiment: the experiment; networks and values have checks of their own.

    Raises:
        DseError: one is.
    """
    for name, (kinds, expected) in ARGUMENTS.items():
        value = getattr(experiment, name)
        if not isinstance(value, kinds) or value == "":
            raise DseError(
                f"{name} of an experiment: {brief(value)}; expected {expected}"
            )
    if experiment.shows not in SHOWN:
        raise DseError(
            f"an experiment shows {brief(experiment.shows)}; expected one of "
            f"{', '.join(SHOWN)}"
        )
    if not experiment.presets:
        raise DseError("an experiment has no presets; expected one or more")
    check_listed(experiment.points)
    for name, preset in experiment.presets.items():
        if not isinstance(preset, Preset):
            raise DseError(
                f"the preset {brief(name)} is {brief(preset)}; expected Preset(...)"
            )
    if isinstance(experiment.varied, Mapping):
        _check_texts("a field that varies", experiment.varied)
    for name, changes in experiment.arms.items():
        if not isinstance(changes, Mapping):
            raise DseError(
                f"the arm {brief(name)} is {brief(changes)}; expected its changes to "
                'the recipe, as {"momentum": 0.5}'
            )
        _check_texts(f"a setting in the arm {brief(name)}", changes)


def _check_texts(what: str, names: Iterable[Any]) -> None:
    for name in names:
        if not isinstance(name, str):
            raise DseError(f"{what} is called {brief(name)}; expected a text")


def check_points(points: Iterable[Any], of: str = "an experiment has") -> None:
    """Check that all points are networks of usable families.

    Args:
        points: the points.
        of: words for the error before "the point".

    Raises:
        DseError: one is not.
    """
    for point in points:
        if not isinstance(point, Network):
            raise DseError(
                f"{of} the point {point!r}; expected a network's "
                "metaparameters, as SqueezeNet(sr=0.5)"
            )
        family = type(unstaged(point))
        if issubclass(family, Family):
            check_family(family, family.__name__)


def check_beside(
    beside: Mapping[str, Mapping[str, float]], points: Iterable[str]
) -> None:
    """Check the numbers that are printed beside points.

    Args:
        beside: numbers by point and heading.
        points: names of the points.

    Raises:
        DseError: there is no such point, or something is no number.
    """
    known = dict.fromkeys(points)
    for name, numbers in beside.items():
        if name not in known:
            raise DseError(unknown_name("numbers are beside the point", name, known))
        if not isinstance(numbers, Mapping):
            raise DseError(
                f"beside the point {name} is {brief(numbers)}; expected numbers by "
                'heading, as {"MB": 240}'
            )
        for heading, number in numbers.items():
            if isinstance(number, bool) or not isinstance(number, int | float):
                raise DseError(
                    f"{heading} beside the point {name} is {brief(number)}; expected a "
                    "number"
                )


def check_values(anchor: Network | None, asked: Mapping[str, Sequence[Any]]) -> None:
    """Refuse unknown fields, and empty or too long lists of values.

    Args:
        anchor: the point whose fields vary.
        asked: values by name, of its fields and of a recipe's.

    Raises:
        DseError: a field is unknown, its values are not a list, none or too many, or
            there are too many cells.
    """
    of_point = anchor.fields if anchor else {}
    known = {**of_point, **Recipe.fields}
    known.pop(DONE, None)  # follows from the stages
    for name, values in asked.items():
        if name not in known:
            raise DseError(unknown_name("an experiment varies", name, known))
        if not isinstance(values, list | tuple | range):
            raise DseError(
                f"the values of an experiment are a {type(values).__name__}; "
                "expected a list or a tuple"
            )
        if not values:
            raise DseError(f"an experiment varies {name} over no values")
        if len(values) > MOST_VALUES:
            raise DseError(
                f"an experiment varies {name} over {len(values):,} values; "
                f"expected {MOST_VALUES:,} at most"
            )
    if (cells := math.prod(map(len, asked.values()))) > MOST_CELLS:
        raise DseError(
            f"an experiment has {cells:,} cells; expected {MOST_CELLS:,} at most"
        )


def check_arms(
    arms: Mapping[str, Mapping[str, Any]], recipes: Iterable[Recipe]
) -> None:
    """Refuse arms that would not see the same images equally often.

    Args:
        arms: changes to a preset's recipe, by arm.
        recipes: the presets' recipes.

    Raises:
        DseError: an arm changes how long it trains, or on which images, or a value
            does not fit.
    """
    recipes = list(recipes)
    counted = any(recipe.steps for recipe in recipes)
    for arm, changes in arms.items():
        if counted and "batch_size" in changes:
            raise DseError(
                f"arm {arm} changes batch_size, and a preset counts steps: arms train "
                "equally long"
            )
        unknown = [name for name in changes if name not in ARM_MAY_CHANGE]
        if unknown:
            raise DseError(
                f"arm {arm} changes {', '.join(unknown)}; expected some of "
                f"{', '.join(ARM_MAY_CHANGE)}: arms train equally long"
            )
        for recipe in recipes if changes else ():
            try:
                replace(recipe, **changes)
            except DseError as error:
                raise DseError(f"arm {arm}: {error}") from error
