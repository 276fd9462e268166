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
        groups: number of the group that each parameter belongs to, in a stage in which
            weights share values; None in others.
    """

    keys: Keys
    normaliser: Normaliser
    train: Int[Array, " t"]
    groups: Int[Array, " parameters"] | None = None


class Totals(NamedTuple):
    """Sums of loss and of correct answers over images."""

    loss: Float[Array, ""]
    correct: Float[Array, ""]


class Scores(NamedTuple):
    """Sums over images that are evaluated.

    `correct5` counts answers among the five likeliest; it stays 0 where these are not
    reported (`dse.train.scores`).
    """

    loss: Float[Array, ""]
    correct: Float[Array, ""]
    correct5: Float[Array, ""]


class Sums(NamedTuple):
    """Sums over images of a batch.

    Attributes:
        totals: loss and correct answers.
        gradients: those of the parameters.
        statistics: means and variances of batch norms, over the groups of images.
    """

    totals: Totals
    gradients: Weights
    statistics: Weights


class TrainState(NamedTuple):
    """The values that a training step changes.

    Attributes:
        parameters: what the gradients move.
        optimiser: the momentum, and the count of steps.
        totals: sums over the current epoch.
        step: steps taken.
        statistics: running means and variances of batch norms, by layer.
    """

    parameters: Weights
    optimiser: optax.OptState
    totals: Totals
    step: Int[Array, ""]
    statistics: Weights

    @property
    def weights(self) -> Weights:
        """Parameters and statistics by layer, as a network takes them."""
        parameters, statistics = self.parameters, self.statistics
        return {
            layer: {**parameters.get(layer, {}), **statistics.get(layer, {})}
            for layer in sorted({*parameters, *statistics})
        }


class Batches(NamedTuple):
    """Images on the device, as uint8 pixels and labels; a label of -1 marks none."""

    pixels: UInt8[Array, "n h w c"]
    labels: Int[Array, " n"]

    def chosen(self, positions: Int[Array, " b"]) -> "Batches":
        """Select images by position."""
        return Batches(self.pixels[positions], self.labels[positions])

    def chosen_or_none(self, positions: Int[Array, " b"]) -> "Batches":
        """Select images by position, where -1 gives a place without an image."""
        pixels, labels = self.chosen(positions)
        return Batches(pixels, jnp.where(positions < 0, -1, labels))


def replicate_keys(seed: int, replicate: int, architecture_id: str) -> Keys:
    """Make the random streams of a replicate under a sweep seed."""
    shared = jax.random.fold_in(jax.random.key(seed), replicate)
    own = jax.random.fold_in(shared, int(architecture_id[:8], 16))
    return Keys(*jax.random.split(shared, 2), *jax.random.split(own, 2))


def no_totals() -> Totals:
    """Totals over no images."""
    return Totals(jnp.zeros(()), jnp.zeros(()))


def no_scores() -> Scores:
    """Scores of no images."""
    return Scores(jnp.zeros(()), jnp.zeros(()), jnp.zeros(()))


def sums_to_overwrite(state: TrainState) -> Sums:
    """Memory for the sums of a step's parts; the first part overwrites it."""
    sums: Sums = jax.tree.map(
        lambda leaf: jnp.asarray(np.zeros(leaf.shape, leaf.dtype)),
        Sums(no_totals(), state.parameters, state.statistics),
    )
    return sums


def add_sums(sums: Sums, more: Sums, part: Int[Array, ""]) -> Sums:
    """Add the sums of one more part of a batch; part 0 starts from zero."""
    added: Sums = jax.tree.map(lambda a, b: jnp.where(part == 0, 0, a) + b, sums, more)
    return added
