"""How long a plan will take: its work, and the speed of a machine.

A step's time is modelled as a·MACs + b·activations an image, a and b from a calibration
of seconds on this machine or from a benchmark's file of another.
"""

import json
import math
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from dse.arch.cost import cost
from dse.arch.graph import Architecture, Shape
from dse.bounds import check_number, check_whole
from dse.data.dataset import Dataset, ImageData, Images
from dse.errors import DseError, first_line
from dse.execute.execution import MOST_WORKERS, Execution
from dse.execute.executors import Executor, make_executor
from dse.execute.jobs import Job, JobQueue
from dse.families.squeezenet import Metaparameters, squeezenet
from dse.machine import has_accelerator
from dse.runs.cell import Cell
from dse.runs.events import EpochEnded, Failed, Started
from dse.runs.recipe import Recipe

TRAINING_PASSES = 3
"""A training step costs about three forward passes."""
TRIAL_SECONDS = 0.7
"""Of an epoch of the calibration, about."""
TRIAL_EPOCHS = 3
UNEXPECTED = (
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RecursionError,
)
"""What reading JSON of another form ends in."""
MOST_BYTES = 10**7
MOST_SECONDS = 1e9
"""Of a benchmark; and the most images a second."""
TRIAL_MACS_PER_SECOND = 2e10
"""What a worker is at first taken to train at, to size the calibration."""


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
    metaparameters: Metaparameters
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
    points: Sequence[tuple[str, Metaparameters]],
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
        architecture = squeezenet(point, images.image_shape, images.classes)
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
    from scipy.optimize import nnls

    costs = [cost(architecture) for architecture in architectures]
    work = np.array([[c.macs, c.activations] for c in costs], float)
    scale = work.max(axis=0)
    measured = np.array(seconds_per_image)
    coefficients, _ = nnls(work / scale / measured[:, None], np.ones(len(measured)))
    a, b = coefficients / scale
    return float(a), float(b)


def speed_from_benchmark(file: Path) -> Speed:
    """The speed that experiments/benchmarks/speed.py measured somewhere.

    Raises:
        DseError: the file is no such benchmark.
    """
    expected = "expected 'here' or a file that experiments/benchmarks/speed.py wrote"
    try:
        told = json.loads(_text_of(file))
        cells = told["cells"]
        if not cells:
            raise DseError("it measured nothing")
        points = [Metaparameters.from_mapping(c["metaparameters"]) for c in cells]
        measured = [cell["contenders"]["dse"] for cell in cells]
        for ours in measured:
            speed = ours["images_per_second"]
            check_number("images_per_second", speed, 1 / MOST_SECONDS, MOST_SECONDS)
        networks = [squeezenet(p, tuple(told["input_shape"]), 10) for p in points]
        a, b = fit(networks, [1 / ours["images_per_second"] for ours in measured])
        for ours in measured:
            check_number("ready_seconds", ours["ready_seconds"], 0, MOST_SECONDS)
        check_whole("processes", told["processes"], 1, MOST_WORKERS)
        machine = told["machine"]
        return Speed(
            a,
            b,
            float(np.median([ours["ready_seconds"] for ours in measured])),
            told["processes"],
            f"the benchmark {file} on {machine['device']}, {machine['cores']} cores",
        )
    except OSError as error:
        raise DseError(f"device {file}: {error.strerror}; {expected}") from error
    except (*UNEXPECTED, DseError) as error:
        kind = "" if isinstance(error, DseError) else f"{type(error).__name__}: "
        raise DseError(
            f"device {file} is no benchmark, {kind}{first_line(error)}; {expected}"
        ) from error


def _text_of(file: Path) -> str:
    """The text of a small regular file.

    Raises:
        OSError: it cannot be read.
        DseError: it is no such file.
    """
    if file.exists() and not file.is_file():
        raise DseError("it is no regular file")
    with file.open("rb") as opened:
        read = opened.read(MOST_BYTES + 1)
    if len(read) > MOST_BYTES:
        raise DseError(f"it has more than {MOST_BYTES:,} bytes")
    return read.decode()


