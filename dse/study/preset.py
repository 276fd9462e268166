"""A preset: a size at which to run an experiment."""

import math
import warnings
from collections.abc import Mapping
from dataclasses import InitVar, dataclass, replace

from dse.bounds import MOST_REPLICATES, check_number, check_whole
from dse.data.dataset import Dataset, ImageData, balanced_part, train_size
from dse.data.load import EMBEDDED
from dse.errors import DseError
from dse.runs.recipe import Recipe

MOST_IMAGES = 10**9
MOST_WIDTH = 512
WIDTH_BEFORE = 128


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A size at which to run an experiment.

    Attributes:
        width: share of the published widths that the experiment leaves open.
        replicates: runs per cell.
        recipe: how to train.
        dataset: the default dataset.
        train_images: train images to use, balanced over classes; None for all.
        base_e: the former way to write the width, in filters of 128.
        least_images: fewest train images over all epochs; small sets get more epochs.

    Raises:
        DseError: a number is out of range.
    """

    width: float = math.nan
    replicates: int
    recipe: Recipe
    dataset: str = EMBEDDED
    train_images: int | None = None
    least_images: int = 0
    base_e: InitVar[int | None] = None

    def __post_init__(self, base_e: int | None) -> None:
        if base_e is not None:
            check_whole("base_e", base_e, 1, 2**16)
            object.__setattr__(self, "width", base_e / WIDTH_BEFORE)
            said = f"a preset's base_e={base_e} is width={self.width:g} now"
            warnings.warn(said, DeprecationWarning, stacklevel=3)
        check_number("width", self.width, 0, MOST_WIDTH, above=True)
        check_whole("replicates", self.replicates, 1, MOST_REPLICATES)
        check_whole("least_images", self.least_images, 0, MOST_IMAGES)
        if self.train_images is not None:
            check_whole("train_images", self.train_images, 1, MOST_IMAGES)

    def replicates_for(self, asked: int | None) -> int:
        """Number of runs per cell: `asked`, or else the preset's.

        Raises:
            DseError: the number is out of range.
        """
        wanted = self.replicates if asked is None else asked
        check_whole("replicates (--seeds)", wanted, 1, MOST_REPLICATES)
        return wanted

    def part_of(self, dataset: Dataset) -> Dataset:
        """The part of a dataset that the preset trains on."""
        if self.train_images is None:
            return dataset
        return balanced_part(dataset, self.train_images)

    def recipe_for(self, dataset: ImageData) -> Recipe:
        """The recipe, with epochs and augmentation resolved for a dataset."""
        recipe = self.recipe.resolved(dataset.name, dataset.image_shape)
        if recipe.steps is not None:
            per_epoch = max(1, train_size(dataset) // recipe.batch_size)
            return replace(recipe, epochs=math.ceil(recipe.steps / per_epoch))
        own = dataset.own_validation
        trained = len(dataset.train) - (0 if own is None else len(own))
        passes = math.ceil(self.least_images / trained)
        return replace(recipe, epochs=max(recipe.epochs, passes))


def named_preset(presets: Mapping[str, Preset], name: str | None) -> tuple[str, Preset]:
    """Find the preset `name`, by default the first, and return it with its name.

    Raises:
        DseError: there is no such preset.
    """
    if name is None:
        name = next(iter(presets))
    if name not in presets:
        *others, last = presets
        expected = f"{', '.join(others)} or {last}" if others else last
        raise DseError(f"no preset is called {name!r}; expected {expected}")
    return name, presets[name]
