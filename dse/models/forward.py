"""The forward function of each kind of layer; `dse.arch.layers` has the records."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Key

from dse.arch.layers import Convolution, Dense, Subsample
from dse.arch.norms import BatchNorm
from dse.arch.pools import AveragePool, MaxPool
from dse.ops.interface import Operations
from dse.ops.norm import batch_norm, local_response_norm, normed

Arrays = Mapping[str, Array]
"""A layer's parameters by name, in the type of the computation."""


def _convolution(
    layer: Convolution, inputs: Sequence[Array], held: Arrays, operations: Operations
) -> Array:
    return operations.convolution(
        inputs[0],
        held["kernel"],
        held.get("bias"),
        stride=layer.stride,
        padding=layer.padding,
        groups=layer.groups,
    )


def _dense(
    layer: Dense, inputs: Sequence[Array], held: Arrays, operations: Operations
) -> Array:
    flat = inputs[0].reshape(inputs[0].shape[0], -1)
    return (flat @ held["kernel"] + held["bias"])[:, None, None, :]


def _pool(
    layer: MaxPool | AveragePool,
    inputs: Sequence[Array],
    held: Arrays,
    operations: Operations,
) -> Array:
    [x] = inputs
    around = layer.padding(x.shape[1]), layer.padding(x.shape[2])
    is_max = isinstance(layer, MaxPool)
    pool = operations.max_pool if is_max else operations.average_pool
    return pool(x, layer.window, layer.stride, around)


def _subsample(
    layer: Subsample, inputs: Sequence[Array], held: Arrays, operations: Operations
) -> Array:
    kept = inputs[0][:, :: layer.stride, :: layer.stride]
    zeros = layer.channels - kept.shape[-1]
    return jnp.pad(kept, ((0, 0), (0, 0), (0, 0), (0, zeros)))


def _batch_norm(
    layer: BatchNorm, inputs: Sequence[Array], held: Arrays, operations: Operations
) -> Array:
    return normed(
        inputs[0],
        held["mean"],
        held["variance"],
        held["scale"],
        held["shift"],
        layer.epsilon,
    )


FORWARD: Mapping[str, Callable[[Any, Sequence[Array], Arrays, Operations], Array]] = {
    "convolution": _convolution,
    "dense": _dense,
    "max_pool": _pool,
    "average_pool": _pool,
    "local_response_norm": lambda layer, inputs, held, operations: local_response_norm(
        inputs[0], layer.size, layer.alpha, layer.beta, layer.k
    ),
    "batch_norm": _batch_norm,
    "relu": lambda layer, inputs, held, operations: jax.nn.relu(inputs[0]),
    "concat": lambda layer, inputs, held, operations: jnp.concatenate(inputs, axis=-1),
    "add": lambda layer, inputs, held, operations: sum(inputs[1:], start=inputs[0]),
    "subsample": _subsample,
    "auxiliary_loss": lambda layer, inputs, held, operations: inputs[0],
    "dropout": lambda layer, inputs, held, operations: inputs[0],
    "global_average": lambda layer, inputs, held, operations: jnp.mean(
        inputs[0], axis=(1, 2), keepdims=True
    ),
}
"""Forward functions in evaluation, by kind; inputs and outputs are NHWC."""


def normed_in_groups(
    layer: BatchNorm, x: Float[Array, "n h w c"], held: Arrays
) -> tuple[Float[Array, "n h w c"], dict[str, Float[Array, " c"]]]:
    """Apply a batch norm as in training.

    Returns:
        The output, and the sums over groups of their means and unbiased variances.
    """
    output, mean, variance = batch_norm(
        x, held["scale"], held["shift"], layer.group, layer.epsilon
    )
    values = layer.group * x.shape[1] * x.shape[2]
    unbiased = variance * (values / (values - 1))
    return output, {"mean": mean.sum(axis=0), "variance": unbiased.sum(axis=0)}


def dropped(
    x: Float[Array, "n h w c"], rate: float, keys: Key[Array, " n"]
) -> Float[Array, "n h w c"]:
    """Apply dropout with a mask per image, which depends on the image's key alone."""

    def draw(key: Key[Array, ""]) -> Array:
        return jax.random.bernoulli(key, jnp.float32(1 - rate), x.shape[1:])

    return jnp.where(jax.vmap(draw)(keys), x / (1 - rate), 0)
