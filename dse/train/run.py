"""Train the replicates of cells on one dataset: cells in, events out."""

import math
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np

from dse.data.dataset import Dataset, channel_statistics, validation_split
from dse.ops.interface import Operations
from dse.train.cell import Cell
from dse.train.device import keep_compiled_programs
from dse.train.engine import (
    Batches,
    Normaliser,
    Replicate,
    evaluation_batches,
    replicate_keys,
)
from dse.train.events import Done, EpochEnded, Event, Failed, Started
from dse.train.program import EvaluationRows, Program, compile_program, stack_size
from dse.train.scores import means, untrained

LARGEST_EVALUATION_BATCH = 250


class Trainer:
    """Trains cells on one dataset, and compiles the next one meanwhile.

    Args:
        dataset: the dataset.
        operations: the numerics; None for what suits the device.
    """

    def __init__(self, dataset: Dataset, operations: Operations | None = None) -> None:
        keep_compiled_programs()
        self._dataset, self._operations = dataset, operations
        self._compiler = ThreadPoolExecutor(1, "compile")
        self._ahead: dict[tuple[str, int], Future[Program]] = {}

    def prepare(self, cell: Cell, replicates: Sequence[int]) -> None:
        """Begin to compile, in another thread, what `train` will be asked for."""
        wanted = cell.id, len(replicates)
        if wanted not in self._ahead:
            self._ahead[wanted] = self._compiler.submit(self._compile, cell, wanted[1])

    def train(self, cell: Cell, replicates: Sequence[int]) -> Iterator[Event]:
        """Train `cell` once for each of `replicates`.

        Yields:
            For each run `Started`, an `EpochEnded` an epoch, and `Done` or `Failed`.
        """
        self.prepare(cell, replicates)
        device = jax.devices()[0].device_kind
        together = stack_size(len(replicates))
        compile_seconds: float | None = None
        for start in range(0, len(replicates), together):
            stack = replicates[start : start + together]
            for replicate in stack:
                yield Started(cell.id, replicate, device)
            if compile_seconds is None:
                program = self._ahead.pop((cell.id, len(replicates))).result()
                compile_seconds = program.compile_seconds
            members = [self._member(cell, replicate) for replicate in stack]
            yield from _train_stack(cell, program, members, compile_seconds)
            compile_seconds = 0.0

    def close(self) -> None:
        """Begin no further compilation."""
        self._compiler.shutdown(wait=False, cancel_futures=True)

    @cached_property
    def _images(self) -> Batches:
        """All images as they are, the test part's after train's: one shape."""
        parts = self._dataset.train, self._dataset.test
        return Batches(
            jnp.asarray(np.concatenate([part.pixels for part in parts])),
            jnp.asarray(np.concatenate([part.labels for part in parts])),
        )

    @property
    def _evaluation_batch(self) -> int:
        """Images evaluated at a time: no more than the test part has."""
        return min(LARGEST_EVALUATION_BATCH, len(self._dataset.test))

    def _compile(self, cell: Cell, replicates: int) -> Program:
        train_size = len(validation_split(self._dataset, cell.recipe.seed, 0).train)
        return compile_program(
            cell,
            self._images,
            train_size,
            self._evaluation_batch,
            replicates,
            operations=self._operations,
        )

    def _member(self, cell: Cell, number: int) -> "_Member":
        dataset, seed = self._dataset, cell.recipe.seed
        split = validation_split(dataset, seed, number)
        labels = dataset.train.labels[split.train]
        pixels = dataset.train.pixels[split.train]
        test = len(dataset.train) + np.arange(len(dataset.test))
        return _Member(
            number,
            Replicate(
                replicate_keys(seed, number, cell.architecture.id),
                Normaliser(*map(jnp.asarray, channel_statistics(pixels))),
                jnp.asarray(split.train),
            ),
            validation=evaluation_batches(split.validation, self._evaluation_batch),
            test=evaluation_batches(test, self._evaluation_batch),
            chance=float(np.bincount(labels).max() / len(labels)),
        )


@dataclass(frozen=True)
class _Member:
    """A replicate with the images that score it."""

    number: int
    replicate: Replicate
    validation: EvaluationRows
    test: EvaluationRows
    chance: float


def _train_stack(
    cell: Cell, program: Program, members: Sequence[_Member], compile_seconds: float
) -> Iterator[Event]:
    """Train replicates together; of shared time each is given an equal share."""
    engine, count = program.engine, len(members)
    began = time.perf_counter()
    training = program.begin([member.replicate for member in members])
    seen = engine.steps_per_epoch * engine.batch_size
    step_seconds = 0.0
    alive = list(range(count))
    for epoch in range(1, cell.recipe.epochs + 1):
        epoch_began = time.perf_counter()
        trained = [means(totals, seen) for totals in training.train_epoch(epoch)]
        seconds = (time.perf_counter() - epoch_began) / count
        step_seconds += seconds
        for index in [i for i in alive if not math.isfinite(trained[i]["loss"])]:
            alive.remove(index)
            detail = f"train loss is {trained[index]['loss']} in epoch {epoch}"
            yield Failed(cell.id, members[index].number, "diverged", detail)
        if not alive:
            return
        validated = [
            means(totals, _count(member.validation))
            for totals, member in zip(
                training.score([member.validation for member in members]),
                members,
                strict=True,
            )
        ]
        for index in alive:
            metrics = {"train": trained[index], "validation": validated[index]}
            number = members[index].number
            yield EpochEnded(cell.id, number, epoch, metrics, seen, seconds)
    tested = training.score([member.test for member in members])
    weights = training.weights()
    train_seconds = (time.perf_counter() - began) / count
    for index in alive:
        member, accuracy = members[index], trained[index]["accuracy"]
        why = untrained(accuracy, member.chance, seen)
        if why:
            yield Failed(cell.id, member.number, "untrained", why)
            continue
        yield Done(
            cell.id,
            member.number,
            metrics={
                "train": trained[index],
                "validation": validated[index],
                "test": means(tested[index], _count(member.test)),
            },
            train_seconds=train_seconds,
            compile_seconds=compile_seconds / count,
            step_seconds=step_seconds,
            weights={
                **weights[index],
                "input": jax.device_get(member.replicate.normaliser._asdict()),
            },
        )


def _count(rows: EvaluationRows) -> int:
    return int((rows >= 0).sum())
