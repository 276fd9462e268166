"""The weights of a run as one file, written where it was trained."""

import datetime
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from dse.errors import DseError, first_line
from dse.files import write_whole
from dse.runs.events import Done, Kept
from dse.runs.paths import COMPRESSED, PLAIN, weights_of

Weights = Mapping[str, Mapping[str, Any]]
"""NumPy arrays by layer, then by parameter name; `input` normalises the pixels."""


@dataclass(frozen=True)
class Keeper:
    """Storage of the weights of runs that end in this process.

    Attributes:
        folder: folder of the database's files; None to send weights to the driver, on a
            machine without it.
        keeps: True if weights are kept at all.
    """

    folder: Path | None
    keeps: bool = True

    def keep(self, done: Done, begun: datetime.datetime) -> Done:
        """Move a result's weights to a file, or drop them if none are kept.

        Raises:
            DseError: they cannot be written; no partial file is left.
        """
        if not self.keeps:
            return replace(done, weights={}, network=None)
        if self.folder is None:
            return done
        kept = save_weights(self.folder, done, begun)
        return replace(done, weights={}, network=None, kept=kept)


def save_weights(folder: Path, done: Done, begun: datetime.datetime) -> Kept:
    """Write the weights of a run to a file under the folder of the database's files.

    A compressed network has a file of its own form.

    The time `begun`, the start of the run, makes the file's name unique.

    Raises:
        DseError: they cannot be written; no partial file is left.
    """
    form = PLAIN if done.network is None else COMPRESSED
    file = weights_of(folder, done.cell_id, done.replicate, begun, form)
    content = done.network or weights_file(done.weights)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, lambda opened: opened.write(content))
    except OSError as error:
        raise DseError(
            f"cannot write the weights {file}: {error.strerror or error}; free some "
            "space or make the folder writable, then repeat the command"
        ) from error
    return Kept(file.name, weights_hash(done.weights))


def weights_file(weights: Weights) -> bytes:
    """Content of a file of plain weights, in the format safetensors."""
    flat = {
        f"{layer}/{name}": np.ascontiguousarray(array)
        for layer, arrays in weights.items()
        for name, array in arrays.items()
    }
    return save(flat)


def parse_weights(content: bytes) -> Weights:
    """Read what `weights_file` wrote.

    Raises:
        DseError: it has another format.
    """
    try:
        flat = load(content)
    except (SafetensorError, ValueError) as error:
        raise DseError(first_line(error)) from error
    weights: dict[str, dict[str, Any]] = {}
    for key, array in flat.items():
        layer, _, name = key.rpartition("/")
        weights.setdefault(layer, {})[name] = array
    return weights


def read_file(file: Path) -> Weights:
    """Read plain weights that `save_weights` wrote.

    Raises:
        DseError: the file cannot be read, or has another format.
    """
    try:
        return parse_weights(file.read_bytes())
    except (OSError, DseError) as error:
        raise DseError(
            f"the weights {file} cannot be read: {first_line(error)}"
        ) from error


def weights_hash(weights: Weights) -> str:
    """Hash of names and values, independent of the file format."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        for part in sorted(weights[name]):
            digest.update(f"{name}/{part}".encode())
            digest.update(np.ascontiguousarray(weights[name][part]).tobytes())
    return digest.hexdigest()
