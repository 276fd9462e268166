"""The training loop: replicates that train together, from the images of any feed."""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import jax

from dse.models.network import Weights
from dse.runs.cell import Cell
from dse.runs.events import Checkpointed, Done, EpochEnded, Event, Failed, Metrics
from dse.train.checkpoint import Checkpoints, Progress, restore
from dse.train.members import Member, Program, Saving
from dse.train.scores import means, untrained
from dse.train.state import Totals, TrainState


class Loop:
    """The training of a stack; each member counts an equal share of the time.

    A replicate whose loss is not finite has ended. No more checkpoints of it are
    written, so the driver can delete them when it receives the failure. If it never
    does, the runs have no later step in common, so the resumed stack fails it again.
    """

    def __init__(
        self,
        cell: Cell,
        program: Program,
        members: Sequence[Member],
        kept: Sequence[Checkpoints],
        saving: Saving,
        compile_seconds: float,
    ) -> None:
        self._cell, self._engine = cell, program.engine
        self._members, self._kept = members, kept
        self._saving, self._compile_seconds = saving, compile_seconds
        self._began = self._kept_at = time.perf_counter()
        self._training = program.begin([member.replicate for member in members])
        self._step = 0
        self._progress = [Progress()] * len(members)
        self._alive = list(range(len(members)))
        if any(member.beginning for member in members):
            states = self._training.states()
            begun = [
                member.beginning.applied_to(state) if member.beginning else state
                for member, state in zip(members, states, strict=True)
            ]
            self._training.resume(begun)

    def train(self) -> Iterator[Event]:
        """Resume from the last checkpoints, or begin, and train to the end."""
        yield from self._resume()
        while self._alive and self._step < self._engine.steps:
            epoch, end = self._engine.epoch_of(self._step)
            if self._step == (epoch - 1) * self._engine.steps_per_epoch:
                self._revise(epoch)
            totals = self._advance(epoch, self._saving.pause(self._step, end))
            if self._step == end:
                yield from self._end_epoch(epoch, totals)
            if self._checkpoint_is_due:
                yield from self._save(epoch)
        yield from self._results()

    def _resume(self) -> Iterator[Event]:
        restored = restore(self._kept, self._training.states()[0])
        if not restored:
            return
        self._training.resume([state for state, _ in restored])
        self._step = int(restored[0][0].step)
        self._progress = [progress for _, progress in restored]
        for ended in zip(*(p.replayed for p in self._progress), strict=True):
            yield from ended

    def _revise(self, epoch: int) -> None:
        """Change what a stage changes before an epoch."""
        changes = [
            member.beginning.revise if member.beginning else None
            for member in self._members
        ]
        if not any(changes):
            return
        states = self._training.states()
        self._training.resume(
            [
                state._replace(parameters=revise(epoch, state.parameters))
                if revise
                else state
                for state, revise in zip(states, changes, strict=True)
            ]
        )

    def _advance(self, epoch: int, stop: int) -> list[Totals]:
        """Train up to step `stop`, and count the time."""
        began = time.perf_counter()
        totals = self._training.advance(epoch, stop)
        seconds = (time.perf_counter() - began) / len(self._members)
        self._step = stop
        self._progress = [
            replace(before, epoch_seconds=before.epoch_seconds + seconds)
            for before in self._progress
        ]
        return totals

    def _end_epoch(self, epoch: int, totals: Sequence[Totals]) -> Iterator[Event]:
        seen = self._engine.images_in(epoch)
        trained = [means(sums, seen) for sums in totals]
        yield from self._drop_diverged("train", trained, epoch)
        if not self._alive:
            return
        validated = self._training.score([m.validation for m in self._members])
        yield from self._drop_diverged("validation", validated, epoch)
        for index in self._alive:
            metrics = {"train": trained[index], "validation": validated[index]}
            number, before = self._members[index].number, self._progress[index]
            seconds = before.epoch_seconds
            event = EpochEnded(self._cell.id, number, epoch, metrics, seen, seconds)
            self._progress[index] = replace(
                before, ended=(*before.ended, event), epoch_seconds=0.0
            )
            yield event

    def _drop_diverged(
        self, part: str, metrics: Sequence[Mapping[str, float]], epoch: int
    ) -> Iterator[Event]:
        """Fail the members whose loss on a part of the images is not finite.

        A part without images has no accuracy, and its loss is no sign of anything.
        """
        for index in list(self._alive):
            loss, accuracy = metrics[index]["loss"], metrics[index]["accuracy"]
            if math.isfinite(accuracy) and not math.isfinite(loss):
                self._alive.remove(index)
                number = self._members[index].number
                detail = f"{part} loss is {loss} in epoch {epoch}"
                yield Failed(self._cell.id, number, "diverged", detail)

    @property
    def _checkpoint_is_due(self) -> bool:
        age = time.perf_counter() - self._kept_at
        return bool(self._kept) and age >= self._saving.seconds

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
        """Fail the members that are no better than guessing, and score the others."""
        validated: list[dict[str, float]] = []
        if self._engine.trains:
            yield from self._drop_untrained()
        else:
            validated = self._training.score([m.validation for m in self._members])
            yield from self._drop_diverged("validation", validated, 0)
        if not self._alive:
            return
        tested = self._training.score([member.test for member in self._members])
        yield from self._drop_diverged("test", tested, self._engine.recipe.epochs)
        states, seconds = self._training.states(), self._seconds
        for index in self._alive:
            member, progress = self._members[index], self._progress[index]
            last: Metrics = (
                progress.ended[-1].metrics
                if self._engine.trains
                else {"validation": validated[index]}
            )
            yield Done(
                self._cell.id,
                member.number,
                metrics={**last, "test": tested[index]},
                train_seconds=progress.train_seconds + seconds,
                compile_seconds=self._compile_seconds / len(self._members),
                step_seconds=progress.step_seconds,
                weights=self._weights(member, states[index]),
            )

    def _drop_untrained(self) -> Iterator[Event]:
        """Fail the members that are no better than guessing.

        A stage may have spoilt a network, which is a result.
        """
        for index in list(self._alive if not self._cell.stages else ()):
            member, last = self._members[index], self._progress[index].ended[-1]
            accuracy = last.metrics["train"]["accuracy"]
            why = untrained(accuracy, member.chance, last.images)
            if why:
                self._alive.remove(index)
                yield Failed(self._cell.id, member.number, "untrained", why)

    def _weights(self, member: Member, state: TrainState) -> Weights:
        """What predicts: weights by layer, and the normalisation of pixels."""
        weights, predictor = state.weights, self._engine.architecture.predictor
        return {
            **{layer: weights[layer] for layer in predictor.parameters},
            "input": jax.device_get(member.replicate.normaliser._asdict()),
        }
