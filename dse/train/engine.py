"""Initialise, train a step, evaluate: pure functions of keys, compiled once a cell."""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax import Array
from jaxtyping import Float, Int, Key, UInt8

from dse.arch.graph import Architecture
from dse.data.augment import augment, normalise
from dse.models.network import Network, Parameters
from dse.train.recipe import Recipe


class Keys(NamedTuple):
    """A replicate's randomness, one stream a purpose.

    `order` and `augmentation` are shared between cells; `initialisation` and
    `dropout` are the architecture's own.
    """

    order: Key[Array, ""]
    augmentation: Key[Array, ""]
    initialisation: Key[Array, ""]
    dropout: Key[Array, ""]


class Normaliser(NamedTuple):
    """Per-channel mean and deviation of pixel values."""

    mean: Float[Array, " c"]
    deviation: Float[Array, " c"]


class Totals(NamedTuple):
    """Sums over images, on the device until an epoch ends."""

    loss: Float[Array, ""]
    correct: Float[Array, ""]


class TrainState(NamedTuple):
    """What a training step changes."""

    parameters: Parameters
    optimiser: optax.OptState
    totals: Totals
    step: Int[Array, ""]


class Batches(NamedTuple):
    """A part of the dataset on the device, as it is: uint8 pixels and labels."""

    pixels: UInt8[Array, "n h w c"]
    labels: Int[Array, " n"]


def replicate_keys(seed: int, replicate: int, architecture_id: str) -> Keys:
    """The streams of replicate `replicate` under sweep seed `seed`."""
    shared = jax.random.fold_in(jax.random.key(seed), replicate)
    own = jax.random.fold_in(shared, int(architecture_id[:8], 16))
    return Keys(*jax.random.split(shared, 2), *jax.random.split(own, 2))


def no_totals() -> Totals:
    """Totals of nothing."""
    return Totals(jnp.zeros(()), jnp.zeros(()))


def learning_rate(recipe: Recipe, steps: int) -> optax.Schedule:
    """η(t): linear from 0 to the peak in the warm-up, then linear to 0 at `steps`."""
    warmup = max(1, round(recipe.warmup_share * steps))
    rise = optax.linear_schedule(0.0, recipe.peak_learning_rate, warmup)
    fall = optax.linear_schedule(recipe.peak_learning_rate, 0.0, steps - warmup)
    return optax.join_schedules([rise, fall], [warmup])


def optimiser(recipe: Recipe, steps: int) -> optax.GradientTransformation:
    """Clip, add the decay, then descend with momentum (as Caffe does the last two)."""
    return optax.chain(
        optax.clip_by_global_norm(recipe.clip_norm)
        if recipe.clip_norm is not None
        else optax.identity(),
        optax.add_decayed_weights(recipe.weight_decay),
        optax.sgd(learning_rate(recipe, steps), momentum=recipe.momentum),
    )


@dataclass(frozen=True)
class Engine:
    """The pure functions of one architecture under one recipe.

    Attributes:
        architecture: the network.
        recipe: the recipe.
        steps_per_epoch: training steps in an epoch.
        batch_size: images in a step: the recipe's, or fewer when train is smaller.
    """

    architecture: Architecture
    recipe: Recipe
    steps_per_epoch: int
    batch_size: int

    @property
    def steps(self) -> int:
        """Training steps in all."""
        return self.steps_per_epoch * self.recipe.epochs

    def initialise(self, key: Key[Array, ""]) -> TrainState:
        """Fresh parameters and optimiser state."""
        network = Network(self.architecture, nnx.Rngs(params=key))
        parameters = nnx.state(network, nnx.Param)
        moments = optimiser(self.recipe, self.steps).init(parameters)
        return TrainState(parameters, moments, no_totals(), jnp.zeros((), jnp.int32))

    def epoch_order(
        self, key: Key[Array, ""], epoch: Int[Array, ""], images: int
    ) -> Int[Array, "steps batch"]:
        """Which of `images` train images each step of an epoch sees."""
        order = jax.random.permutation(jax.random.fold_in(key, epoch), images)
        seen = order[: self.steps_per_epoch * self.batch_size]
        return seen.reshape(self.steps_per_epoch, self.batch_size)

    def train_step(
        self,
        state: TrainState,
        train: Batches,
        order: Int[Array, "steps batch"],
        normaliser: Normaliser,
        augmentation_key: Key[Array, ""],
        dropout_key: Key[Array, ""],
    ) -> TrainState:
        """One step of SGD on the batch that `order` names for it."""
        chosen = order[state.step % self.steps_per_epoch]
        labels = train.labels[chosen]
        pixels = augment(
            train.pixels[chosen],
            jax.random.fold_in(augmentation_key, state.step),
            self.recipe.crop_padding or 0,
            bool(self.recipe.mirror),
        )
        images = normalise(pixels, *normaliser)
        key = jax.random.fold_in(dropout_key, state.step)

        def loss(parameters: Parameters) -> tuple[Array, Array]:
            scores = self._scores(parameters, images, key)
            losses = optax.softmax_cross_entropy_with_integer_labels(scores, labels)
            return losses.mean(), _correct(scores, labels)

        (mean_loss, correct), gradients = jax.value_and_grad(loss, has_aux=True)(
            state.parameters
        )
        updates, moments = optimiser(self.recipe, self.steps).update(
            gradients, state.optimiser, state.parameters
        )
        totals = Totals(
            state.totals.loss + self.batch_size * mean_loss,
            state.totals.correct + correct.sum(),
        )
        parameters = optax.apply_updates(state.parameters, updates)
        return TrainState(parameters, moments, totals, state.step + 1)

    def evaluate(
        self,
        parameters: Parameters,
        totals: Totals,
        part: Batches,
        chosen: Int[Array, " batch"],
        normaliser: Normaliser,
    ) -> Totals:
        """`totals` and those of the images `chosen`, where -1 stands for none."""
        counted = chosen >= 0
        labels = part.labels[chosen]
        images = normalise(part.pixels[chosen], *normaliser)
        scores = self._scores(parameters, images, None)
        losses = optax.softmax_cross_entropy_with_integer_labels(scores, labels)
        return Totals(
            totals.loss + jnp.sum(losses, where=counted),
            totals.correct + jnp.sum(_correct(scores, labels), where=counted),
        )

    def _scores(
        self, parameters: Parameters, images: Array, dropout_key: Array | None
    ) -> Float[Array, "n classes"]:
        network = nnx.eval_shape(lambda: Network(self.architecture, nnx.Rngs(0)))
        nnx.update(network, parameters)
        scores: Array = network(images, dropout_key)
        return scores


def _correct(
    scores: Float[Array, "n classes"], labels: Int[Array, " n"]
) -> Float[Array, " n"]:
    return (jnp.argmax(scores, axis=-1) == labels).astype(jnp.float32)


def evaluation_batches(
    positions: Int[np.ndarray, " n"], batch_size: int
) -> Int[np.ndarray, "batches batch"]:
    """`positions` in rows of `batch_size`, the last filled up with -1."""
    rows = -(-len(positions) // batch_size)
    filled = np.full(rows * batch_size, -1, np.int32)
    filled[: len(positions)] = positions
    return filled.reshape(rows, batch_size)
