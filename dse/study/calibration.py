"""A machine's speed: from a benchmark's file, or from a short calibration here."""

import json
import math
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from dse.arch.cost import cost
from dse.arch.graph import Architecture
from dse.bounds import check_number, check_whole
from dse.data.dataset import Dataset, Images
from dse.errors import DseError, first_line
from dse.execute.execution import MOST_WORKERS, Execution
from dse.execute.executors import make_executor
from dse.execute.jobs import Job, JobQueue
from dse.families import DEFAULT, family_called
from dse.machine import has_accelerator
from dse.runs.cell import Cell
from dse.runs.events import EpochEnded, Failed, Started
from dse.runs.recipe import Recipe
from dse.runs.staged import Network
from dse.study.estimate import TRAINING_PASSES, ImageSet, Speed, fit

TRIAL_SECONDS = 0.7
"""Approximate length of a calibration epoch, in seconds."""
TRIAL_EPOCHS = 3
UNEXPECTED = (
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RecursionError,
)
"""Errors that JSON of an unexpected form can cause."""
MOST_BYTES = 10**7
MOST_SECONDS = 1e9
"""Upper limit of the seconds, and of the images per second, of a benchmark."""
TRIAL_MACS_PER_SECOND = 2e10
"""Assumed training speed of a worker, to size the calibration."""


def speed_from_benchmark(file: Path) -> Speed:
    """Read a speed from a file that experiments/benchmarks/speed.py wrote.

    Raises:
        DseError: the file is not such a benchmark.
    """
    expected = "expected 'here' or a file that experiments/benchmarks/speed.py wrote"
    try:
        benchmark = json.loads(_text_of(file))
        cells = benchmark["cells"]
        if not cells:
            raise DseError("it measured nothing")
        points = [
            family_called(c.get("family", DEFAULT)).of(c["metaparameters"])
            for c in cells
        ]
        measured = [cell["contenders"]["dse"] for cell in cells]
        for ours in measured:
            speed = ours["images_per_second"]
            check_number("images_per_second", speed, 1 / MOST_SECONDS, MOST_SECONDS)
        shape = tuple(benchmark["input_shape"])
        networks = [point.network(shape, 10) for point in points]
        a, b = fit(networks, [1 / ours["images_per_second"] for ours in measured])
        for ours in measured:
            check_number("ready_seconds", ours["ready_seconds"], 0, MOST_SECONDS)
        check_whole("processes", benchmark["processes"], 1, MOST_WORKERS)
        machine = benchmark["machine"]
        return Speed(
            a,
            b,
            float(np.median([ours["ready_seconds"] for ours in measured])),
            benchmark["processes"],
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
    """Read the text of a small regular file.

    Raises:
        OSError: it cannot be read.
        DseError: it is not a regular file, or is larger than `MOST_BYTES`.
    """
    if file.exists() and not file.is_file():
        raise DseError("it is no regular file")
    with file.open("rb") as opened:
        read = opened.read(MOST_BYTES + 1)
    if len(read) > MOST_BYTES:
        raise DseError(f"it has more than {MOST_BYTES:,} bytes")
    return read.decode()


def calibrate(
    points: Sequence[Network],
    recipe: Recipe,
    images: ImageSet,
    execution: Execution,
) -> Speed:
    """Train the cheapest and the costliest point for seconds, on random images.

    All workers train at once, as in a sweep. They compile as for short runs; the steps
    of long runs are up to 4 % faster. The decoding of streamed images is not measured.

    Raises:
        DseError: the training failed, or the execution asked for is not available.
    """
    networks = {
        network.id: network
        for network in (
            point.network(images.image_shape, images.classes) for point in points
        )
    }
    ordered = sorted(networks.values(), key=lambda network: cost(network).macs)
    chosen = [ordered[0], ordered[-1]] if len(ordered) > 1 else ordered
    timings = [_timing(x, recipe, images, execution) for x in chosen]
    a, b = fit(chosen, [1 / timing.images_per_second for timing in timings])
    used = timings[0].workers
    return Speed(
        a,
        b,
        max(timing.compile_seconds for timing in timings),
        used,
        f"a calibration here, {used} worker{'s' if used > 1 else ''}",
        max(timing.start_seconds for timing in timings),
    )


@dataclass(frozen=True)
class _Timing:
    images_per_second: float
    start_seconds: float
    compile_seconds: float
    workers: int


def _timing(
    architecture: Architecture,
    recipe: Recipe,
    images: ImageSet,
    execution: Execution,
) -> _Timing:
    """Time one network on all workers at once, a replicate each, without a cache."""
    dataset, short = _random_images(architecture, recipe, images)
    names = dataset.class_names
    cell = Cell(architecture, short, dataset.name, dataset.fingerprint, names)
    started: dict[int, float] = {}
    compiled: dict[int, float] = {}
    speeds: dict[int, float] = {}
    began = time.monotonic()
    with (
        _nothing_compiled_before(),
        closing(make_executor(execution, dataset, keeps_weights=False)) as executor,
    ):
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
        return _Timing(
            sum(speeds.values()),
            max(started.values()) - began,
            max(compiled.values()),
            executor.workers,
        )


@contextmanager
def _nothing_compiled_before() -> Iterator[None]:
    """Turn off JAX's compilation cache, here and in processes started meanwhile."""
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
    """Make random images for a few seconds, and a short recipe to train on them."""
    macs = TRAINING_PASSES * cost(architecture).macs
    count = max(8, round(TRIAL_SECONDS * TRIAL_MACS_PER_SECOND / macs))
    whole_batch = has_accelerator() and recipe.resize is None
    batch = recipe.batch_size
    if not whole_batch and count < batch:
        batch = max(1, count // architecture.group) * architecture.group
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
