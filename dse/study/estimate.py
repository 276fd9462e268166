"""The time that a plan takes, from its work and the speed of a machine.

The time of a training image is modelled as a·MACs + b·activations. The factors a and b
come from a short calibration on this machine, or from a benchmark of another.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.optimize import nnls

from dse.arch.cost import cost
from dse.arch.graph import Architecture
from dse.arch.layer import Shape
from dse.data.dataset import ImageData
from dse.runs.recipe import Recipe
from dse.runs.staged import Network, Staged

TRAINING_PASSES = 3
"""Approximate cost of a training step, in forward passes."""


@dataclass(frozen=True)
class ImageSet:
    """Sizes of a dataset that an estimate needs.

    Attributes:
        name: short name.
        image_shape: height, width, channels.
        classes: number of classes.
        train: images trained on, without those for validation.
        evaluated: images for validation.
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
        """The sizes of a loaded dataset."""
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
"""ILSVRC-2012 as it is streamed: a hundredth of train is for validation, and the
validation part is the test part (--test-folder val)."""


@dataclass(frozen=True)
class Speed:
    """A machine's training speed, with all workers together.

    Attributes:
        seconds_per_mac: a, per image and MAC of a forward pass.
        seconds_per_activation: b, per image and activation.
        compile_seconds: compilation of a cell, without a cache.
        workers: cells that are compiled at once.
        source: origin of these numbers, in words.
        start_seconds: seconds until the workers are ready.
    """

    seconds_per_mac: float
    seconds_per_activation: float
    compile_seconds: float
    workers: int
    source: str
    start_seconds: float = 0.0

    def seconds_per_image(self, architecture: Architecture) -> float:
        """Seconds of training per image."""
        costs = cost(architecture)
        return (
            self.seconds_per_mac * costs.macs
            + self.seconds_per_activation * costs.activations
        )


@dataclass(frozen=True)
class CellEstimate:
    """Work and time of a cell.

    Attributes:
        arm: the recipe's name, if several are compared.
        metaparameters: the point.
        params: parameters.
        macs: MACs of one image's forward pass.
        training_macs: MACs of all its runs.
        seconds: time of all its runs, on all workers.
        aliases: other points with the same network.
    """

    arm: str
    metaparameters: Network
    params: int
    macs: int
    training_macs: float
    seconds: float
    aliases: tuple[Network, ...] = ()


@dataclass(frozen=True)
class Estimate:
    """Work and time of a plan.

    Attributes:
        cells: one for each distinct cell.
        replicates: runs per cell.
        images: images that each run without stages trains on, over all epochs.
        dataset: name of the dataset.
        speed: the speed behind the times.
        widths: lines about the widths that the preset chose.
    """

    cells: tuple[CellEstimate, ...]
    replicates: int
    images: int
    dataset: str
    speed: Speed
    widths: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """Wall time of the whole plan."""
        return self.speed.start_seconds + sum(cell.seconds for cell in self.cells)


def estimate(
    points: Sequence[tuple[str, Network]],
    recipe: Recipe,
    replicates: int,
    images: ImageSet,
    speed: Speed,
) -> Estimate:
    """Estimate work and time of points under a recipe.

    Args:
        points: each with the name of its arm, or "". Points of one arm with the same
            network and stages are one cell.
        recipe: how long they train, also in other arms.
        replicates: runs per cell.
        images: the dataset.
        speed: the machine's speed.
    """
    whole = recipe.epochs * images.train
    if recipe.steps is not None:
        whole = recipe.steps * recipe.batch_size
    cells: dict[tuple[Any, ...], CellEstimate] = {}
    for arm, point in points:
        architecture = point.network(images.image_shape, images.classes)
        stages = point.stages if isinstance(point, Staged) else ()
        key = arm, architecture.id, stages
        same = cells.get(key)
        if same is not None:
            cells[key] = replace(same, aliases=(*same.aliases, point))
            continue
        costs = cost(architecture)
        epochs = stages[-1].epochs if stages else recipe.epochs
        seen = epochs * images.train if stages else whole
        scored = epochs * images.evaluated + images.test
        passes = replicates * (seen + scored / TRAINING_PASSES)
        seconds = passes * speed.seconds_per_image(architecture)
        cells[key] = CellEstimate(
            arm,
            point,
            costs.params,
            costs.macs,
            TRAINING_PASSES * costs.macs * passes,
            seconds + speed.compile_seconds / speed.workers,
        )
    return Estimate(tuple(cells.values()), replicates, whole, images.name, speed)


def fit(
    architectures: Sequence[Architecture], seconds_per_image: Sequence[float]
) -> tuple[float, float]:
    """Fit the model's a and b, not negative, by least squares of the relative error."""
    costs = [cost(architecture) for architecture in architectures]
    work = np.array([[c.macs, c.activations] for c in costs], float)
    scale = work.max(axis=0)
    measured = np.array(seconds_per_image)
    coefficients, _ = nnls(work / scale / measured[:, None], np.ones(len(measured)))
    a, b = coefficients / scale
    return float(a), float(b)