def calibrate(
    points: Sequence[Metaparameters],
    recipe: Recipe,
    images: ImageSet,
    execution: Execution,
) -> Speed:
    """Train the cheapest and the dearest point for seconds, on random images.

    All workers train at once, as in a sweep. They compile as for short runs, which
    long ones beat by up to 4 % a step. Decoding of streamed images is no part of it.

    Raises:
        DseError: the training failed, or what is asked for is not here.
    """
    networks = {
        network.id: network
        for network in (
            squeezenet(p, images.image_shape, images.classes) for p in points
        )
    }
    ordered = sorted(networks.values(), key=lambda network: cost(network).macs)
    chosen = [ordered[0], ordered[-1]] if len(ordered) > 1 else ordered
    trials = [_trial(x, recipe, images, execution) for x in chosen]
    a, b = fit(chosen, [1 / trial.images_per_second for trial in trials])
    used = trials[0].workers
    return Speed(
        a,
        b,
        max(trial.compile_seconds for trial in trials),
        used,
        f"a calibration here, {used} worker{'s' if used > 1 else ''}",
        max(trial.start_seconds for trial in trials),
    )


@dataclass(frozen=True)
class _Trial:
    images_per_second: float
    start_seconds: float
    compile_seconds: float
    workers: int


def _trial(
    architecture: Architecture,
    recipe: Recipe,
    images: ImageSet,
    execution: Execution,
) -> _Trial:
    """One network on all workers at once, a replicate each, no program from a cache."""
    dataset, short = _random_images(architecture, recipe, images)
    began = time.monotonic()
    with _nothing_compiled_before():
        executor = make_executor(execution, dataset)
        return _timed(executor, architecture, short, dataset, began)


def _timed(
    executor: Executor,
    architecture: Architecture,
    short: Recipe,
    dataset: Dataset,
    began: float,
) -> _Trial:
    names = dataset.class_names
    cell = Cell(architecture, short, dataset.name, dataset.fingerprint, names)
    started: dict[int, float] = {}
    compiled: dict[int, float] = {}
    speeds: dict[int, float] = {}
    try:
        executor.start(executor.workers)
        jobs = [Job(cell, (number,)) for number in range(executor.workers)]
        for event in executor.run(JobQueue(jobs)):
            match event:
                case Started():
                    started[event.replicate] = time.monotonic()
                case EpochEnded():
                    waited = time.monotonic() - started[event.replicate] - event.seconds
                    compiled.setdefault(event.replicate, waited)
                    speeds[event.replicate] = event.images_per_second
                case Failed(reason=reason, detail=detail) if reason != "untrained":
                    raise DseError(f"the calibration failed, {reason}: {detail}")
    finally:
        executor.close()
    return _Trial(
        sum(speeds.values()),
        max(started.values()) - began,
        max(compiled.values()),
        executor.workers,
    )


@contextmanager
def _nothing_compiled_before() -> Iterator[None]:
    """JAX's cache is out of use, here and in processes that begin meanwhile."""
    name, option = "JAX_ENABLE_COMPILATION_CACHE", "jax_enable_compilation_cache"
    before, imported = os.environ.get(name), sys.modules.get("jax")
    used = getattr(imported.config, option) if imported else before != "false"
    os.environ[name] = "false"
    if imported:
        imported.config.update(option, False)
    try:
        yield
    finally:
        os.environ.pop(name)
        if before is not None:
            os.environ[name] = before
        if "jax" in sys.modules:
            sys.modules["jax"].config.update(option, used)


def _random_images(
    architecture: Architecture, recipe: Recipe, images: ImageSet
) -> tuple[Dataset, Recipe]:
    """Images enough for seconds, and the recipe with a batch that is no longer."""
    macs = TRAINING_PASSES * cost(architecture).macs
    count = max(8, round(TRIAL_SECONDS * TRIAL_MACS_PER_SECOND / macs))
    whole_batch = has_accelerator() and recipe.resize is None
    batch = recipe.batch_size if whole_batch else min(recipe.batch_size, count)
    batches = max(1, min(count, images.train) // batch)
    whole = math.ceil(batches * batch / (1 - Dataset.validation_share)) + 2
    generator = np.random.default_rng(0)

    def part(size: int) -> Images:
        shape = (size, *images.image_shape)
        pixels = generator.integers(0, 256, shape, dtype=np.uint8)
        return Images(pixels, np.arange(size, dtype=np.int32) % 2)

    names = tuple(str(number) for number in range(images.classes))
    short = replace(
        recipe,
        epochs=TRIAL_EPOCHS,
        peak_learning_rate=1e-6,
        batch_size=batch,
        steps=None,
        resize=None,
        crop=None,
        pixel_mean=None,
    )
    return Dataset("random", f"random-{whole}", names, part(whole), part(8)), short
