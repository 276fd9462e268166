"""The one `nnx` module: it holds an architecture's parameters and interprets it."""

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

from dse.arch.graph import (
    INPUT,
    Add,
    Architecture,
    Concat,
    Convolution,
    Dropout,
    GlobalAverage,
    Initializer,
    Layer,
    MaxPool,
    Relu,
)
from dse.ops import operations_for
from dse.ops.interface import Operations


class ConvolutionParameters(nnx.Module):
    """Kernel (HWIO) and bias of one convolution."""

    def __init__(self, kernel: ArrayLike, bias: ArrayLike) -> None:
        self.kernel = nnx.Param(jnp.asarray(kernel))
        self.bias = nnx.Param(jnp.asarray(bias))


Weights = Mapping[str, Mapping[str, Any]]
"""Arrays by layer name, then `kernel` (HWIO) or `bias`; a JAX pytree."""


class Network(nnx.Module):
    """An architecture with parameters.

    Args:
        architecture: the graph to interpret.
        weights: a kernel and a bias for each of its convolutions.
        operations: the numerics; by default the fastest known on this device.
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
            {
                layer.name: ConvolutionParameters(**weights[layer.name])
                for layer in _convolutions(architecture)
            }
        )

    def __call__(
        self,
        images: Float[Array, "n h w c"],
        dropout_keys: Key[Array, " n"] | None = None,
    ) -> Float[Array, "n classes"]:
        """Class scores; dropout is applied when there are keys for it, one an image."""
        outputs = {INPUT: images.astype(self.operations.dtype)}
        for index, layer in enumerate(self.architecture.layers):
            inputs = [outputs[name] for name in layer.inputs]
            if isinstance(layer, Dropout) and dropout_keys is not None:
                keys = jax.vmap(jax.random.fold_in, (0, None))(dropout_keys, index)
                outputs[layer.name] = _dropout(inputs[0], layer.rate, keys)
            else:
                outputs[layer.name] = self._run(layer, inputs)
        scores = outputs[self.architecture.layers[-1].name][:, 0, 0, :]
        return scores.astype(jnp.float32)

    def _run(self, layer: Layer, inputs: list[Array]) -> Array:
        x = inputs[0]
        match layer:
            case Convolution(stride=stride, padding=padding):
                held = self.layers[layer.name]
                kernel, bias = (
                    part[...].astype(self.operations.dtype)
                    for part in (held.kernel, held.bias)
                )
                return self.operations.convolution(
                    x, kernel, bias, stride=stride, padding=padding
                )
            case MaxPool(window=window, stride=stride):
                around = layer.padding(x.shape[1]), layer.padding(x.shape[2])
                return self.operations.max_pool(x, window, stride, around)
            case Relu():
                return jax.nn.relu(x)
            case Concat():
                return jnp.concatenate(inputs, axis=-1)
            case Add():
                return sum(inputs[1:], start=x)
            case Dropout():
                return x
            case GlobalAverage():
                return jnp.mean(x, axis=(1, 2), keepdims=True)
            case _:
                raise TypeError(f"the network cannot run a {layer.kind!r} layer")


def _dropout(
    x: Float[Array, "n h w c"], rate: float, keys: Key[Array, " n"]
) -> Float[Array, "n h w c"]:
    """Drop and scale up; an image's mask is its key's, whatever batch it is in."""

    def draw(key: Key[Array, ""]) -> Array:
        return jax.random.bernoulli(key, jnp.float32(1 - rate), x.shape[1:])

    return jnp.where(jax.vmap(draw)(keys), x / (1 - rate), 0)


def _convolutions(architecture: Architecture) -> list[Convolution]:
    return [x for x in architecture.layers if isinstance(x, Convolution)]


def initial_weights(
    architecture: Architecture, key: Key[Array, ""]
) -> dict[str, dict[str, Float[np.ndarray, "..."]]]:
    """Kernels as their initialisers ask, biases zero.

    The key seeds a generator of NumPy's: a draw by JAX would be compiled for every
    architecture.
    """
    generator = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    shapes = weight_shapes(architecture)
    return {
        layer.name: {
            "kernel": _drawn(
                generator, shapes[layer.name]["kernel"], layer.initializer
            ),
            "bias": np.zeros(layer.filters, np.float32),
        }
        for layer in _convolutions(architecture)
    }


def weight_shapes(architecture: Architecture) -> dict[str, dict[str, tuple[int, ...]]]:
    """The shapes of `Weights`."""
    return {
        layer.name: {
            "kernel": (
                layer.kernel,
                layer.kernel,
                architecture.shapes[layer.inputs[0]][2],
                layer.filters,
            ),
            "bias": (layer.filters,),
        }
        for layer in _convolutions(architecture)
    }


def _drawn(
    generator: np.random.Generator, shape: tuple[int, ...], initializer: Initializer
) -> Float[np.ndarray, "k k c f"]:
    """Values with the spread that `dse.arch.graph.Initializer` defines."""
    fan_in = math.prod(shape[:3])
    match initializer:
        case "he":
            deviation = math.sqrt(2 / fan_in)
        case "gaussian":
            deviation = 0.01
        case "xavier":
            unit = generator.random(shape, np.float32)
            return np.float32(math.sqrt(3 / fan_in)) * (2 * unit - 1)
    return np.float32(deviation) * generator.standard_normal(shape, np.float32)
