"""Crop, mirror and normalise batches of uint8 images inside the compiled step."""

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Float, Int, Key, UInt8

Size = tuple[int, int]
"""Rows and columns of an image."""


def augment(
    images: UInt8[Array, "n h w c"],
    keys: Key[Array, " n"],
    padding: int,
    mirror: bool,
    size: Size,
) -> UInt8[Array, "n rows columns c"]:
    """Pad each image with a black frame, crop it at random and mirror it at random.

    Args:
        images: the batch.
        keys: one random key per image.
        padding: pixels of frame on each side.
        mirror: True to mirror an image with probability 1/2.
        size: rows and columns of the crop.
    """
    n, height, width, _ = images.shape
    if padding == 0 and not mirror and (height, width) == size:
        return images
    frame = ((0, 0), (padding, padding), (padding, padding), (0, 0))
    framed = jnp.pad(images, frame)
    room = height + 2 * padding - size[0], width + 2 * padding - size[1]
    corners, flips = jax.vmap(lambda key: _draw(key, room))(keys)
    rows = corners[:, :1] + jnp.arange(size[0])
    columns = corners[:, 1:] + jnp.arange(size[1])
    if mirror:
        columns = jnp.where(flips[:, None], columns[:, ::-1], columns)
    batch = jnp.arange(n)[:, None, None]
    return framed[batch, rows[:, :, None], columns[:, None, :]]


def _draw(key: Key[Array, ""], room: Size) -> tuple[Int[Array, " 2"], Bool[Array, ""]]:
    """Draw the corner of one image's crop, and True to mirror it."""
    corner_key, mirror_key = jax.random.split(key)
    most = room[0] + 1 if room[0] == room[1] else jnp.array(room) + 1
    corner = jax.random.randint(corner_key, (2,), 0, most, jnp.int32)
    return corner, jax.random.bernoulli(mirror_key, jnp.float32(0.5))


def centre(
    images: UInt8[Array, "n h w c"], size: Size
) -> UInt8[Array, "n rows columns c"]:
    """Crop each image to its centre, as evaluation does."""
    top, left = (images.shape[1] - size[0]) // 2, (images.shape[2] - size[1]) // 2
    return images[:, top : top + size[0], left : left + size[1]]


def normalise(
    images: UInt8[Array, "n h w c"],
    mean: Float[Array, " c"],
    deviation: Float[Array, " c"],
) -> Float[Array, "n h w c"]:
    """Subtract each channel's mean and divide by its deviation."""
    return (images.astype(jnp.float32) - mean) / deviation
