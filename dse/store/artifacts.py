"""Weights of completed runs, as Orbax checkpoints beside the database."""

import hashlib
import logging
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dse.errors import DseError, first_line
from dse.train.events import Done

Weights = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Kept:
    """A stored artifact: its path within the artifact folder, and its hash."""

    path: str
    hash: str


def save_weights(folder: Path, done: Done) -> Kept:
    """Write a run's weights; a checkpoint of the same run is replaced."""
    from orbax.checkpoint import v1 as ocp

    # What it logs of a failed write is also in the error that it raises.
    logging.getLogger("absl").setLevel(logging.CRITICAL)
    path = f"{done.cell_id}-{done.replicate}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        weights = {name: dict(arrays) for name, arrays in done.weights.items()}
        ocp.save((folder / path).resolve(), weights, overwrite=True)
    except (OSError, ValueError) as error:
        for unfinished in folder.glob(f"{path}.orbax-checkpoint-tmp*"):
            shutil.rmtree(unfinished, ignore_errors=True)
        raise DseError(
            f"cannot write the weights {folder / path}: {_why(error)}; free "
            "some space or make the folder writable, then repeat the command"
        ) from error
    return Kept(path, weights_hash(done.weights))


def read_weights(folder: Path, kept: Kept) -> Weights:
    """Read weights back.

    Raises:
        DseError: they are gone, or are not what was written.
    """
    from orbax.checkpoint import v1 as ocp

    path = (folder / kept.path).resolve()
    if not path.is_dir():
        raise DseError(f"the weights {path} are gone; repeat the sweep to make them")
    try:
        weights: Weights = ocp.load(path)
    except (OSError, ValueError) as error:
        raise DseError(f"the weights {path} cannot be read: {_why(error)}") from error
    if weights_hash(weights) != kept.hash:
        raise DseError(f"the weights {path} are not those that the run wrote")
    return weights


def _why(error: Exception) -> str:
    if "No space left on device" in str(error):
        return "no space left on device"
    return first_line(error)


def weights_hash(weights: Weights) -> str:
    """Hash over names and values, whatever the file format."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        for part in sorted(weights[name]):
            digest.update(f"{name}/{part}".encode())
            digest.update(np.ascontiguousarray(weights[name][part]).tobytes())
    return digest.hexdigest()
