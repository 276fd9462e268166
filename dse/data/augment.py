"""Augmentation inside the compiled step: pad-and-crop and mirror, on uint8 batches."""

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Key, UInt8


def augment(
    images: UInt8[Array, "n h w c"], key: Key[Array, ""], padding: int, mirror: bool
) -> UInt8[Array, "n h w c"]:
    """Crop each image at random out of a black frame, and mirror every other one.

    Args:
        images: the batch.
        key: randomness of this batch.
        padding: pixels of frame on each side; 0 leaves the crop out.
        mirror: whether to mirror at random.
    """
    n, height, width, _ = images.shape
    rows_key, columns_key, mirror_key = jax.random.split(key, 3)
    frame = ((0, 0), (padding, padding), (padding, padding), (0, 0))
    framed = jnp.pad(images, frame)
    top, left = (
        jax.random.randint(k, (n, 1), 0, 2 * padding + 1)
        for k in (rows_key, columns_key)
    )
    rows = top + jnp.arange(height)
    columns = left + jnp.arange(width)
    if mirror:
        flip = jax.random.bernoulli(mirror_key, 0.5, (n, 1))
        columns = jnp.where(flip, columns[:, ::-1], columns)
    batch = jnp.arange(n)[:, None, None]
    return framed[batch, rows[:, :, None], columns[:, None, :]]


def normalise(
    images: UInt8[Array, "n h w c"],
    mean: Float[Array, " c"],
    deviation: Float[Array, " c"],
) -> Float[Array, "n h w c"]:
    """Pixels less the mean, over the deviation of each channel."""
    return (images.astype(jnp.float32) - mean) / deviation
