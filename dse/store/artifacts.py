"""Read the weights of completed runs: one file each, or a folder in older versions."""

from pathlib import Path

from dse.errors import DseError, first_line
from dse.runs.events import Kept
from dse.runs.weights import Weights, read_file, weights_hash
from dse.store.place import Place


def read_weights(place: Place, kept: Kept) -> Weights:
    """Read a run's weights and check their hash.

    Raises:
        DseError: they are gone, cannot be read, or are not what was written.
    """
    path = place.find_weights(kept.path)
    if path is None:
        raise DseError(
            f"the weights {place.weights / kept.path} are gone; a database that was "
            "moved or copied needs its weights moved or copied along, or dse forget "
            "has the run trained again"
        )
    weights = read_file(path) if path.is_file() else _of_folder(path)
    if weights_hash(weights) != kept.hash:
        raise DseError(f"the weights {path} are not those that the run wrote")
    return weights


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
