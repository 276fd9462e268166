"""Train the replicates of cells on a dataset in memory, and yield their events."""

import math
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from dse.data.dataset import Dataset, channel_statistics, validation_split
from dse.ops.interface import Operations
from dse.runs.cell import Cell
from dse.runs.events import Checkpointed, Done, EpochEnded, Event, Failed, Started
from dse.train.checkpoint import Checkpoints, Progress, checkpoints_in, restore
from dse.train.engine import evaluation_batches
from dse.train.process import keep_compiled_programs
from dse.train.program import Program, compile_program, stack_size
from dse.train.scores import means, untrained
from dse.train.state import (
    Batches,
    EvaluationRows,
    Normaliser,
    Replicate,
    replicate_keys,
)

LARGEST_EVALUATION_BATCH = 250
CHECKPOINT_SECONDS = 60.0
"""Least time between checkpoints, which are written at the end of an epoch. A shorter
run writes none."""


class Trainer:
    """Trainer of cells on one dataset, which compiles the next cell meanwhile.

    Args:
        dataset: the dataset.
        folder: parent folder of checkpoints (`dse.runs.paths`); None for none. They
            stay when a run has ended; the code that stores its result deletes them.
        operations: None for the numerics that suit the device.
        checkpoint_seconds: least time between checkpoints.
    """

    def __init__(
        self,
        dataset: Dataset,
        folder: Path | None = None,
        operations: Operations | None = None,
        checkpoint_seconds: float = CHECKPOINT_SECONDS,
    ) -> None:
        keep_compiled_programs()
        self._dataset, self._operations = dataset, operations
        self._folder, self._checkpoint_seconds = folder, checkpoint_seconds
        self._compiler = ThreadPoolExecutor(1, "compile")
        self._ahead: dict[tuple[str, int], Future[Program]] = {}

    def prepare(self, cell: Cell, replicates: Sequence[int]) -> None:
        """Begin to compile, in another thread, the program that `train` will need."""
        wanted = cell.id, len(replicates)
        if wanted not in self._ahead:
            self._ahead[wanted] = self._compiler.submit(self._compile, cell, wanted[1])

    def train(self, cell: Cell, replicates: Sequence[int]) -> Iterator[Event]:
        """Train `cell` once for each of `replicates`; resume runs with checkpoints.

        Runs that train together resume from the newest epoch of which all have a
        checkpoint. On a CPU each trains alone, and an interruption changes no bit. A
        stack of another size than before gives the same within float tolerance.

        Yields:
            For each run `Started`, `EpochEnded` for every epoch (those before an
            interruption first), `Checkpointed` after each checkpoint, and `Done` or
            `Failed`.

        Raises:
            DseError: a checkpoint cannot be written.
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
            with checkpoints_in(self._folder, cell.id, stack) as kept:
                yield from _Stack(
                    cell,
                    program,
                    members,
                    kept,
                    self._checkpoint_seconds,
                    compile_seconds,
                ).train()
            compile_seconds = 0.0

    def close(self) -> None:
        """Start no further compilation."""
        self._compiler.shutdown(wait=False, cancel_futures=True)

    @cached_property
    def _images(self) -> Batches:
        """All images in one array, train then test, so programs see one shape."""
        parts = self._dataset.train, self._dataset.test
        return Batches(
            jnp.asarray(np.concatenate([part.pixels for part in parts])),
            jnp.asarray(np.concatenate([part.labels for part in parts])),
        )

    @property
    def _evaluation_batch(self) -> int:
        """Images evaluated at a time, at most the size of the test part."""
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
    """A replicate, the images that score it and the accuracy of guessing."""

    number: int
    replicate: Replicate
    validation: EvaluationRows
    test: EvaluationRows
    chance: float


class _Stack:
    """Replicates that train together; each counts an equal share of the time.

    A replicate whose loss is not finite has ended. No more checkpoints of it are
    written, so the driver can delete them when it receives the failure. If it never
    does, the runs have no later step in common, so the resumed stack fails it again.
    """

    def __init__(
        self,
        cell: Cell,
        program: Program,
        members: Sequence[_Member],
        kept: Sequence[Checkpoints],
        checkpoint_seconds: float,
        compile_seconds: float,
    ) -> None:
        self._cell, self._engine = cell, program.engine
        self._members, self._kept = members, kept
        self._checkpoint_seconds = checkpoint_seconds
        self._compile_seconds = compile_seconds
        self._began = self._kept_at = time.perf_counter()
        self._training = program.begin([member.replicate for member in members])
        self._progress = [Progress()] * len(members)
        self._alive = list(range(len(members)))

    def train(self) -> Iterator[Event]:
        """Resume from the last checkpoints, or begin, and train to the end."""
        yield from self._resume()
        first, last = len(self._progress[0].ended) + 1, self._cell.recipe.epochs
        for epoch in range(first, last + 1):
            yield from self._train_epoch(epoch)
            if not self._alive:
                return
            if epoch < last and self._checkpoint_is_due:
                yield from self._save(epoch)
        yield from self._results()

    def _resume(self) -> Iterator[Event]:
        restored = restore(self._kept, self._training.states()[0])
        if not restored:
            return
        self._training.resume([state for state, _ in restored])
        self._progress = [progress for _, progress in restored]
        for ended in zip(*(p.replayed for p in self._progress), strict=True):
            yield from ended

    def _train_epoch(self, epoch: int) -> Iterator[Event]:
        began = time.perf_counter()
        seen = self._engine.steps_per_epoch * self._engine.batch_size
        trained = [means(sums, seen) for sums in self._training.train_epoch(epoch)]
        seconds = (time.perf_counter() - began) / len(self._members)
        for index in [i for i in self._alive if not math.isfinite(trained[i]["loss"])]:
            self._alive.remove(index)
            detail = f"train loss is {trained[index]['loss']} in epoch {epoch}"
            number = self._members[index].number
            yield Failed(self._cell.id, number, "diverged", detail)
        if not self._alive:
            return
        validated = self._score([member.validation for member in self._members])
        for index in self._alive:
            metrics = {"train": trained[index], "validation": validated[index]}
            number = self._members[index].number
            event = EpochEnded(self._cell.id, number, epoch, metrics, seen, seconds)
            before = self._progress[index]
            self._progress[index] = replace(before, ended=(*before.ended, event))
            yield event

    def _score(self, rows: Sequence[EvaluationRows]) -> list[dict[str, float]]:
        """Loss and accuracy of each member on its own images."""
        totals = self._training.score(rows)
        return [
            means(sums, int((own >= 0).sum()))
            for sums, own in zip(totals, rows, strict=True)
        ]

    @property
    def _checkpoint_is_due(self) -> bool:
        age = time.perf_counter() - self._kept_at
        return bool(self._kept) and age >= self._checkpoint_seconds

    def _save(self, epoch: int) -> Iterator[Event]:
        states, seconds = self._training.states(), self._seconds
        for index in self._alive:
            progress = self._progress[index]
            total = progress.train_seconds + seconds
            self._kept[index].save(
                states[index], replace(progress, train_seconds=total)
            )
            yield Checkpointed(self._cell.id, self._members[index].number, epoch)
        self._kept_at = time.perf_counter()

    @property
    def _seconds(self) -> float:
        """Each member's share of the time since the training began or resumed."""
        return (time.perf_counter() - self._began) / len(self._members)

    def _results(self) -> Iterator[Event]:
        tested = self._score([member.test for member in self._members])
        weights, seconds = self._training.weights(), self._seconds
        for index in self._alive:
            member, progress = self._members[index], self._progress[index]
            last = progress.ended[-1]
            accuracy = last.metrics["train"]["accuracy"]
            why = untrained(accuracy, member.chance, last.images)
            if why:
                yield Failed(self._cell.id, member.number, "untrained", why)
                continue
            yield Done(
                self._cell.id,
                member.number,
                metrics={**last.metrics, "test": tested[index]},
                train_seconds=progress.train_seconds + seconds,
                compile_seconds=self._compile_seconds / len(self._members),
                step_seconds=progress.step_seconds,
                weights={
                    **weights[index],
                    "input": jax.device_get(member.replicate.normaliser._asdict()),
                },
            )
