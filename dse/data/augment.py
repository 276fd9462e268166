"""Augmentation inside the compiled step: pad-and-crop and mirror, on uint8 batches."""

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Float, Int, Key, UInt8


def augment(
    images: UInt8[Array, "n h w c"], keys: Key[Array, " n"], padding: int, mirror: bool
) -> UInt8[Array, "n h w c"]:
    """Crop each image at random out of a black frame, and mirror every other one.

    Args:
        images: the batch.
        keys: randomness of each image.
        padding: pixels of frame on each side; 0 leaves the crop out.
        mirror: whether to mirror at random.
    """
    if padding == 0 and not mirror:
        return images
    n, height, width, _ = images.shape
    frame = ((0, 0), (padding, padding), (padding, padding), (0, 0))
    framed = jnp.pad(images, frame)
    corners, flips = jax.vmap(lambda key: _draw(key, padding))(keys)
    rows = corners[:, :1] + jnp.arange(height)
    columns = corners[:, 1:] + jnp.arange(width)
    if mirror:
        columns = jnp.where(flips[:, None], columns[:, ::-1], columns)
    batch = jnp.arange(n)[:, None, None]
    return framed[batch, rows[:, :, None], columns[:, None, :]]


def _draw(
    key: Key[Array, ""], padding: int
) -> tuple[Int[Array, " 2"], Bool[Array, ""]]:
    """One image's corner of the crop, and whether it is mirrored."""
    corner_key, mirror_key = jax.random.split(key)
    corner = jax.random.randint(corner_key, (2,), 0, 2 * padding + 1, jnp.int32)
    return corner, jax.random.bernoulli(mirror_key, jnp.float32(0.5))


def normalise(
    images: UInt8[Array, "n h w c"],
    mean: Float[Array, " c"],
    deviation: Float[Array, " c"],
) -> Float[Array, "n h w c"]:
    """Pixels less the mean, over the deviation of each channel."""
    return (images.astype(jnp.float32) - mean) / deviation
