"""How long a plan will take: its work, and the speed of a machine.

A step's time is modelled as a·MACs + b·activations an image, a and b from a calibration
of seconds on this machine or from a benchmark's file of another.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from dse.arch.cost import cost
from dse.arch.family import Family
from dse.arch.graph import Architecture
from dse.arch.layers import Shape
from dse.data.dataset import ImageData
from dse.runs.recipe import Recipe

TRAINING_PASSES = 3
"""A training step costs about three forward passes."""


@dataclass(frozen=True)
class ImageSet:
    """What a plan must know of a dataset.

    Attributes:
        name: short name.
        image_shape: height, width, channels.
        classes: number of classes.
        train: images trained on, validation apart.
        evaluated: images scored in validation.
        test: images scored once.
    """

    name: str
    image_shape: Shape
    classes: int
    train: int
    evaluated: int
    test: int

    @classmethod
    def of(cls, dataset: ImageData) -> "ImageSet":
        """The sizes of a dataset at hand."""
        own = dataset.own_validation
        held_out = round(dataset.validation_share * len(dataset.train))
        if own is not None:
            held_out = len(own)
        return cls(
            dataset.name,
            dataset.image_shape,
            dataset.classes,
            len(dataset.train) - held_out,
            held_out,
            len(dataset.test),
        )


IMAGENET = ImageSet("imagenet", (227, 227, 3), 1000, 1_268_356, 12_811, 50_000)
"""ILSVRC-2012 as it is streamed: a hundredth of train validates, its validation part is
the test (--test-folder val)."""


@dataclass(frozen=True)
class Speed:
    """A machine's speed in training, all of its workers together.

    Attributes:
        seconds_per_mac: a, per image and MAC of a forward pass.
        seconds_per_activation: b, per image and activation.
        compile_seconds: for a cell, nothing of it in the cache.
        workers: cells that are compiled at once.
        source: where this is from, in words.
        start_seconds: until the workers stand ready.
    """

    seconds_per_mac: float
    seconds_per_activation: float
    compile_seconds: float
    workers: int
    source: str
    start_seconds: float = 0.0

    def seconds_per_image(self, architecture: Architecture) -> float:
        """Seconds of training an image."""
        costs = cost(architecture)
        return (
            self.seconds_per_mac * costs.macs
            + self.seconds_per_activation * costs.activations
        )


@dataclass(frozen=True)
class CellEstimate:
    """A cell's work and time.

    Attributes:
        arm: the recipe's name, where several are compared.
        metaparameters: the point.
        params: parameters.
        macs: of one image's forward pass.
        training_macs: of all its runs.
        seconds: of all its runs, on all workers.
    """

    arm: str
    metaparameters: Family
    params: int
    macs: int
    training_macs: float
    seconds: float


@dataclass(frozen=True)
class Estimate:
    """What a plan will take.

    Attributes:
        cells: one for each distinct cell.
        replicates: runs a cell.
        images: images that each run trains on, over all epochs.
        dataset: its name.
        speed: what the times rest on.
        widths: which widths the preset chose, in lines.
    """

    cells: tuple[CellEstimate, ...]
    replicates: int
    images: int
    dataset: str
    speed: Speed
    widths: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """Wall time of it all."""
        return self.speed.start_seconds + sum(cell.seconds for cell in self.cells)


def estimate(
    points: Sequence[tuple[str, Family]],
    recipe: Recipe,
    replicates: int,
    images: ImageSet,
    speed: Speed,
) -> Estimate:
    """Work and time of points under a recipe.

    Args:
        points: each with the arm that it belongs to, or ""; of an arm, points of one
            network are one cell.
        recipe: how long they train, whatever else an arm changes.
        replicates: runs a cell.
        images: what they train on.
        speed: of the machine.
    """
    seen = recipe.epochs * images.train
    if recipe.steps is not None:
        seen = recipe.steps * recipe.batch_size
    scored = recipe.epochs * images.evaluated + images.test
    cells = {}
    for arm, point in points:
        architecture = point.network(images.image_shape, images.classes)
        costs = cost(architecture)
        passes = replicates * (seen + scored / TRAINING_PASSES)
        seconds = passes * speed.seconds_per_image(architecture)
        cells[arm, architecture.id] = CellEstimate(
            arm,
            point,
            costs.params,
            costs.macs,
            TRAINING_PASSES * costs.macs * passes,
            seconds + speed.compile_seconds / speed.workers,
        )
    return Estimate(tuple(cells.values()), replicates, seen, images.name, speed)


def fit(
    architectures: Sequence[Architecture], seconds_per_image: Sequence[float]
) -> tuple[float, float]:
    """The model's a and b, neither negative, of least relative error."""
    costs = [cost(architecture) for architecture in architectures]
    work = np.array([[c.macs, c.activations] for c in costs], float)
    scale = work.max(axis=0)
    measured = np.array(seconds_per_image)
    coefficients, _ = nnls(work / scale / measured[:, None], np.ones(len(measured)))
    a, b = coefficients / scale
    return float(a), float(b)
