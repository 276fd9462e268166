"""Trained networks as tensors, from the files of runs and from arrays; without JAX."""

import numpy as np

from dse.arch.graph import Architecture
from dse.compress.container import MAGIC, Shapes, read_network
from dse.compress.tensors import Dense, Tensors
from dse.errors import DseError
from dse.runs.weights import Weights, parse_weights


def read_any(content: bytes, shapes: Shapes) -> Tensors:
    """Read the file of a run: compressed, or of plain weights.

    Raises:
        DseError: it is damaged, or of another network.
    """
    if content.startswith(MAGIC):
        return read_network(content, shapes)
    weights = parse_weights(content)
    if shapes_of(weights) != shapes:
        raise DseError("the weights of a run's parent are not of its network")
    return of_arrays(weights)


def arrays_of_file(content: bytes, architecture: Architecture) -> Weights:
    """Read the weights in the file of a run, as they predict.

    Raises:
        DseError: it is damaged, or a compressed network of another architecture.
    """
    if content.startswith(MAGIC):
        return to_arrays(read_network(content, network_shapes(architecture)))
    return parse_weights(content)


def network_shapes(architecture: Architecture) -> Shapes:
    """Axes of each array of a trained network, and of the pixels' normalisation."""
    predictor, channels = architecture.predictor, (architecture.input_shape[2],)
    shapes: dict[str, dict[str, tuple[int, ...]]] = {
        "input": {"mean": channels, "deviation": channels}
    }
    for held in (predictor.parameters, predictor.statistics):
        for layer, arrays in held.items():
            own = shapes.setdefault(layer, {})
            own.update({name: array.shape for name, array in arrays.items()})
    return shapes


def of_arrays(weights: Weights) -> Tensors:
    """Weights without a form of their own."""
    return {
        layer: {name: Dense(np.asarray(array, np.float32)) for name, array in x.items()}
        for layer, x in weights.items()
    }


def to_arrays(tensors: Tensors) -> dict[str, dict[str, np.ndarray]]:
    """Weights as they predict."""
    return {
        layer: {name: tensor.array() for name, tensor in named.items()}
        for layer, named in tensors.items()
    }


def shapes_of(weights: Weights) -> Shapes:
    """Axes of each array."""
    return {
        layer: {name: tuple(array.shape) for name, array in arrays.items()}
        for layer, arrays in weights.items()
    }
