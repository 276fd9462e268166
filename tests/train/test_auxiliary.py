"""Auxiliary heads: they train, and take no part in what predicts."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dse.arch.build import Build
from dse.models.network import Network
from dse.models.trained import TrainedModel
from dse.ops import FAST_ON_CPU
from dse.runs.cell import Cell
from dse.runs.events import Done
from dse.runs.recipe import Recipe
from dse.train.engine import Engine
from dse.train.losses import cross_entropy
from dse.train.memory import MemoryFeed
from dse.train.run import Trainer
from dse.train.state import Batches, Normaliser, Replicate, replicate_keys

RECIPE = Recipe(4, 0.05, batch_size=32, crop_padding=0, mirror=False)
WEIGHT = 0.3


def network(weight=WEIGHT):
    net = Build((28, 28, 1), 4)
    body = net.conv("conv1", 6, 3, 2)
    net.average("head_average")
    net.dense("head", 4)
    if weight:
        net.auxiliary_loss("loss", weight)
    net.last = body
    net.average("average")
    net.dense("scores", 4)
    return net.done()


@pytest.fixture(scope="module")
def images(tiny):
    return Batches(jnp.asarray(tiny.train.pixels), jnp.asarray(tiny.train.labels))


def test_the_gradient_is_that_of_the_weighted_sum_of_losses(images):
    architecture = network()
    engine = Engine(architecture, RECIPE, 4, 32, FAST_ON_CPU)
    keys = replicate_keys(0, 0, architecture.id)
    normaliser = Normaliser(jnp.array([40.0]), jnp.array([60.0]))
    one = Replicate(keys, normaliser, jnp.arange(32))
    state = engine.initialise(keys.initialisation)
    batch = images.chosen(jnp.arange(32))
    found = jax.jit(engine.sums)(
        state.parameters, state.step, batch, jnp.arange(32), one
    )
    normal = (batch.pixels.astype(jnp.float32) - 40) / 60
    main = Network(architecture.predictor, state.parameters)

    def losses(parameters):
        maps = Network(architecture, parameters).in_training(
            normal, jax.random.split(keys.dropout, 32)
        )
        own = cross_entropy(maps.scores, batch.labels, 0.0).sum()
        [head] = maps.auxiliary
        return own + WEIGHT * cross_entropy(head, batch.labels, 0.0).sum()

    expected = jax.jit(jax.grad(losses))(state.parameters)
    for one_leaf, other in zip(
        jax.tree.leaves(found.gradients), jax.tree.leaves(expected), strict=True
    ):
        np.testing.assert_allclose(one_leaf, other, rtol=1e-4, atol=1e-4)
    assert float(jnp.abs(found.gradients["head"]["kernel"]).max()) > 0
    # What is told is the loss of what predicts.
    own = cross_entropy(main(normal), batch.labels, 0.0).sum()
    assert float(found.totals.loss) == pytest.approx(float(own), rel=1e-5)


def test_a_run_keeps_the_weights_of_what_predicts(tiny):
    architecture = network()
    cell = Cell(architecture, RECIPE, "tiny", tiny.fingerprint, tiny.class_names)
    *_, done = Trainer(MemoryFeed(tiny)).train(cell, (0,))
    assert isinstance(done, Done)
    assert set(done.weights) == {"conv1", "scores", "input"}
    model = TrainedModel(architecture, tiny.class_names, done.weights)
    likeliest = model.probabilities(tiny.test.pixels).argmax(axis=1)
    share = float((likeliest == tiny.test.labels).mean())
    assert share == pytest.approx(done.metrics["test"]["accuracy"], abs=1e-6)


def test_a_layer_that_leads_nowhere_is_refused():
    from dse.errors import DseError

    with pytest.raises(DseError, match="no layer reads 'head'; leave it out, or have"):
        network(weight=0)
