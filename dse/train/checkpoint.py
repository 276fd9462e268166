"""Checkpoints of a long training, written whole with Orbax; the last two are kept."""

import contextlib
import errno
import hashlib
import json
import logging
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import jax
import numpy as np

from dse.errors import DseError, first_line
from dse.runs.events import EpochEnded
from dse.runs.paths import checkpoints_of
from dse.train.state import TrainState

KEPT = 2
"""Number of checkpoints kept, in case the newest is torn."""

NOT_NOW = (
    *(errno.EMFILE, errno.ENFILE, errno.ENOMEM),
    *(errno.EACCES, errno.EPERM, errno.ESTALE),
)
"""Errors of the system that another try may not meet: the file itself may be whole."""


@dataclass(frozen=True)
class Progress:
    """Progress of a training, apart from its `TrainState`.

    Attributes:
        ended: the epochs that ended.
        train_seconds: time in training and evaluation so far.
        epoch_seconds: time in training steps of the current epoch.
    """

    ended: tuple[EpochEnded, ...] = ()
    train_seconds: float = 0.0
    epoch_seconds: float = 0.0

    @property
    def replayed(self) -> tuple[EpochEnded, ...]:
        """The epochs that ended, as events to send again when the run resumes."""
        return tuple(replace(ended, replayed=True) for ended in self.ended)

    @property
    def step_seconds(self) -> float:
        """Time in training steps of the epochs that ended."""
        return sum((ended.seconds for ended in self.ended), start=0.0)


Restored = tuple[TrainState, Progress]


class Checkpoints:
    """The checkpoints of one run, by step.

    Orbax takes long to import, so it is imported at the first read or write.

    Args:
        folder: folder of this run alone; it is made with the first checkpoint.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    @cached_property
    def _orbax(self) -> Any:
        from orbax.checkpoint import v1 as ocp

        # The error that a failed write raises says the same as its log.
        logging.getLogger("absl").setLevel(logging.CRITICAL)
        return ocp.training.Checkpointer(
            self._folder,
            save_decision_policy=ocp.training.save_decision_policies.FixedIntervalPolicy(
                1
            ),
            preservation_policy=ocp.training.preservation_policies.LatestN(KEPT),
            cleanup_tmp_directories=True,
        )

    @property
    def steps(self) -> list[int]:
        """Steps that have a checkpoint, in ascending order."""
        if not self._folder.is_dir():
            return []
        return [found.step for found in self._orbax.checkpoints]

    def save(self, state: TrainState, progress: Progress) -> None:
        """Write the state after a step.

        Raises:
            DseError: it cannot be written; earlier checkpoints are unchanged.
        """
        leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(jax.device_get(state))]
        text = json.dumps(asdict(progress)).encode()
        held = {
            "state": {f"{place:04}": leaf for place, leaf in enumerate(leaves)},
            "progress": {
                "json": np.frombuffer(text, np.uint8),
                "digest": np.frombuffer(_digest(leaves), np.uint8),
            },
        }
        step = int(state.step)
        try:
            if not self._orbax.save_checkpointables(step, held, overwrite=True):
                raise OSError(f"step {step} was not taken")
        except (OSError, ValueError) as error:
            raise DseError(
                f"cannot write a checkpoint in {self._folder}: {first_line(error)}; "
                "free some space or make the folder writable, then repeat the command"
            ) from error

    def read(self, step: int, like: TrainState) -> Restored | None:
        """Read the state after a step, in the structure of `like`; None if it is torn.

        A torn one is deleted: training resumes from the one before and writes it again.

        Raises:
            DseError: it cannot be opened now, which says nothing of its content.
        """
        try:
            held: Any = self._orbax.load_checkpointables(step)
            leaves = [np.asarray(held["state"][name]) for name in sorted(held["state"])]
            if bytes(held["progress"]["digest"]) != _digest(leaves):
                raise ValueError("it is not what was written")
            progress = _progress(bytes(held["progress"]["json"]))
            state: TrainState = jax.tree.unflatten(
                jax.tree.structure(like), map(jax.numpy.asarray, leaves)
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            if isinstance(error, OSError) and error.errno in NOT_NOW:
                raise DseError(
                    f"cannot read a checkpoint in {self._folder}: {first_line(error)}; "
                    "repeat the command when that is mended"
                ) from error
            path = self._folder / str(step)
            print(
                f"checkpoint {path} cannot be read: {first_line(error)}",
                file=sys.stderr,
            )
            self._delete(step)
            return None
        return state, progress

    def forget_after(self, step: int) -> None:
        """Delete the checkpoints of later steps, which would remain the newest."""
        for later in [s for s in self.steps if s > step]:
            self._delete(later)

    def _delete(self, step: int) -> None:
        shutil.rmtree(self._folder / str(step), ignore_errors=True)
        self._orbax.reload()

    def close(self) -> None:
        """Wait for pending writes and release Orbax."""
        opened = self.__dict__.pop("_orbax", None)
        if opened is not None:
            opened.close()


@contextlib.contextmanager
def checkpoints_in(
    folder: Path | None, cell_id: str, replicates: Sequence[int]
) -> Iterator[list[Checkpoints]]:
    """Open the checkpoints of runs that train together; none if `folder` is None."""
    kept = (
        [Checkpoints(checkpoints_of(folder, cell_id, number)) for number in replicates]
        if folder is not None
        else []
    )
    try:
        yield kept
    finally:
        for run in kept:
            run.close()


def restore(kept: Sequence[Checkpoints], like: TrainState) -> list[Restored]:
    """Read the newest step of which all of `kept` have a readable checkpoint.

    Later ones are deleted, and written again by the training. They exist if it was
    interrupted before every run had one, or if one is torn.

    Args:
        kept: the checkpoints of runs that train together.
        like: a state of the wanted structure.

    Returns:
        One state and progress per run; empty if there is no such step.
    """
    common = set.intersection(*(set(run.steps) for run in kept)) if kept else set()
    for step in sorted(common, reverse=True):
        read = [run.read(step, like) for run in kept]
        restored = [one for one in read if one is not None]
        if len(restored) == len(kept):
            _forget_after(step, kept)
            return restored
    _forget_after(-1, kept)
    return []


def _forget_after(step: int, kept: Sequence[Checkpoints]) -> None:
    for run in kept:
        run.forget_after(step)


def _digest(leaves: Sequence[np.ndarray]) -> bytes:
    """SHA-256 of all values, since Orbax does not notice a block that the disk lost."""
    digest = hashlib.sha256()
    for leaf in leaves:
        digest.update(leaf.tobytes())
    return digest.digest()


def _progress(text: bytes) -> Progress:
    fields = json.loads(text)
    return Progress(
        tuple(EpochEnded(**ended) for ended in fields["ended"]),
        fields["train_seconds"],
        fields["epoch_seconds"],
    )
