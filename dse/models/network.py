"""The one `nnx` module: it holds an architecture's parameters and interprets it."""

import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array
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

    def __init__(self, kernel: Float[Array, "k k c f"]) -> None:
        self.kernel = nnx.Param(kernel)
        self.bias = nnx.Param(jnp.zeros(kernel.shape[-1:], kernel.dtype))


class Network(nnx.Module):
    """An architecture with parameters.

    Args:
        architecture: the graph to interpret.
        rngs: its `params` stream initialises the kernels.
        operations: the numerics; by default the fastest known on this device.
    """

    def __init__(
        self,
        architecture: Architecture,
        rngs: nnx.Rngs,
        operations: Operations | None = None,
    ) -> None:
        self.architecture = architecture
        self.operations = operations or operations_for(jax.default_backend())
        kernels = initial_kernels(architecture, rngs.params())
        self.layers = nnx.Dict(
            {name: ConvolutionParameters(kernel) for name, kernel in kernels.items()}
        )

    def __call__(
        self, images: Float[Array, "n h w c"], dropout_key: Key[Array, ""] | None = None
    ) -> Float[Array, "n classes"]:
        """Class scores; dropout is applied when there is a key for it."""
        outputs = {INPUT: images}
        for index, layer in enumerate(self.architecture.layers):
            inputs = [outputs[name] for name in layer.inputs]
            key = (
                None if dropout_key is None else jax.random.fold_in(dropout_key, index)
            )
            outputs[layer.name] = self._run(layer, inputs, key)
        return outputs[self.architecture.layers[-1].name][:, 0, 0, :]

    def _run(self, layer: Layer, inputs: list[Array], key: Array | None) -> Array:
        x = inputs[0]
        match layer:
            case Convolution(stride=stride, padding=padding):
                held = self.layers[layer.name]
                return self.operations.convolution(
                    x, held.kernel[...], held.bias[...], stride=stride, padding=padding
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
            case Dropout(rate=rate):
                return x if key is None else _dropout(x, rate, key)
            case GlobalAverage():
                return jnp.mean(x, axis=(1, 2), keepdims=True)
            case _:
                raise TypeError(f"the network cannot run a {layer.kind!r} layer")


def _dropout(
    x: Float[Array, "n h w c"], rate: float, key: Key[Array, ""]
) -> Float[Array, "n h w c"]:
    keep = jax.random.bernoulli(key, 1 - rate, x.shape)
    return jnp.where(keep, x / (1 - rate), 0)


def initial_kernels(
    architecture: Architecture, key: Key[Array, ""]
) -> dict[str, Float[Array, "k k c f"]]:
    """The kernel of every convolution by name, each as its initialiser asks.

    All are cut from one draw: a draw a layer would take XLA longer to compile than
    the training step.
    """
    convolutions = [x for x in architecture.layers if isinstance(x, Convolution)]
    channels = {x.name: architecture.shapes[x.inputs[0]][2] for x in convolutions}
    sizes = [x.kernel**2 * channels[x.name] * x.filters for x in convolutions]
    uniform = jax.random.uniform(key, (sum(sizes),), minval=-1.0, maxval=1.0)
    kernels, start = {}, 0
    for layer, size in zip(convolutions, sizes, strict=True):
        shape = (layer.kernel, layer.kernel, channels[layer.name], layer.filters)
        drawn = uniform[start : start + size].reshape(shape)
        kernels[layer.name] = _scaled(drawn, layer.initializer, size // layer.filters)
        start += size
    return kernels


def _scaled(
    uniform: Float[Array, "k k c f"], initializer: Initializer, fan_in: int
) -> Float[Array, "k k c f"]:
    """Values from U(-1, 1) as `dse.arch.graph.Initializer` defines their spread."""
    match initializer:
        case "he":
            return math.sqrt(2 / fan_in) * _normal(uniform)
        case "xavier":
            return math.sqrt(3 / fan_in) * uniform
        case "gaussian":
            return 0.01 * _normal(uniform)


def _normal(uniform: Float[Array, "..."]) -> Float[Array, "..."]:
    """N(0, 1) from U(-1, 1), by the inverse of its distribution function."""
    inside = jnp.clip(uniform, -1 + 2**-23, 1 - 2**-23)
    return math.sqrt(2) * jax.lax.erf_inv(inside)


Parameters = nnx.State[Any, Any]
"""The module's parameters, as a JAX pytree."""

Weights = dict[str, dict[str, Any]]
"""Arrays by layer name, then `kernel` or `bias`."""


def weights_of(parameters: Parameters) -> Weights:
    """The parameters as plain dictionaries of arrays."""
    pure: Mapping[str, Any] = nnx.to_pure_dict(parameters)
    return {name: dict(arrays) for name, arrays in pure["layers"].items()}
