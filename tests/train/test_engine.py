import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dse.arch.squeezenet import Metaparameters, squeezenet
from dse.train.engine import (
    Batches,
    Engine,
    Normaliser,
    evaluation_batches,
    learning_rate,
    no_totals,
    optimiser,
    replicate_keys,
)
from dse.train.recipe import Recipe


def test_the_rate_rises_then_falls_to_zero():
    rate = learning_rate(Recipe(1, 0.4, warmup_share=0.2), steps=10)
    expected = [0, 0.2, 0.4, 0.35, 0.3, 0.25, 0.2, 0.15, 0.1, 0.05, 0]
    np.testing.assert_allclose([rate(t) for t in range(11)], expected, atol=1e-7)


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
    architecture = squeezenet(Metaparameters(4, 4), (28, 28, 1), 4)
    recipe = Recipe(2, 0.05, batch_size=8, crop_padding=2, mirror=True)
    return Engine(architecture, recipe, steps_per_epoch=3, batch_size=8)


def test_an_epoch_visits_different_images_in_an_order_of_its_own(engine):
    key = jax.random.key(0)
    first, second = (
        np.asarray(engine.epoch_order(key, jnp.int32(e), 26)) for e in (1, 2)
    )
    assert first.shape == (3, 8)
    assert len(np.unique(first)) == 24
    assert first.max() < 26
    assert not np.array_equal(first, second)


def test_a_step_follows_the_gradient_and_counts(engine, tiny):
    batches = Batches(jnp.asarray(tiny.train.pixels), jnp.asarray(tiny.train.labels))
    normaliser = Normaliser(jnp.array([50.0]), jnp.array([60.0]))
    key = jax.random.key(1)
    order = engine.epoch_order(key, jnp.int32(1), 400)
    state = engine.initialise(key)
    step = jax.jit(engine.train_step)
    one = step(state, batches, order, normaliser, key, key)
    same = step(state, batches, order, normaliser, key, key)
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(same), strict=True):
        np.testing.assert_array_equal(a, b)
    assert int(one.step) == 1
    assert 0 <= float(one.totals.correct) <= 8
    # The first rate of the warm-up is 0; the second step moves the weights.
    two = step(one, batches, order, normaliser, key, key)
    moved = [
        not np.array_equal(a, b)
        for a, b in zip(
            jax.tree.leaves(one.parameters),
            jax.tree.leaves(two.parameters),
            strict=True,
        )
    ]
    assert any(moved)


def test_evaluation_ignores_what_fills_a_batch_up(engine, tiny):
    batches = Batches(jnp.asarray(tiny.test.pixels), jnp.asarray(tiny.test.labels))
    normaliser = Normaliser(jnp.array([50.0]), jnp.array([60.0]))
    parameters = engine.initialise(jax.random.key(0)).parameters

    def score(rows):
        totals = no_totals()
        for chosen in rows:
            totals = engine.evaluate(
                parameters, totals, batches, jnp.asarray(chosen), normaliser
            )
        return float(totals.loss), float(totals.correct)

    whole = score(evaluation_batches(np.arange(10), 10))
    pieces = score(evaluation_batches(np.arange(10), 4))
    np.testing.assert_allclose(pieces, whole, rtol=1e-5)


def test_evaluation_batches():
    rows = evaluation_batches(np.array([3, 1, 2]), 2)
    assert rows.tolist() == [[3, 1], [2, -1]]
