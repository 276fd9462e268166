"""Checkpoints of a long training, with Orbax: written whole, the last two are kept."""

import json
import logging
import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

from dse.errors import DseError
from dse.train.engine import TrainState
from dse.train.events import EpochEnded

KEPT = 2
"""One that turns out to be torn leaves the one before."""


@dataclass(frozen=True)
class Progress:
    """How far a training is, beside what the steps change.

    Attributes:
        ended: the epochs that ended.
        train_seconds: in training and evaluation so far.
        epoch_seconds: in training steps of the epoch under way.
    """

    ended: tuple[EpochEnded, ...] = ()
    train_seconds: float = 0.0
    epoch_seconds: float = 0.0


class Checkpoints:
    """The checkpoints of one run, by step.

    Args:
        folder: of this run alone; it is made.
    """

    def __init__(self, folder: Path) -> None:
        from orbax.checkpoint import v1 as ocp

        # What it logs of a failed write is also in the error that it raises.
        logging.getLogger("absl").setLevel(logging.CRITICAL)
        self._folder = folder.resolve()
        self._closed = False
        self._orbax = ocp.training.Checkpointer(
            self._folder,
            save_decision_policy=ocp.training.save_decision_policies.FixedIntervalPolicy(
                1
            ),
            preservation_policy=ocp.training.preservation_policies.LatestN(KEPT),
            cleanup_tmp_directories=True,
        )

    def save(self, state: TrainState, progress: Progress) -> None:
        """Write the state after a step.

        Raises:
            DseError: it cannot be written; earlier checkpoints are as they were.
        """
        leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(jax.device_get(state))]
        text = json.dumps(asdict(progress)).encode()
        held = {
            "state": {f"{place:04}": leaf for place, leaf in enumerate(leaves)},
            "progress": {"json": np.frombuffer(text, np.uint8)},
        }
        step = int(state.step)
        try:
            if not self._orbax.save_checkpointables(step, held, overwrite=True):
                raise OSError(f"step {step} was not taken")
        except (OSError, ValueError) as error:
            first = (str(error).splitlines() or [type(error).__name__])[0][:200]
            raise DseError(
                f"cannot write a checkpoint in {self._folder}: {first}; free some "
                "space or make the folder writable, then repeat the command"
            ) from error

    def restore(self, like: TrainState) -> tuple[TrainState, Progress] | None:
        """The newest state that can be read, in the form of `like`; None without."""
        for found in reversed(self._orbax.checkpoints):
            try:
                held: Any = self._orbax.load_checkpointables(found.step)
                leaves = [held["state"][name] for name in sorted(held["state"])]
                progress = _progress(bytes(held["progress"]["json"]))
                state: TrainState = jax.tree.unflatten(
                    jax.tree.structure(like), map(jax.numpy.asarray, leaves)
                )
            except (OSError, ValueError, KeyError) as error:
                self._drop(found.step, error)
                continue
            return state, progress
        return None

    def _drop(self, step: int, error: Exception) -> None:
        """Delete a torn checkpoint: the one before it serves, and is saved over."""
        first = (str(error).splitlines() or [type(error).__name__])[0][:200]
        path = self._folder / str(step)
        print(f"checkpoint {path} cannot be read: {first}", file=sys.stderr)
        shutil.rmtree(path, ignore_errors=True)
        self._orbax.reload()

    def close(self) -> None:
        """Wait for what is being written; nothing more once it was called."""
        if not self._closed:
            self._orbax.close()
        self._closed = True


def _progress(text: bytes) -> Progress:
    told = json.loads(text)
    return Progress(
        tuple(EpochEnded(**ended) for ended in told["ended"]),
        told["train_seconds"],
        told["epoch_seconds"],
    )
