"""Initialise, train a step, evaluate: pure functions of keys, compiled once a cell."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from jaxtyping import Float, Int, Key, UInt8

from dse.arch.graph import Architecture
from dse.models.network import Network, Weights, initial_weights
from dse.ops.interface import Operations
from dse.runs.cell import Cell
from dse.runs.recipe import Recipe
from dse.train.augment import augment, centre, normalise
from dse.train.optimiser import optimiser
from dse.train.state import (
    Batches,
    Normaliser,
    Replicate,
    Sums,
    Totals,
    TrainState,
    add_sums,
    no_totals,
)


def epoch_order(
    key: Key[Array, ""],
    epoch: Int[Array, ""],
    train: Int[Array, " t"],
    *,
    steps: int,
    batch_size: int,
) -> Int[Array, "steps batch"]:
    """Draw the images of each step of an epoch, in whole batches only."""
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

    @classmethod
    def of(cls, cell: Cell, train_size: int, operations: Operations) -> "Engine":
        """The engine of a cell whose replicates train on `train_size` images."""
        batch_size = min(cell.recipe.batch_size, train_size)
        return cls(
            cell.recipe.applied_to(cell.architecture),
            cell.recipe,
            train_size // batch_size,
            batch_size,
            operations,
        )

    @property
    def steps(self) -> int:
        """Number of training steps of a run."""
        return self.recipe.steps or self.steps_per_epoch * self.recipe.epochs

    def initialise(self, key: Key[Array, ""]) -> TrainState:
        """Draw parameters; momentum and counters start at zero."""
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
        """Take one step of SGD on the images that `order` lists for it."""
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
        """Add the sums of part number `part` of a step's batch, `size` images.

        Part 0 starts from zero, whatever `sums` holds.
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
        """Sum loss, correct answers and gradients over the images `chosen`.

        Augmentation and dropout of an image depend on the step and on its place in the
        batch, not on the other images.
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
        """Add the totals of the images `chosen`; -1 marks a place without an image."""
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
        """Class scores of the centres of images, without dropout."""
        middle = centre(pixels, self.architecture.input_shape[:2])
        return self._scores(parameters, normalise(middle, *normal), None)

    def _scores(
        self, parameters: Weights, images: Array, dropout_keys: Array | None
    ) -> Float[Array, "n classes"]:
        network = Network(self.architecture, parameters, self.operations)
        scores: Array = network(images, dropout_keys)
        return scores


def _image_keys(
    key: Key[Array, ""], step: Int[Array, ""], places: Int[Array, " n"]
) -> Key[Array, " n"]:
    """Make a key for each image of a step."""
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
    """Cut `positions` into rows of `batch_size`; -1 fills up the last one."""
    rows = -(-len(positions) // batch_size)
    filled = np.full(rows * batch_size, -1, np.int32)
    filled[: len(positions)] = positions
    return filled.reshape(rows, batch_size)
