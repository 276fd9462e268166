"""Initialise, train a step, evaluate: pure functions of keys, compiled once a cell."""

import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from jaxtyping import Int, Key

from dse.arch.graph import Architecture
from dse.arch.norms import BatchNorm
from dse.models.network import (
    Network,
    Weights,
    initial_statistics,
    initial_weights,
)
from dse.ops.interface import Operations
from dse.runs.cell import Cell, check_batch
from dse.runs.recipe import Recipe
from dse.train.augment import augment, centre, normalise
from dse.train.draws import image_keys
from dse.train.losses import among_five, correct, cross_entropy
from dse.train.optimiser import optimiser
from dse.train.scores import reports_top5
from dse.train.state import (
    Batches,
    Normaliser,
    Replicate,
    Scores,
    Sums,
    Totals,
    TrainState,
    add_sums,
    no_totals,
)


@dataclass(frozen=True)
class Engine:
    """The pure functions of one architecture under one recipe.

    Attributes:
        architecture: the network.
        recipe: the recipe of the cell's last training.
        steps_per_epoch: training steps in an epoch.
        batch_size: images in a step: the recipe's, or fewer when train is smaller.
        operations: the numerics.
        trains: False for a stage without training, whose recipe is not used.
        sparse: layers of whose kernels the zeros stay 0.
        shares: True if weights share values; `Replicate.groups` says which do.
    """

    architecture: Architecture
    recipe: Recipe
    steps_per_epoch: int
    batch_size: int
    operations: Operations
    trains: bool = True
    sparse: frozenset[str] = frozenset()
    shares: bool = False

    @classmethod
    def of(cls, cell: Cell, train_size: int, operations: Operations) -> "Engine":
        """The engine of a cell whose replicates train on `train_size` images.

        Raises:
            DseError: the batch is not made of whole groups of the batch norms.
        """
        check_batch(cell.architecture, cell.recipe.batch_size, train_size)
        batch_size = min(cell.recipe.batch_size, train_size)
        return cls(
            cell.recipe.applied_to(cell.architecture),
            cell.last_recipe,
            train_size // batch_size,
            batch_size,
            operations,
            cell.epochs > 0,
            frozenset(cell.sparse_layers),
            cell.shares_weights,
        )

    @property
    def steps(self) -> int:
        """Number of training steps of a run."""
        if not self.trains:
            return 0
        return self.recipe.steps or self.steps_per_epoch * self.recipe.epochs

    def epoch_of(self, step: int) -> tuple[int, int]:
        """The epoch of the step after `step`, and the step at which it ends."""
        epoch = step // self.steps_per_epoch + 1
        return epoch, min(epoch * self.steps_per_epoch, self.steps)

    def images_in(self, epoch: int) -> int:
        """Images that an epoch trains on."""
        _, end = self.epoch_of((epoch - 1) * self.steps_per_epoch)
        return (end - (epoch - 1) * self.steps_per_epoch) * self.batch_size

    def no_groups(self) -> Int[Array, " parameters"] | None:
        """Groups of the shape that a replicate's have; None if it has none."""
        learnt = self.architecture.parameters.values()
        size = sum(math.prod(x.shape) for names in learnt for x in names.values())
        return jnp.zeros(size, jnp.int32) if self.shares else None

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
            jax.tree.map(jnp.asarray, initial_statistics(self.architecture)),
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
        batch = images.chosen(order[state.step % self.steps_per_epoch])
        sums = self.sums(state.parameters, state.step, batch, places, replicate)
        return self.descend(state, sums, replicate.groups)

    def add_chosen(
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
        """Call `add_part` with the `size` images that `order` lists for a part."""
        places = part * size + jnp.arange(size)
        batch = images.chosen(order[step % self.steps_per_epoch, places])
        return self.add_part(sums, parameters, step, batch, part, replicate)

    def add_part(
        self,
        sums: Sums,
        parameters: Weights,
        step: Int[Array, ""],
        batch: Batches,
        part: Int[Array, ""],
        replicate: Replicate,
    ) -> Sums:
        """Add the sums of part number `part` of a step's batch.

        Part 0 starts from zero, whatever `sums` holds.
        """
        size = len(batch.labels)
        places = part * size + jnp.arange(size)
        more = self.sums(parameters, step, batch, places, replicate)
        return add_sums(sums, more, part)

    def sums(
        self,
        parameters: Weights,
        step: Int[Array, ""],
        batch: Batches,
        places: Int[Array, " n"],
        replicate: Replicate,
    ) -> Sums:
        """Sum loss, correct answers, gradients and statistics over images of a batch.

        Augmentation and dropout of an image depend on the step and on its place in the
        batch, not on the other images. The gradients are those of the loss with the
        auxiliary ones; the sum of losses is without them.

        Args:
            parameters: those of the network.
            step: steps taken before.
            batch: the images, whole groups of the batch norms.
            places: their places in the whole batch.
            replicate: the replicate.
        """
        labels = batch.labels
        pixels = augment(
            batch.pixels,
            image_keys(replicate.keys.augmentation, step, places),
            self.recipe.crop_padding or 0,
            bool(self.recipe.mirror),
            self.architecture.input_shape[:2],
        )
        normal = normalise(pixels, *replicate.normaliser)
        dropout_keys = image_keys(replicate.keys.dropout, step, places)

        def loss(
            parameters: Weights,
        ) -> tuple[Array, tuple[Array | None, Array, Weights]]:
            network = Network(self.architecture, parameters, self.operations)
            trained = network.in_training(normal, dropout_keys)
            losses = cross_entropy(trained.scores, labels, smoothing).sum()
            right = correct(trained.scores, labels).sum()
            others = [
                head.weight * cross_entropy(scores, labels, smoothing).sum()
                for head, scores in zip(heads, trained.auxiliary, strict=True)
            ]
            total = sum(others, start=losses)
            return total, (losses if heads else None, right, trained.statistics)

        smoothing, heads = self.recipe.label_smoothing, self.architecture.auxiliary
        (total, (own, right, statistics)), gradients = jax.value_and_grad(
            loss, has_aux=True
        )(parameters)
        losses = total if own is None else own
        return Sums(Totals(losses, right), gradients, statistics)

    def descend(
        self,
        state: TrainState,
        sums: Sums,
        groups: Int[Array, " parameters"] | None = None,
    ) -> TrainState:
        """Move the parameters by the mean gradient of a batch, and the statistics."""
        mean = jax.tree.map(lambda total: total / self.batch_size, sums.gradients)
        mean = self._of_kept(state.parameters, mean)
        updates, moments = optimiser(self.recipe, self.steps, groups).update(
            mean, state.optimiser, state.parameters
        )
        updates = self._of_kept(state.parameters, updates)
        parameters = optax.apply_updates(state.parameters, updates)
        totals = jax.tree.map(jnp.add, state.totals, sums.totals)
        statistics = self._averaged(state.statistics, sums.statistics)
        return TrainState(parameters, moments, totals, state.step + 1, statistics)

    def _of_kept(self, parameters: Weights, changes: Weights) -> Weights:
        """Changes of the parameters, without those of pruned weights.

        A pruned weight is one that is 0, so nothing but the weights says which are; of
        a weight that was pruned on the way the momentum is left unused.
        """
        return {
            layer: {
                name: jnp.where(parameters[layer][name] != 0, change, 0)
                if name == "kernel" and layer in self.sparse
                else change
                for name, change in of_layer.items()
            }
            for layer, of_layer in changes.items()
        }

    def _averaged(self, running: Weights, sums: Weights) -> Weights:
        """Running averages after a step: a share of them, and the rest of the batch."""
        return {
            layer.name: {
                name: layer.momentum * average
                + (1 - layer.momentum)
                * (sums[layer.name][name] / (self.batch_size // layer.group))
                for name, average in running[layer.name].items()
            }
            for layer in self.architecture.layers
            if isinstance(layer, BatchNorm)
        }

    def evaluate_chosen(
        self,
        weights: Weights,
        scores: Scores,
        images: Batches,
        chosen: Int[Array, " batch"],
        normaliser: Normaliser,
    ) -> Scores:
        """Call `evaluate` with the images `chosen`; -1 marks a place without one."""
        batch = images.chosen_or_none(chosen)
        return self.evaluate(weights, scores, batch, normaliser)

    def evaluate(
        self, weights: Weights, scores: Scores, images: Batches, normaliser: Normaliser
    ) -> Scores:
        """Add the scores of the centres of images, without dropout."""
        labels, counted = images.labels, images.labels >= 0
        middle = centre(images.pixels, self.architecture.input_shape[:2])
        network = Network(self.architecture.predictor, weights, self.operations)
        found = network(normalise(middle, *normaliser))
        correct5 = scores.correct5
        if reports_top5(self.architecture.classes):
            correct5 += jnp.sum(among_five(found, labels), where=counted)
        return Scores(
            scores.loss + jnp.sum(cross_entropy(found, labels, 0.0), where=counted),
            scores.correct + jnp.sum(correct(found, labels), where=counted),
            correct5,
        )
