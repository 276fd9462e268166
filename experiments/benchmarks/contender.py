"""A process that trains one network in one way, for the time that its input asks.

The first line of input says in JSON what to train; the answer is the seconds that it
took to get ready. Each further line is the number of seconds to train.
"""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from dse.machine import peak_bytes


def main() -> None:
    """Answer each line of input until it ends."""
    wanted = json.loads(sys.stdin.readline())
    if wanted["engine"] == "peak":
        from roofline import measure

        _answer(**asdict(measure(wanted["bfloat16"])))
        return
    began = time.perf_counter()
    epoch = _from_torch(wanted) if wanted["engine"] == "torch" else dse_epochs(wanted)
    epoch()
    _answer(ready_seconds=time.perf_counter() - began)
    for line in sys.stdin:
        until = time.perf_counter() + float(line)
        began, images = time.perf_counter(), 0
        while time.perf_counter() < until:
            images += epoch()
        seconds = time.perf_counter() - began
        _answer(images=images, seconds=seconds, peak_bytes=peak_bytes())


def _answer(**values: float) -> None:
    print(json.dumps(values), flush=True)


def _cell(wanted: dict[str, Any]) -> tuple[Any, Any]:
    from dse.families import family_called
    from dse.runs.recipe import Recipe

    point = family_called(wanted["family"]).of(wanted["metaparameters"])
    architecture = point.architecture(tuple(wanted["input_shape"]), 10)
    return architecture, Recipe(**wanted["recipe"])


def _from_torch(wanted: dict[str, Any]) -> Callable[[], int]:
    import torch
    from torch_network import TorchTraining

    if wanted["threads"]:
        torch.set_num_threads(wanted["threads"])
    architecture, recipe = _cell(wanted)
    training = TorchTraining(
        architecture,
        recipe,
        compiled=wanted["compiled"],
        bfloat16=wanted["bfloat16"],
        device=wanted["device"],
        images=wanted["images"],
    )
    return training.epoch


def dse_epochs(wanted: dict[str, Any]) -> Callable[[], int]:
    """Make a function that trains an epoch with `dse` and returns the images seen."""
    import jax.numpy as jnp
    import numpy as np

    from dse.runs.cell import Cell
    from dse.train.program import compile_program, stack_size
    from dse.train.state import Batches, Normaliser, Replicate, replicate_keys

    architecture, recipe = _cell(wanted)
    generator = np.random.default_rng(0)
    count, channels = wanted["images"], architecture.input_shape[2]
    pixels = generator.integers(
        0, 256, (count, *architecture.input_shape), dtype=np.uint8
    )
    labels = generator.integers(0, 10, count).astype(np.int32)
    images = Batches(jnp.asarray(pixels), jnp.asarray(labels))
    cell = Cell(architecture, recipe, "random", "random", tuple("abcdefghij"))
    together = stack_size(wanted["replicates"])
    program = compile_program(cell, images, count, recipe.batch_size, together)
    normaliser = Normaliser(jnp.full(channels, 72.9), jnp.full(channels, 90.0))
    members = [
        Replicate(
            replicate_keys(0, number, architecture.id), normaliser, jnp.arange(count)
        )
        for number in range(together)
    ]
    training = program.begin(members)
    seen = program.engine.steps_per_epoch * program.engine.batch_size
    number = 0

    def epoch() -> int:
        nonlocal number
        number += 1
        training.advance(number, number * program.engine.steps_per_epoch)
        return seen * together

    return epoch


if __name__ == "__main__":
    main()
