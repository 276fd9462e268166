"""Weights of completed runs, as Orbax checkpoints beside the database."""

import datetime
import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dse.errors import DseError, first_line
from dse.runs.events import Done
from dse.store.place import Place

Weights = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Kept:
    """A stored artifact: its name within the artifact folder, and its hash."""

    path: str
    hash: str


def save_weights(place: Place, done: Done, begun: datetime.datetime) -> Kept:
    """Write a run's weights; those of the same run, begun then, are replaced.

    Raises:
        DseError: they cannot be written; no half of them is left.
    """
    from orbax.checkpoint import v1 as ocp

    # What it logs of a failed write is also in the error that it raises.
    logging.getLogger("absl").setLevel(logging.CRITICAL)
    path = place.weights_of(done.cell_id, done.replicate, begun)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        weights = {name: dict(arrays) for name, arrays in done.weights.items()}
        ocp.save(path.resolve(), weights, overwrite=True)
    except (OSError, ValueError) as error:
        place.delete_unfinished(done.cell_id, done.replicate, begun)
        raise DseError(
            f"cannot write the weights {path}: {_why(error)}; free "
            "some space or make the folder writable, then repeat the command"
        ) from error
    return Kept(path.name, weights_hash(done.weights))


def read_weights(place: Place, kept: Kept) -> Weights:
    """Read weights back.

    Raises:
        DseError: they are gone, or are not what was written.
    """
    from orbax.checkpoint import v1 as ocp

    path = place.find_weights(kept.path)
    if path is None:
        raise DseError(
            f"the weights {place.weights / kept.path} are gone; a database that was "
            "moved or copied needs its weights moved or copied along, or dse forget "
            "has the run trained again"
        )
    try:
        weights: Weights = ocp.load(path.resolve())
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
