import math
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dse.families.squeezenet import SqueezeNet
from dse.models.network import initial_weights
from dse.ops import FAST_ON_CPU, REFERENCE
from dse.runs.recipe import Recipe
from dse.train.draws import epoch_order
from dse.train.engine import Engine
from dse.train.losses import cross_entropy
from dse.train.optimiser import learning_rate, optimiser
from dse.train.scores import evaluation_batches
from dse.train.state import Batches, Normaliser, Replicate, no_scores, replicate_keys


def test_the_rate_rises_then_falls_to_zero():
    rate = learning_rate(Recipe(1, 0.4, warmup_share=0.2), steps=10)
    expected = [0, 0.2, 0.4, 0.35, 0.3, 0.25, 0.2, 0.15, 0.1, 0.05, 0]
    np.testing.assert_allclose([rate(t) for t in range(11)], expected, atol=1e-7)


def test_the_rate_falls_as_a_cosine():
    recipe = Recipe(1, 0.4, warmup_share=0.2, schedule="cosine")
    rate = learning_rate(recipe, steps=10)
    expected = [0.4 * (1 + math.cos(math.pi * t / 8)) / 2 for t in range(9)]
    np.testing.assert_allclose([rate(t) for t in range(2, 11)], expected, atol=1e-7)
    np.testing.assert_allclose([rate(0), rate(1)], [0, 0.2], atol=1e-7)


def test_smoothed_labels_by_hand():
    scores = jnp.log(jnp.array([[0.7, 0.2, 0.1], [0.25, 0.25, 0.5]]))
    labels = jnp.array([0, 2])
    # 0.7 of the weight and a third of 0.3 besides is 0.8; the others have 0.1 each.
    expected = [
        -(0.8 * math.log(0.7) + 0.1 * math.log(0.2) + 0.1 * math.log(0.1)),
        -(0.8 * math.log(0.5) + 0.2 * math.log(0.25)),
    ]
    np.testing.assert_allclose(cross_entropy(scores, labels, 0.3), expected, rtol=1e-6)
    plain = [-math.log(0.7), -math.log(0.5)]
    np.testing.assert_allclose(cross_entropy(scores, labels, 0.0), plain, rtol=1e-6)


def test_two_steps_of_sgd_by_hand():
    """Clip at 1, add decay, momentum 0.9, at rates 0 -> 0.5 (a warm-up of one step)."""
    recipe = Recipe(1, 0.5, momentum=0.9, weight_decay=0.1, warmup_share=0.0)
    transformation = optimiser(recipe, steps=5)
    w = jnp.array([1.0, -2.0])
    state = transformation.init(w)
    gradient = jnp.array([3.0, 4.0])  # norm 5, clipped to (0.6, 0.8)
    velocity = np.zeros(2)
    expected = np.array([1.0, -2.0])
    for rate in (0.0, 0.5):
        updates, state = transformation.update(gradient, state, w)
        w = optax.apply_updates(w, updates)
        velocity = 0.9 * velocity + np.array([0.6, 0.8]) + 0.1 * expected
        expected = expected - rate * velocity
        np.testing.assert_allclose(w, expected, rtol=1e-6)


def test_streams_shared_between_cells_and_streams_of_their_own():
    def data(key):
        return jax.random.key_data(key).tolist()

    one, same = replicate_keys(0, 1, "a" * 16), replicate_keys(0, 1, "a" * 16)
    cell = replicate_keys(0, 1, "b" * 16)
    replicate = replicate_keys(0, 2, "a" * 16)
    seed = replicate_keys(5, 1, "a" * 16)
    for name in one._fields:
        assert data(getattr(one, name)) == data(getattr(same, name))
        shared = name in ("order", "augmentation")
        equal = data(getattr(one, name)) == data(getattr(cell, name))
        assert equal == shared
        for other in (replicate, seed):
            assert data(getattr(one, name)) != data(getattr(other, name))
    assert len({str(data(key)) for key in one}) == 4


@pytest.fixture(scope="module")
def engine():
    architecture = SqueezeNet(4, 4).architecture((28, 28, 1), 4)
    recipe = Recipe(2, 0.05, batch_size=8, crop_padding=2, mirror=True)
    return Engine(architecture, recipe, 3, 8, FAST_ON_CPU)


@pytest.fixture(scope="module")
def images(tiny):
    return Batches(jnp.asarray(tiny.train.pixels), jnp.asarray(tiny.train.labels))


NORMALISER = Normaliser(jnp.array([50.0]), jnp.array([60.0]))


