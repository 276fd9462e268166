"""What each kind of layer computes: the one place beside its record."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Key

from dse.arch.layers import AveragePool, Convolution, Dense, MaxPool
from dse.ops.interface import Operations

Arrays = Mapping[str, Array]
"""A layer's parameters by name, in the type that is computed in."""


def _convolution(
    layer: Convolution, inputs: Sequence[Array], held: Arrays, operations: Operations
) -> Array:
    return operations.convolution(
        inputs[0],
        held["kernel"],
        held["bias"],
        stride=layer.stride,
        padding=layer.padding,
    )


def _dense(
    layer: Dense, inputs: Sequence[Array], held: Arrays, operations: Operations
) -> Array:
    flat = inputs[0].reshape(inputs[0].shape[0], -1)
    return (flat @ held["kernel"] + held["bias"])[:, None, None, :]


def _max_pool(
    layer: MaxPool, inputs: Sequence[Array], held: Arrays, operations: Operations
) -> Array:
    [x] = inputs
    around = layer.padding(x.shape[1]), layer.padding(x.shape[2])
    return operations.max_pool(x, layer.window, layer.stride, around)


def _average_pool(
    layer: AveragePool, inputs: Sequence[Array], held: Arrays, operations: Operations
) -> Array:
    [x] = inputs
    around = layer.padding(x.shape[1]), layer.padding(x.shape[2])
    return operations.average_pool(x, layer.window, layer.stride, around)


FORWARD: Mapping[str, Callable[[Any, Sequence[Array], Arrays, Operations], Array]] = {
    "convolution": _convolution,
    "dense": _dense,
    "max_pool": _max_pool,
    "average_pool": _average_pool,
    "relu": lambda layer, inputs, held, operations: jax.nn.relu(inputs[0]),
    "concat": lambda layer, inputs, held, operations: jnp.concatenate(inputs, axis=-1),
    "add": lambda layer, inputs, held, operations: sum(inputs[1:], start=inputs[0]),
    "dropout": lambda layer, inputs, held, operations: inputs[0],
    "global_average": lambda layer, inputs, held, operations: jnp.mean(
        inputs[0], axis=(1, 2), keepdims=True
    ),
}
"""By kind: the output, from the record, its inputs (NHWC) and its parameters."""


def dropped(
    x: Float[Array, "n h w c"], rate: float, keys: Key[Array, " n"]
) -> Float[Array, "n h w c"]:
    """Drop and scale up; an image's mask is its key's, whatever batch it is in."""

    def draw(key: Key[Array, ""]) -> Array:
        return jax.random.bernoulli(key, jnp.float32(1 - rate), x.shape[1:])

    return jnp.where(jax.vmap(draw)(keys), x / (1 - rate), 0)
