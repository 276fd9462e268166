"""The speed of training masked and shared weights, over that of plain ones.

    python experiments/benchmarks/stages.py

The narrow SqueezeNet is trained plainly, with two thirds of its weights at 0, and with
codebooks of 6 bits, an epoch of each in turn, in one process with one thread, as a
worker has. The result goes to results/benchmarks/, or to the folder of --output.
"""

import argparse
import statistics
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from machine import RESULTS, write_result

from dse.compress.networks import of_arrays
from dse.compress.perform import perform
from dse.data.dataset import Dataset, Images
from dse.execute.environment import settle_process
from dse.families import family_called
from dse.runs.cell import Cell
from dse.runs.events import Done, EpochEnded, Event
from dse.runs.recipe import Recipe
from dse.runs.stages import Prune, Quantise
from dse.train.trainers import trainer_for

IMAGES, SHAPE, CLASSES, EPOCHS = 3_200, (32, 32, 3), 10, 9
RECIPE = Recipe(
    epochs=EPOCHS,
    peak_learning_rate=0.01,
    batch_size=32,
    crop_padding=0,
    mirror=False,
)


def main() -> None:
    """Measure, write the result and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=RESULTS)
    asked = parser.parse_args()
    settle_process()
    result = {norm: measured(norm) for norm in ("none", "batch")}
    for norm, found in result.items():
        print(norm, found)
    print(write_result(asked.output, "stages", result))


def measured(norm: str) -> dict[str, Any]:
    """Median images a second of each training, and over that of the plain one."""
    dataset = striped_images()
    point = family_called("squeezenet").of(
        {"base_e": 16, "incr_e": 16, "sr": 0.5, "norm": norm}
    )
    network = point.network(SHAPE, CLASSES)
    names = dataset.class_names
    plain = Cell(network, RECIPE, dataset.name, dataset.fingerprint, names)
    first = replace(plain, recipe=replace(RECIPE, epochs=2))
    [begun] = [
        event.weights
        for event in trainer_for(dataset, None).train(first, [0])
        if isinstance(event, Done)
    ]
    parents = {0: of_arrays(begun)}
    pruned = replace(plain, stages=(Prune(0.33, prune_epochs=EPOCHS),))
    shared = replace(plain, stages=(Quantise(6, quantise_epochs=EPOCHS),))
    trainings: dict[str, Iterator[Event]] = {
        "plain": trainer_for(dataset, None).train(plain, [0]),
        "masked": perform(trainer_for(dataset, None), pruned, [0], parents),
        "shared": perform(trainer_for(dataset, None), shared, [0], parents),
    }
    rates: dict[str, list[float]] = {name: [] for name in trainings}
    for _ in range(EPOCHS):
        for name, events in trainings.items():
            ended = next(event for event in events if isinstance(event, EpochEnded))
            rates[name].append(ended.images_per_second)
    medians = {name: statistics.median(listed[1:]) for name, listed in rates.items()}
    over = {
        f"{name} over plain": round(
            statistics.median(
                mine / theirs
                for mine, theirs in zip(
                    rates[name][1:], rates["plain"][1:], strict=True
                )
            ),
            3,
        )
        for name in ("masked", "shared")
    }
    return {**{name: round(rate) for name, rate in medians.items()}, **over}


def striped_images() -> Dataset:
    """Noisy images for an epoch, whose class is the place of a bright stripe."""
    generator = np.random.default_rng(0)

    def part(count: int) -> Images:
        pixels = generator.integers(0, 100, (count, *SHAPE), dtype=np.uint8)
        labels = np.arange(count, dtype=np.int32) % CLASSES
        for image, label in zip(pixels, labels, strict=True):
            image[3 * label : 3 * label + 3] += 150
        return Images(pixels, labels)

    names = tuple(map(str, range(CLASSES)))
    count = round(IMAGES / (1 - Dataset.validation_share))
    return Dataset("stripes", "stripes", names, part(count), part(100))


if __name__ == "__main__":
    main()
