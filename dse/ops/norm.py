"""Norms over channels; one form serves all devices."""

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float


def local_response_norm(
    x: Float[Array, "n h w c"], size: int, alpha: float, beta: float, k: float
) -> Float[Array, "n h w c"]:
    """Compute x / (k + alpha·Σx²)^beta, the sum over `size` channels around each.

    It is computed in float32 at least, whatever the type of `x`. The sum is one of
    shifted slices, which XLA fuses; a window reduction would be a pass of its own.
    """
    wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    before = (size - 1) // 2
    padded = jnp.pad(wide**2, ((0, 0), (0, 0), (0, 0), (before, size - 1 - before)))
    channels = x.shape[-1]
    total = sum(padded[..., i : i + channels] for i in range(size))
    return (wide * (k + alpha * total) ** -beta).astype(x.dtype)
