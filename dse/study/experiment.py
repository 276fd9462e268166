"""An experiment: an anchor architecture, one varied metaparameter, and presets."""

import importlib.util
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

from dse.bounds import check_whole
from dse.data.dataset import Dataset, ImageData, balanced_part, validation_split
from dse.data.load import EMBEDDED
from dse.errors import DseError
from dse.families.paper import PUBLISHED
from dse.families.squeezenet import WIDEST, Metaparameters
from dse.runs.recipe import Recipe
from dse.study.claim import Claim, SizesAsPrinted, values_of
from dse.study.names import check_names, name_of_file

MOST_REPLICATES = 10_000
MOST_VALUES = 10_000
MOST_RUNS = 1_000_000
"""Of one sweep: at a second each they take twelve days."""
MOST_IMAGES = 10**9

SHARED_BY_ARMS = ("epochs", "steps", "seed", "resize", "crop", "pixel_mean")
ARM_MAY_CHANGE = tuple(f.name for f in fields(Recipe) if f.name not in SHARED_BY_ARMS)
"""Of a recipe, in an ablation: arms see the same images equally often."""


@dataclass(frozen=True)
class Preset:
    """A size at which to run an experiment.

    Attributes:
        base_e: width; base_e and incr_e of every cell, where the experiment leaves
            them open.
        replicates: runs a cell.
        recipe: how to train.
        dataset: what to train on unless asked otherwise.
        train_images: of the train part, as many of each class; None for all.
        least_images: images that a run sees at least; on a small set the recipe's
            epochs are raised to that.

    Raises:
        DseError: a number is out of range.
    """

    base_e: int
    replicates: int
    recipe: Recipe
    dataset: str = EMBEDDED
    train_images: int | None = None
    least_images: int = 0

    def __post_init__(self) -> None:
        check_whole("base_e", self.base_e, 1, WIDEST)
        check_whole("replicates", self.replicates, 1, MOST_REPLICATES)
        check_whole("least_images", self.least_images, 0, MOST_IMAGES)
        if self.train_images is not None:
            check_whole("train_images", self.train_images, 1, MOST_IMAGES)

    def replicates_for(self, asked: int | None) -> int:
        """Runs a cell: as many as asked, or the preset's number.

        Raises:
            DseError: fewer than one is asked, or more than anybody waits for.
        """
        wanted = self.replicates if asked is None else asked
        check_whole("replicates (--seeds)", wanted, 1, MOST_REPLICATES)
        return wanted

    def part_of(self, dataset: Dataset) -> Dataset:
        """What of a dataset the preset trains on."""
        if self.train_images is None:
            return dataset
        return balanced_part(dataset, self.train_images)

    def recipe_for(self, dataset: ImageData) -> Recipe:
        """The recipe with its epochs and augmentation settled for a dataset."""
        recipe = self.recipe.resolved(dataset.name, dataset.image_shape)
        if recipe.steps is not None:
            images = len(validation_split(dataset, recipe.seed, 0).train)
            per_epoch = max(1, images // recipe.batch_size)
            return replace(recipe, epochs=math.ceil(recipe.steps / per_epoch))
        own = dataset.own_validation
        trained = len(dataset.train) - (0 if own is None else len(own))
        passes = math.ceil(self.least_images / trained)
        return replace(recipe, epochs=max(recipe.epochs, passes))


@dataclass(frozen=True)
class Experiment:
    """A one-factor-at-a-time study around an anchor.

    Attributes:
        title: what it shows, for figures.
        anchor: the metaparameters that stay. A preset chooses the widths base_e and
            incr_e that it does not state; what it states is the same under all of them.
        presets: sizes by name.
        varied: the metaparameter that changes, alone: where base_e varies, incr_e is
            what the anchor states, or the preset's. None for the anchor alone.
        values: its values, in the order of the figure.
        published: the paper's own points (`dse.families.paper`), if it has any.
        shows: what the report draws.
        claims: what the source says of them, and what would count as true.
        arms: recipes to compare, each a study of its own: a name, and what it changes
            of the preset's recipe. The first is what the others are held against.

    Raises:
        DseError: a value is out of range, nothing varies, a claim is of a value that
            is none of them, arms see different images, or a name is none.
    """

    title: str
    anchor: Metaparameters
    presets: Mapping[str, Preset]
    varied: str | None = None
    values: Sequence[Any] = ()
    published: str | None = None
    shows: Literal["size", "macs", "layers"] = "size"
    claims: Sequence[Claim] = ()
    arms: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.presets:
            raise DseError("an experiment has no presets; expected one or more")
        check_names("a preset", self.presets)
        check_names("an arm", self.arms)
        names = [field.name for field in fields(Metaparameters)]
        if self.varied is not None and self.varied not in names:
            raise DseError(
                f"an experiment varies {self.varied!r}; expected one of "
                f"{', '.join(names)}"
            )
        if not isinstance(self.values, list | tuple | range):
            raise DseError(
                f"the values of an experiment are a {type(self.values).__name__}; "
                "expected a list or a tuple"
            )
        if len(self.values) > MOST_VALUES:
            raise DseError(
                f"an experiment varies {self.varied} over {len(self.values):,} values; "
                f"expected {MOST_VALUES:,} at most"
            )
        if self.varied is not None and not self.values:
            raise DseError(f"an experiment varies {self.varied} over no values")
        if self.published is not None and self.published not in PUBLISHED:
            raise DseError(
                f"nothing is published as {self.published!r}; expected one of "
                f"{', '.join(PUBLISHED)}"
            )
        for claim in self.claims:
            if self.varied is None or (
                isinstance(claim, SizesAsPrinted) and self.published is None
            ):
                raise DseError(
                    f"a claim of {type(claim).__name__} needs an experiment that "
                    "varies something, and for printed sizes a published source"
                )
            if isinstance(claim, SizesAsPrinted):
                self._refuse_no_sizes(claim)
            for value in values_of(claim):
                if value not in self.values:
                    raise DseError(
                        f"a claim is of {self.varied} {value!r}; expected one of "
                        f"{', '.join(map(str, self.values))}"
                    )
        if self.arms and self.claims:
            raise DseError(
                "an experiment has arms and claims; claims are of one recipe: give "
                "each its own experiment"
            )
        for arm, changes in self.arms.items():
            counted = any(p.recipe.steps for p in self.presets.values())
            if counted and "batch_size" in changes:
                raise DseError(
                    f"arm {arm} changes batch_size, and a preset counts steps: arms "
                    "train equally long"
                )
            unknown = [x for x in changes if x not in ARM_MAY_CHANGE]
            if unknown:
                raise DseError(
                    f"arm {arm} changes {', '.join(unknown)}; expected some of "
                    f"{', '.join(ARM_MAY_CHANGE)}: arms train equally long"
                )
        self.points(self.anchor.base_e)

    def _refuse_no_sizes(self, claim: SizesAsPrinted) -> None:
        """A claim of printed sizes is of one at least."""
        printed = [point.value for point in PUBLISHED[self.published or ""]]
        if not any(x in printed and x not in claim.slips for x in self.values):
            raise DseError(
                f"a claim of printed sizes is of none: {self.published} prints "
                f"{self.varied} {', '.join(map(str, printed))}; vary some of those, or "
                "leave the claim out"
            )

    def recipes(self, preset: Preset, dataset: ImageData) -> dict[str, Recipe]:
        """The preset's recipe by the name ""; or those that are compared, by arm."""
        changed = {
            arm: replace(preset, recipe=replace(preset.recipe, **changes))
            for arm, changes in (self.arms or {"": {}}).items()
        }
        return {arm: each.recipe_for(dataset) for arm, each in changed.items()}

    @property
    def open_widths(self) -> tuple[str, ...]:
        """Which of base_e and incr_e a preset chooses."""
        return tuple(name for name in self.anchor.open_widths if name != self.varied)

    def points(self, width: int) -> list[Metaparameters]:
        """The anchor under each value of what varies; its open widths are `width`."""
        chosen: dict[str, Any] = dict.fromkeys(self.open_widths, width)
        anchor = replace(self.anchor, **chosen)
        if self.varied is None:
            return [anchor]
        return [replace(anchor, **{self.varied: value}) for value in self.values]

    def preset(self, name: str) -> Preset:
        """The preset called `name`; see `named_preset`."""
        return named_preset(self.presets, name)[1]


def named_preset(presets: Mapping[str, Preset], name: str | None) -> tuple[str, Preset]:
    """The preset called `name`, or the first, with its name.

    Raises:
        DseError: there is none.
    """
    if name is None:
        name = next(iter(presets))
    if name not in presets:
        *others, last = presets
        expected = f"{', '.join(others)} or {last}" if others else last
        raise DseError(f"no preset is called {name!r}; expected {expected}")
    return name, presets[name]


def shipped_experiments() -> dict[str, Path]:
    """Files of the experiments that come with the package, by name."""
    package = Path(__file__).parents[1]
    folders = [package / "experiments", package.parent / "experiments"]
    folder = next((f for f in folders if f.is_dir()), folders[0])
    return {file.stem: file for file in sorted(folder.glob("[!_]*.py"))}


def load_experiment(name: str) -> tuple[str, Experiment]:
    """The experiment that a shipped name or a path to a file means, with its name.

    Raises:
        DseError: there is none, the file holds none, or is called as another thing.
    """
    shipped = shipped_experiments()
    if name in shipped:
        called, file = name, shipped[name]
    elif name.endswith(".py") and Path(name).is_file():
        file = Path(name)
        called = name_of_file(file, shipped)
    else:
        raise DseError(
            f"no experiment is called {name!r}; expected {', '.join(shipped)} or the "
            "path of a .py file"
        )
    spec = importlib.util.spec_from_file_location(f"dse_experiment_{called}", file)
    if spec is None or spec.loader is None:
        raise DseError(f"{file} cannot be read as a Python file")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except DseError:
        raise
    except (Exception, SystemExit) as error:
        kind = type(error).__name__
        raise DseError(f"experiment {file} cannot be run: {kind}: {error}") from error
    experiment = getattr(module, "EXPERIMENT", None)
    if not isinstance(experiment, Experiment):
        raise DseError(f"{file} defines no EXPERIMENT = Experiment(...)")
    return called, experiment


def load_together(
    names: str | Sequence[str], preset_name: str | None
) -> tuple[dict[str, Experiment], str, Preset]:
    """Experiments by name, and the preset under which all of them train, with its name.

    Raises:
        DseError: there is none, one is not there or there twice, or its preset is not
            that of the others.
    """
    names = [names] if isinstance(names, str) else names
    if not names:
        raise DseError("no experiment is given; expected one or more, as fig3b")
    loaded = [load_experiment(name) for name in names]
    experiments = dict(loaded)
    if len({name.casefold() for name in experiments}) < len(loaded):
        called = ", ".join(name for name, _ in loaded)
        raise DseError(f"an experiment is given twice: {called}; give each once")
    chosen = {n: named_preset(e.presets, preset_name) for n, e in experiments.items()}
    first, *others = chosen
    for other in others:
        if chosen[other] != chosen[first]:
            raise DseError(
                f"{first} and {other} mean different things by the preset "
                f"{chosen[first][0]}; run them one after the other"
            )
    return experiments, *chosen[first]


def check_runs(
    experiments: Iterable[Experiment], preset: Preset, replicates: int | None
) -> None:
    """Refuse more runs than anybody waits for, before a dataset is opened.

    Raises:
        DseError: so many replicates are asked, or they make too many runs.
    """
    each = preset.replicates_for(replicates)
    cells = sum(max(1, len(e.values)) * max(1, len(e.arms)) for e in experiments)
    if each * cells > MOST_RUNS:
        raise DseError(
            f"replicates (--seeds) is {each:,}, and there are {cells:,} cells: "
            f"{each * cells:,} runs; expected {MOST_RUNS:,} at most"
        )
