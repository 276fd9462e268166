"""Read the weights of completed runs: one file each, or a folder in older versions."""

from pathlib import Path

from dse.arch.graph import Architecture
from dse.compress.networks import arrays_of_file
from dse.errors import DseError, first_line
from dse.runs.events import Kept
from dse.runs.weights import Weights, weights_file, weights_hash
from dse.store.place import Place


def read_weights(place: Place, kept: Kept, architecture: Architecture) -> Weights:
    """Read a run's weights and check their hash.

    Raises:
        DseError: they are gone, cannot be read, or are not what was written.
    """
    content = read_content(place, kept)
    path = place.weights / kept.path
    try:
        weights = arrays_of_file(content, architecture)
    except DseError as error:
        raise DseError(f"the weights {path} cannot be read: {error}") from error
    if weights_hash(weights) != kept.hash:
        raise DseError(f"the weights {path} are not those that the run wrote")
    return weights


def read_content(place: Place, kept: Kept) -> bytes:
    """Read the file of a run's weights: plain ones, or a compressed network.

    Raises:
        DseError: it is gone, or cannot be read.
    """
    path = place.find_weights(kept.path)
    if path is None:
        raise DseError(
            f"the weights {place.weights / kept.path} are gone; a database that was "
            "moved or copied needs its weights moved or copied along, or dse forget "
            "has the run trained again"
        )
    if not path.is_file():
        return weights_file(_of_folder(path))
    try:
        return path.read_bytes()
    except OSError as error:
        raise DseError(
            f"the weights {path} cannot be read: {first_line(error)}"
        ) from error


def _of_folder(path: Path) -> Weights:
    """Read weights from an Orbax checkpoint, the format of older versions."""
    from orbax.checkpoint import v1 as ocp

    try:
        weights: Weights = ocp.load(path.resolve())
    except (OSError, ValueError) as error:
        raise DseError(
            f"the weights {path} cannot be read: {first_line(error)}"
        ) from error
    return weights
