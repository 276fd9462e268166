"""Norms; one form serves all devices. They compute in float32, or the wider input."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float


def local_response_norm(
    x: Float[Array, "n h w c"], size: int, alpha: float, beta: float, k: float
) -> Float[Array, "n h w c"]:
    """Compute x / (k + alpha·Σx²)^beta, the sum over `size` channels around each.

    The sum is one of shifted slices, which XLA fuses; a window reduction would be a
    pass of its own.
    """
    wide = _wide(x)
    before = (size - 1) // 2
    padded = jnp.pad(wide**2, ((0, 0), (0, 0), (0, 0), (before, size - 1 - before)))
    channels = x.shape[-1]
    total = sum(padded[..., i : i + channels] for i in range(size))
    return (wide * (k + alpha * total) ** -beta).astype(x.dtype)


def normed(
    x: Float[Array, "n h w c"],
    mean: Float[Array, " c"],
    variance: Float[Array, " c"],
    scale: Float[Array, " c"],
    shift: Float[Array, " c"],
    epsilon: float,
) -> Float[Array, "n h w c"]:
    """Compute scale·(x - mean) / sqrt(variance + epsilon) + shift per channel."""
    factor = scale * jax.lax.rsqrt(variance + epsilon)
    return ((_wide(x) - mean) * factor + shift).astype(x.dtype)


def batch_norm(
    x: Float[Array, "n h w c"],
    scale: Float[Array, " c"],
    shift: Float[Array, " c"],
    group: int,
    epsilon: float,
) -> tuple[Float[Array, "n h w c"], Float[Array, "groups c"], Float[Array, "groups c"]]:
    """Norm each channel by its mean and variance over `group` images at a time.

    Returns:
        The output, and each group's mean and (biased) variance, which are not
        differentiated.
    """
    rows = _wide(x).reshape(x.shape[0] // group, -1, x.shape[3])
    output, mean, variance = _normed_rows(rows, scale, shift, epsilon)
    return output.reshape(x.shape).astype(x.dtype), mean, variance


def _wide(x: Array) -> Array:
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def _mean(rows: Float[Array, "g n c"]) -> Float[Array, "g c"]:
    return rows.mean(axis=1)


def _mean_product(
    one: Float[Array, "g n c"], other: Float[Array, "g n c"]
) -> Float[Array, "g c"]:
    """Mean of a product over the rows.

    XLA would make the product and its sum a batch of dot products, a channel each,
    which takes twenty times as long on CPUs. It does not see a product any more after a
    rounding to the precision that is there, which changes no value.
    """
    kind = np.finfo(one.dtype)
    product = jax.lax.reduce_precision(one * other, kind.nexp, kind.nmant)
    return _mean(product)


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def _normed_rows(
    rows: Float[Array, "g n c"],
    scale: Float[Array, " c"],
    shift: Float[Array, " c"],
    epsilon: float,
) -> tuple[Float[Array, "g n c"], Float[Array, "g c"], Float[Array, "g c"]]:
    return _forward(rows, scale, shift, epsilon)[0]


def _forward(
    rows: Float[Array, "g n c"],
    scale: Float[Array, " c"],
    shift: Float[Array, " c"],
    epsilon: float,
) -> tuple[tuple[Array, Array, Array], tuple[Array, Array, Array, Array]]:
    mean = _mean(rows)
    variance = _mean((rows - mean[:, None]) ** 2)
    inverse = jax.lax.rsqrt(variance + epsilon)
    factor = scale * inverse
    output = (rows - mean[:, None]) * factor[:, None] + shift
    return (output, mean, variance), (rows, mean, inverse, scale)


def _backward(
    epsilon: float,
    kept: tuple[Array, Array, Array, Array],
    gradients: tuple[Array, Array, Array],
) -> tuple[Array, Array, Array]:
    """Gradients by Ioffe and Szegedy 2015; those of the statistics are dropped."""
    rows, mean, inverse, scale = kept
    above = gradients[0]
    of_shift = _mean(above)
    of_scale = _mean_product(above, rows - mean[:, None]) * inverse
    # scale·inverse·(above - of_shift - normal·of_scale)
    factor = scale * inverse
    slope = factor * inverse * of_scale
    below = (above - of_shift[:, None]) * factor[:, None]
    below = below - (rows - mean[:, None]) * slope[:, None]
    count = rows.shape[1]
    return below, of_scale.sum(axis=0) * count, of_shift.sum(axis=0) * count


_normed_rows.defvjp(_forward, _backward)