def replicate(number=1):
    keys = replicate_keys(0, number, "a" * 16)
    return Replicate(keys, NORMALISER, jnp.arange(20, 46))


def order_of(epoch):
    one = replicate()
    return epoch_order(
        one.keys.order, jnp.int32(epoch), one.train, steps=3, batch_size=8
    )


def leaves_close(one, other, **tolerance):
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_allclose(a, b, **tolerance)


def test_an_epoch_visits_different_images_in_an_order_of_its_own():
    first, second = (np.asarray(order_of(epoch)) for epoch in (1, 2))
    assert first.shape == (3, 8)
    assert len(np.unique(first)) == 24
    assert first.min() >= 20
    assert first.max() < 46
    assert not np.array_equal(first, second)


def test_a_step_follows_the_gradient_and_counts(engine, images):
    state = engine.initialise(jax.random.key(1))
    step = jax.jit(engine.train_step)
    one = step(state, images, order_of(1), replicate())
    same = step(state, images, order_of(1), replicate())
    leaves_close(one, same, rtol=0)
    assert int(one.step) == 1
    assert 0 <= float(one.totals.correct) <= 8
    # The first rate of the warm-up is 0; the second step moves the weights.
    leaves_close(state.parameters, one.parameters, rtol=0)
    two = step(one, images, order_of(1), replicate())
    moved = jax.tree.map(
        lambda a, b: not np.array_equal(a, b), one.parameters, two.parameters
    )
    assert any(jax.tree.leaves(moved))


@pytest.mark.slow
def test_a_batch_in_parts_has_the_sums_of_the_whole(engine, images):
    """Augmentation and dropout too are those of the image's place in the batch."""
    state = engine.initialise(jax.random.key(1))._replace(step=jnp.int32(2))
    order, one = order_of(1), replicate()
    whole = jax.jit(engine.sums)(
        state.parameters, state.step, images.chosen(order[2]), jnp.arange(8), one
    )
    add_part = jax.jit(engine.add_chosen, static_argnames="size")
    # What is there before the first part is overwritten.
    sums = jax.tree.map(lambda leaf: jnp.full_like(leaf, jnp.nan), whole)
    for part in range(4):
        sums = add_part(
            sums,
            state.parameters,
            state.step,
            images,
            order,
            jnp.int32(part),
            one,
            size=2,
        )
    leaves_close(sums, whole, rtol=1e-4, atol=1e-5)
    assert float(whole.totals.loss) > 0


@pytest.mark.slow
def test_the_gradient_of_both_forms_against_float64(images):
    """To 2e-5 of each parameter's largest gradient; the limit is float32's own."""
    architecture = SqueezeNet(8, 8, bypass="complex").architecture((28, 28, 1), 4)
    weights = initial_weights(architecture, jax.random.key(3))
    recipe = Recipe(2, 0.05, batch_size=8, crop_padding=2, mirror=True)

    def gradients(operations, weights):
        engine = Engine(architecture, recipe, 3, 8, operations)
        return jax.jit(engine.sums)(
            weights, jnp.int32(0), batch, jnp.arange(8), replicate()
        ).gradients

    batch = images.chosen(order_of(1)[0])
    double = replace(REFERENCE, dtype=jnp.float64)
    with jax.enable_x64(True):
        wide = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), weights)
        exact = jax.tree.map(np.asarray, gradients(double, wide))
    assert exact["conv1"]["kernel"].dtype == np.float64
    for operations in (REFERENCE, FAST_ON_CPU):
        got = gradients(operations, weights)
        for name, layer in exact.items():
            for part, values in layer.items():
                limit = 2e-5 * np.abs(values).max()
                np.testing.assert_allclose(got[name][part], values, atol=limit, rtol=0)


def test_evaluation_ignores_what_fills_a_batch_up(engine, images):
    weights = engine.initialise(jax.random.key(0)).weights
    evaluate = jax.jit(engine.evaluate_chosen)

    def score(rows):
        scores = no_scores()
        for chosen in rows:
            scores = evaluate(weights, scores, images, jnp.asarray(chosen), NORMALISER)
        return float(scores.loss), float(scores.correct)

    whole = score(evaluation_batches(np.arange(10), 10))
    pieces = score(evaluation_batches(np.arange(10), 4))
    np.testing.assert_allclose(pieces, whole, rtol=1e-5)


def test_evaluation_batches():
    rows = evaluation_batches(np.array([3, 1, 2]), 2)
    assert rows.tolist() == [[3, 1], [2, -1]]
