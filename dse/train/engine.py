"""Initialise, train a step, evaluate: pure functions of keys, compiled once a cell."""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from jaxtyping import Float, Int, Key, UInt8

from dse.arch.graph import Architecture
from dse.models.network import Network, Weights, initial_weights
from dse.ops.interface import Operations
from dse.runs.recipe import Recipe
from dse.train.augment import augment, centre, normalise


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


class Replicate(NamedTuple):
    """What one replicate trains with.

    Attributes:
        keys: its randomness.
        normaliser: of the pixels, from its train images.
        train: positions of its train images.
    """

    keys: Keys
    normaliser: Normaliser
    train: Int[Array, " t"]


EvaluationRows = Int[np.ndarray, "_ batch"]
"""Positions of images, in batches, -1 for none."""


class Totals(NamedTuple):
    """Sums over images, on the device until an epoch ends."""

    loss: Float[Array, ""]
    correct: Float[Array, ""]


class Sums(NamedTuple):
    """Sums over some images of a batch: loss, correct answers, gradients."""

    totals: Totals
    gradients: Weights


class TrainState(NamedTuple):
    """What a training step changes."""

    parameters: Weights
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
    """η(t): linear from 0 to the peak in the warm-up, then down to 0 at `steps`."""
    warmup = max(1, round(recipe.warmup_share * steps))
    peak, left = recipe.peak_learning_rate, steps - warmup
    rise = optax.linear_schedule(0.0, peak, warmup)
    fall = (
        optax.cosine_decay_schedule(peak, max(1, left))
        if recipe.schedule == "cosine"
        else optax.linear_schedule(peak, 0.0, left)
    )
    return optax.join_schedules([rise, fall], [warmup])


def optimiser(recipe: Recipe, steps: int) -> optax.GradientTransformation:
    """Clip, add the decay, then descend with momentum (as Caffe does the last two).

    It works on all parameters as one vector: an update for each would make a quarter
    of what there is to compile.
    """
    return optax.flatten(
        optax.chain(
            optax.clip_by_global_norm(recipe.clip_norm)
            if recipe.clip_norm is not None
            else optax.identity(),
            optax.add_decayed_weights(recipe.weight_decay),
            optax.sgd(learning_rate(recipe, steps), momentum=recipe.momentum),
        )
    )


def epoch_order(
    key: Key[Array, ""],
    epoch: Int[Array, ""],
    train: Int[Array, " t"],
    *,
    steps: int,
    batch_size: int,
) -> Int[Array, "steps batch"]:
    """Which images each step of an epoch sees, whole batches only."""
    order = jax.random.permutation(jax.random.fold_in(key, epoch), train)
    return order[: steps * batch_size].reshape(steps, batch_size)


