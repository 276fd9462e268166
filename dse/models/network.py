"""The `nnx` module that holds an architecture's parameters and executes its graph."""

import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float, Key

from dse.arch.graph import INPUT, Architecture
from dse.arch.layer import Parameter
from dse.arch.layers import Dropout
from dse.models.forward import FORWARD, dropped
from dse.ops import operations_for
from dse.ops.interface import Operations

Weights = Mapping[str, Mapping[str, Any]]
"""Arrays by layer name, then by parameter name; a JAX pytree."""


class LayerParameters(nnx.Module):
    """The parameters of one layer, by name."""

    def __init__(self, arrays: Mapping[str, ArrayLike]) -> None:
        for name, array in arrays.items():
            setattr(self, name, nnx.Param(jnp.asarray(array)))


class Network(nnx.Module):
    """An architecture with parameters.

    By default `operations` are the fastest known for this device.
    """

    def __init__(
        self,
        architecture: Architecture,
        weights: Weights,
        operations: Operations | None = None,
    ) -> None:
        self.architecture = architecture
        self.operations = operations or operations_for(jax.default_backend())
        self.layers = nnx.Dict(
            {name: LayerParameters(weights[name]) for name in architecture.parameters}
        )

    def __call__(
        self,
        images: Float[Array, "n h w c"],
        dropout_keys: Key[Array, " n"] | None = None,
    ) -> Float[Array, "n classes"]:
        """Compute class scores, with dropout if there is a dropout key per image."""
        outputs = {INPUT: images.astype(self.operations.dtype)}
        for index, layer in enumerate(self.architecture.layers):
            inputs = [outputs[name] for name in layer.inputs]
            if isinstance(layer, Dropout) and dropout_keys is not None:
                keys = jax.vmap(jax.random.fold_in, (0, None))(dropout_keys, index)
                outputs[layer.name] = dropped(inputs[0], layer.rate, keys)
            else:
                held, run = self._held(layer.name), FORWARD[layer.kind]
                outputs[layer.name] = run(layer, inputs, held, self.operations)
        scores = outputs[self.architecture.layers[-1].name][:, 0, 0, :]
        return scores.astype(jnp.float32)

    def _held(self, layer: str) -> dict[str, Array]:
        """A layer's parameters in the type of the computation."""
        return {
            name: getattr(self.layers[layer], name)[...].astype(self.operations.dtype)
            for name in self.architecture.parameters.get(layer, ())
        }


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


def weight_shapes(architecture: Architecture) -> dict[str, dict[str, tuple[int, ...]]]:
    """Shapes of the arrays in `Weights`."""
    return {
        layer: {name: parameter.shape for name, parameter in learnt.items()}
        for layer, learnt in architecture.parameters.items()
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
        case "gaussian":
            deviation = parameter.deviation
        case "xavier":
            unit = generator.random(shape, np.float32)
            return np.float32(math.sqrt(3 / fan_in)) * (2 * unit - 1)
    return np.float32(deviation) * generator.standard_normal(shape, np.float32)
