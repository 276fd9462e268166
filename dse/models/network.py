"""The `nnx` module that holds an architecture's parameters and executes its graph."""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float, Key

from dse.arch.graph import INPUT, Architecture
from dse.arch.layer import Layer, Parameter
from dse.arch.layers import Dropout
from dse.arch.norms import BatchNorm
from dse.models.forward import FORWARD, dropped, normed_in_groups
from dse.ops import operations_for
from dse.ops.interface import Operations

Weights = Mapping[str, Mapping[str, Any]]
"""Arrays by layer name, then by parameter name; a JAX pytree."""


class Trained(NamedTuple):
    """What a network computes in training.

    Attributes:
        scores: those of the last layer.
        auxiliary: those of each auxiliary loss.
        statistics: sums of means and variances over groups of images, by batch norm.
    """

    scores: Float[Array, "n classes"]
    auxiliary: tuple[Float[Array, "n classes"], ...]
    statistics: Weights


class LayerArrays(nnx.Module):
    """The parameters and the running averages of one layer, by name."""

    def __init__(
        self, arrays: Mapping[str, ArrayLike], averages: Collection[str]
    ) -> None:
        self.names = tuple(arrays)
        for name, array in arrays.items():
            kind = nnx.BatchStat if name in averages else nnx.Param
            setattr(self, name, kind(jnp.asarray(array)))

    def arrays(self) -> dict[str, Array]:
        """The values by name."""
        return {name: getattr(self, name)[...] for name in self.names}


class Network(nnx.Module):
    """An architecture with parameters.

    Running averages of batch norms are needed for the call, not for `in_training`. By
    default `operations` are the fastest known for this device.
    """

    def __init__(
        self,
        architecture: Architecture,
        weights: Weights,
        operations: Operations | None = None,
    ) -> None:
        self.architecture = architecture
        self.operations = operations or operations_for(jax.default_backend())
        averages = architecture.statistics
        self.layers = nnx.Dict(
            {
                name: LayerArrays(weights[name], averages.get(name, ()))
                for name in architecture.parameters
            }
        )

    def __call__(self, images: Float[Array, "n h w c"]) -> Float[Array, "n classes"]:
        """Compute class scores, as in evaluation."""
        outputs = {INPUT: images.astype(self.operations.dtype)}
        for layer in self.architecture.layers:
            inputs = [outputs[name] for name in layer.inputs]
            outputs[layer.name] = self._run(layer, inputs)
        return _scores(outputs, self.architecture.layers[-1])

    def in_training(
        self, images: Float[Array, "n h w c"], dropout_keys: Key[Array, " n"]
    ) -> Trained:
        """Compute class scores as in training: with dropout, and norms over groups.

        Args:
            images: normalised images; whole groups of the batch norms.
            dropout_keys: a key for each image.
        """
        outputs = {INPUT: images.astype(self.operations.dtype)}
        statistics: dict[str, Mapping[str, Array]] = {}
        for index, layer in enumerate(self.architecture.layers):
            inputs = [outputs[name] for name in layer.inputs]
            if isinstance(layer, Dropout):
                keys = jax.vmap(jax.random.fold_in, (0, None))(dropout_keys, index)
                outputs[layer.name] = dropped(inputs[0], layer.rate, keys)
            elif isinstance(layer, BatchNorm):
                outputs[layer.name], statistics[layer.name] = normed_in_groups(
                    layer, inputs[0], self._arrays(layer)
                )
            else:
                outputs[layer.name] = self._run(layer, inputs)
        losses = self.architecture.auxiliary
        return Trained(
            _scores(outputs, self.architecture.layers[-1]),
            tuple(_scores(outputs, loss) for loss in losses),
            statistics,
        )

    def _run(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        return FORWARD[layer.kind](layer, inputs, self._arrays(layer), self.operations)

    def _arrays(self, layer: Layer) -> dict[str, Array]:
        """A layer's arrays; parameters of products in the type of the computation."""
        if layer.name not in self.layers:
            return {}
        arrays: dict[str, Array] = self.layers[layer.name].arrays()
        if isinstance(layer, BatchNorm):  # computed in float32, whatever it reads
            return arrays
        return {
            name: array.astype(self.operations.dtype) for name, array in arrays.items()
        }


def _scores(outputs: Mapping[str, Array], layer: Layer) -> Float[Array, "n classes"]:
    return outputs[layer.name][:, 0, 0, :].astype(jnp.float32)


def initial_weights(
    architecture: Architecture, key: Key[Array, ""]
) -> dict[str, dict[str, Float[np.ndarray, "..."]]]:
    """Draw initial parameters with their initialisers, layer by layer.

    The key seeds a NumPy generator, because JAX would compile a draw for every
    architecture.
    """
    generator = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    return {
        layer: {name: _drawn(generator, learnt[name]) for name in learnt}
        for layer, learnt in architecture.parameters.items()
    }


def initial_statistics(
    architecture: Architecture,
) -> dict[str, dict[str, Float[np.ndarray, " c"]]]:
    """The running averages before the first step: mean 0, variance 1."""
    return {
        layer: {
            name: np.full(array.shape, array.constant, np.float32)
            for name, array in kept.items()
        }
        for layer, kept in architecture.statistics.items()
    }


def _drawn(
    generator: np.random.Generator, parameter: Parameter
) -> Float[np.ndarray, "..."]:
    """Draw values from the distribution that `dse.arch.layer.Initializer` defines."""
    shape, fan_in = parameter.shape, math.prod(parameter.shape[:-1])
    match parameter.initializer:
        case None:
            return np.full(shape, parameter.constant, np.float32)
        case "he":
            deviation = math.sqrt(2 / fan_in)
        case "he_fan_out":
            deviation = math.sqrt(2 / (math.prod(shape[:-2]) * shape[-1]))
        case "gaussian":
            deviation = parameter.deviation
        case "xavier":
            unit = generator.random(shape, np.float32)
            return np.float32(math.sqrt(3 / fan_in)) * (2 * unit - 1)
    return np.float32(deviation) * generator.standard_normal(shape, np.float32)
