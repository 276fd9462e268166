"""Train the replicates of cells on the images of a feed, and yield their events."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Protocol, runtime_checkable

import jax
import jax.numpy as jnp

from dse.runs.cell import Cell
from dse.runs.events import Event, Started
from dse.train.checkpoint import checkpoints_in
from dse.train.loop import Loop
from dse.train.members import Beginning, Member, Program, Saving
from dse.train.process import keep_compiled_programs
from dse.train.state import Keys


@runtime_checkable
class Feed(Protocol):
    """A dataset as trainings read it: from memory, or from files.

    Attributes:
        saving: when checkpoints are written.
    """

    @property
    def saving(self) -> Saving:
        """When checkpoints are written."""

    def together(self, replicates: int) -> int:
        """Number of replicates that train together, of so many that are wanted."""

    def compile(self, cell: Cell, replicates: int) -> Program:
        """Compile a cell of which so many replicates are wanted."""

    def member(self, cell: Cell, number: int) -> Member:
        """Make a replicate's inputs."""


class Trainer:
    """Trainer of cells on one dataset, which compiles the next cell meanwhile.

    Args:
        feed: the dataset.
        folder: parent folder of checkpoints (`dse.runs.paths`); None for none. They
            stay when a run has ended; the code that stores its result deletes them.
        saving: when checkpoints are written; None for as suits the feed.
    """

    def __init__(
        self, feed: Feed, folder: Path | None = None, saving: Saving | None = None
    ) -> None:
        keep_compiled_programs()
        self._feed, self._folder = feed, folder
        self._saving = saving or feed.saving
        self._compiler = ThreadPoolExecutor(1, "compile")
        self._ahead: dict[tuple[str, int], Future[Program]] = {}

    def prepare(self, cell: Cell, replicates: Sequence[int]) -> None:
        """Begin to compile, in another thread, the program that `train` will need."""
        wanted = cell.id, len(replicates)
        if wanted not in self._ahead:
            self._ahead[wanted] = self._compiler.submit(
                self._feed.compile, cell, len(replicates)
            )

    def train(
        self,
        cell: Cell,
        replicates: Sequence[int],
        beginnings: Mapping[int, Beginning] | None = None,
    ) -> Iterator[Event]:
        """Train `cell` once for each of `replicates`; resume runs with checkpoints.

        Runs that train together resume from the newest step of which all have a
        checkpoint. On a CPU each trains alone, and an interruption changes no bit. A
        stack of another size than before gives the same within float tolerance.

        Args:
            cell: the cell.
            replicates: their numbers.
            beginnings: what each replicate of a cell with stages begins from.

        Yields:
            For each run `Started`, `EpochEnded` for every epoch (those before an
            interruption first), `Checkpointed` after each checkpoint, and `Done` or
            `Failed`.

        Raises:
            DseError: a checkpoint cannot be written, or the cell cannot be trained.
        """
        self.prepare(cell, replicates)
        device = jax.devices()[0].device_kind
        together = self._feed.together(len(replicates))
        compile_seconds: float | None = None
        for start in range(0, len(replicates), together):
            stack = replicates[start : start + together]
            for replicate in stack:
                yield Started(cell.id, replicate, device)
            if compile_seconds is None:
                program = self._ahead.pop((cell.id, len(replicates))).result()
                compile_seconds = program.compile_seconds
            members = [
                _begun(cell, self._feed.member(cell, replicate), beginnings)
                for replicate in stack
            ]
            with checkpoints_in(self._folder, cell.id, stack) as kept:
                yield from Loop(
                    cell, program, members, kept, self._saving, compile_seconds
                ).train()
            compile_seconds = 0.0

    def close(self) -> None:
        """Start no further compilation."""
        self._compiler.shutdown(wait=False, cancel_futures=True)


def _begun(
    cell: Cell, member: Member, beginnings: Mapping[int, Beginning] | None
) -> Member:
    """A replicate and what it begins from; each stage has its own random streams."""
    if not cell.stages:
        return member
    assert beginnings is not None
    beginning, replicate = beginnings[member.number], member.replicate
    depth = len(cell.stages)
    keys = Keys(*(jax.random.fold_in(key, depth) for key in replicate.keys))
    groups = None if beginning.groups is None else jnp.asarray(beginning.groups)
    return replace(
        member,
        beginning=beginning,
        replicate=replicate._replace(keys=keys, groups=groups),
    )
