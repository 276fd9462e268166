"""Values of a training on the device: keys, images, sums and the training state."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from jaxtyping import Float, Int, Key, UInt8

from dse.models.network import Weights


class Keys(NamedTuple):
    """A replicate's random streams.

    Cells share `order` and `augmentation`; each architecture has its own
    `initialisation` and `dropout`.
    """

    order: Key[Array, ""]
    augmentation: Key[Array, ""]
    initialisation: Key[Array, ""]
    dropout: Key[Array, ""]


class Normaliser(NamedTuple):
    """Per-channel mean and deviation of pixel values."""

    mean: Float[Array, " c"]
    deviation: Float[Array, " c"]


class Replicate(NamedTuple):
    """Inputs of one replicate's training.

    Attributes:
        keys: its random streams.
        normaliser: mean and deviation of its train images.
        train: positions of its train images.
    """

    keys: Keys
    normaliser: Normaliser
    train: Int[Array, " t"]


EvaluationRows = Int[np.ndarray, "_ batch"]
"""Positions of images in batches; -1 fills up a batch."""


class Totals(NamedTuple):
    """Sums of loss and of correct answers over images."""

    loss: Float[Array, ""]
    correct: Float[Array, ""]


class Sums(NamedTuple):
    """Sums of loss, correct answers and gradients over images of a batch."""

    totals: Totals
    gradients: Weights


class TrainState(NamedTuple):
    """Parameters, momentum and sums that a training step changes."""

    parameters: Weights
    optimiser: optax.OptState
    totals: Totals
    step: Int[Array, ""]


class Batches(NamedTuple):
    """A part of the dataset on the device, as uint8 pixels and labels."""

    pixels: UInt8[Array, "n h w c"]
    labels: Int[Array, " n"]


def replicate_keys(seed: int, replicate: int, architecture_id: str) -> Keys:
    """Make the random streams of a replicate under a sweep seed."""
    shared = jax.random.fold_in(jax.random.key(seed), replicate)
    own = jax.random.fold_in(shared, int(architecture_id[:8], 16))
    return Keys(*jax.random.split(shared, 2), *jax.random.split(own, 2))


def no_totals() -> Totals:
    """Totals over no images."""
    return Totals(jnp.zeros(()), jnp.zeros(()))


def add_sums(sums: Sums, more: Sums, part: Int[Array, ""]) -> Sums:
    """Add the sums of one more part of a batch; part 0 starts from zero."""
    added: Sums = jax.tree.map(lambda a, b: jnp.where(part == 0, 0, a) + b, sums, more)
    return added