@dataclass(frozen=True)
class Engine:
    """The pure functions of one architecture under one recipe.

    Attributes:
        architecture: the network.
        recipe: the recipe.
        steps_per_epoch: training steps in an epoch.
        batch_size: images in a step: the recipe's, or fewer when train is smaller.
        operations: the numerics.
    """

    architecture: Architecture
    recipe: Recipe
    steps_per_epoch: int
    batch_size: int
    operations: Operations

    @property
    def steps(self) -> int:
        """Training steps in all."""
        return self.recipe.steps or self.steps_per_epoch * self.recipe.epochs

    def initialise(self, key: Key[Array, ""]) -> TrainState:
        """Fresh parameters; momentum and counters at zero."""
        weights = initial_weights(self.architecture, key)
        moments = jax.tree.map(
            lambda leaf: np.zeros(leaf.shape, leaf.dtype),
            jax.eval_shape(optimiser(self.recipe, self.steps).init, weights),
        )
        return TrainState(
            jax.tree.map(jnp.asarray, weights),
            jax.tree.map(jnp.asarray, moments),
            no_totals(),
            jnp.zeros((), jnp.int32),
        )

    def train_step(
        self,
        state: TrainState,
        images: Batches,
        order: Int[Array, "steps batch"],
        replicate: Replicate,
    ) -> TrainState:
        """One step of SGD on the images that `order` names for it."""
        places = jnp.arange(self.batch_size)
        chosen = order[state.step % self.steps_per_epoch]
        sums = self.sums(
            state.parameters, state.step, images, chosen, places, replicate
        )
        return self.descend(state, sums)

    def add_part(
        self,
        sums: Sums,
        parameters: Weights,
        step: Int[Array, ""],
        images: Batches,
        order: Int[Array, "steps batch"],
        part: Int[Array, ""],
        replicate: Replicate,
        *,
        size: int,
    ) -> Sums:
        """`sums` and those of part number `part` of a step's batch, `size` images.

        Part 0 begins anew, whatever `sums` holds.
        """
        places = part * size + jnp.arange(size)
        chosen = order[step % self.steps_per_epoch, places]
        more = self.sums(parameters, step, images, chosen, places, replicate)
        return add_sums(sums, more, part)

    def sums(
        self,
        parameters: Weights,
        step: Int[Array, ""],
        images: Batches,
        chosen: Int[Array, " n"],
        places: Int[Array, " n"],
        replicate: Replicate,
    ) -> Sums:
        """Loss, correct answers and gradients, summed over the images `chosen`.

        An image is augmented, and dropout is drawn, by the step and by its place in
        the batch, whatever else is in the batch.
        """
        labels = images.labels[chosen]
        pixels = augment(
            images.pixels[chosen],
            _image_keys(replicate.keys.augmentation, step, places),
            self.recipe.crop_padding or 0,
            bool(self.recipe.mirror),
            self.architecture.input_shape[:2],
        )
        normal = normalise(pixels, *replicate.normaliser)
        dropout_keys = _image_keys(replicate.keys.dropout, step, places)

        def loss(parameters: Weights) -> tuple[Array, Array]:
            scores = self._scores(parameters, normal, dropout_keys)
            losses = cross_entropy(scores, labels, self.recipe.label_smoothing)
            return losses.sum(), _correct(scores, labels).sum()

        values, gradients = jax.value_and_grad(loss, has_aux=True)(parameters)
        return Sums(Totals(*values), gradients)

    def descend(self, state: TrainState, sums: Sums) -> TrainState:
        """Move the parameters by the mean gradient of a batch."""
        mean = jax.tree.map(lambda total: total / self.batch_size, sums.gradients)
        updates, moments = optimiser(self.recipe, self.steps).update(
            mean, state.optimiser, state.parameters
        )
        parameters = optax.apply_updates(state.parameters, updates)
        totals = jax.tree.map(jnp.add, state.totals, sums.totals)
        return TrainState(parameters, moments, totals, state.step + 1)

    def evaluate(
        self,
        parameters: Weights,
        totals: Totals,
        images: Batches,
        chosen: Int[Array, " batch"],
        normaliser: Normaliser,
    ) -> Totals:
        """`totals` and those of the images `chosen`, where -1 stands for none."""
        counted = chosen >= 0
        labels = images.labels[chosen]
        scores = self.class_scores(parameters, images.pixels[chosen], normaliser)
        losses = optax.softmax_cross_entropy_with_integer_labels(scores, labels)
        return Totals(
            totals.loss + jnp.sum(losses, where=counted),
            totals.correct + jnp.sum(_correct(scores, labels), where=counted),
        )

    def class_scores(
        self, parameters: Weights, pixels: UInt8[Array, "n h w c"], normal: Normaliser
    ) -> Float[Array, "n classes"]:
        """Scores of images as evaluation sees them: their centre, nothing dropped."""
        middle = centre(pixels, self.architecture.input_shape[:2])
        return self._scores(parameters, normalise(middle, *normal), None)

    def _scores(
        self, parameters: Weights, images: Array, dropout_keys: Array | None
    ) -> Float[Array, "n classes"]:
        network = Network(self.architecture, parameters, self.operations)
        scores: Array = network(images, dropout_keys)
        return scores


def add_sums(sums: Sums, more: Sums, part: Int[Array, ""]) -> Sums:
    """`sums` and those of one more part of a batch; part 0 begins anew."""
    added: Sums = jax.tree.map(lambda a, b: jnp.where(part == 0, 0, a) + b, sums, more)
    return added


def _image_keys(
    key: Key[Array, ""], step: Int[Array, ""], places: Int[Array, " n"]
) -> Key[Array, " n"]:
    """A key for each image of a step."""
    return jax.vmap(jax.random.fold_in, (None, 0))(
        jax.random.fold_in(key, step), places
    )


def cross_entropy(
    scores: Float[Array, "n classes"], labels: Int[Array, " n"], smoothing: float
) -> Float[Array, " n"]:
    """Cross-entropy; `smoothing` of each label's weight is spread over all classes."""
    losses: Array = optax.softmax_cross_entropy_with_integer_labels(scores, labels)
    if smoothing:
        evenly = -jax.nn.log_softmax(scores).mean(axis=-1)
        losses = (1 - smoothing) * losses + smoothing * evenly
    return losses


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
