"""Training with batch norms: parts, stacks and wholes, and the running averages."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dse.arch.build import Build
from dse.data.dataset import balanced_part
from dse.errors import DseError
from dse.families.squeezenet import SqueezeNet
from dse.models.network import Network
from dse.models.trained import TrainedModel
from dse.ops import FAST_ON_CPU
from dse.runs.cell import Cell
from dse.runs.events import Done
from dse.runs.recipe import Recipe
from dse.study.plan import make_point
from dse.train import stepped
from dse.train.engine import Engine
from dse.train.memory import MemoryFeed
from dse.train.program import compile_program
from dse.train.run import Trainer
from dse.train.state import Batches, Normaliser, Replicate, replicate_keys
from dse.train.stepped import part_size

RECIPE = Recipe(2, 0.05, batch_size=8, crop_padding=2, mirror=True)


def network(group=4, momentum=0.75):
    net = Build((28, 28, 1), 4)
    net.conv("conv1", 6, 3, 2, bias=None, relu=False)
    net.batch_norm("norm1", group=group, momentum=momentum)
    net.relu()
    net.dropout("drop")
    net.conv("conv2", 8, 3, 2, bias=None, relu=False)
    net.batch_norm("norm2", group=group, momentum=momentum)
    net.average("average")
    net.dense("scores", 4)
    return net.done()


@pytest.fixture(scope="module")
def images(tiny):
    return Batches(jnp.asarray(tiny.train.pixels), jnp.asarray(tiny.train.labels))


def cell_of(architecture, recipe, tiny):
    return Cell(architecture, recipe, "tiny", tiny.fingerprint, tiny.class_names)


def replicate(number, architecture):
    return Replicate(
        replicate_keys(0, number, architecture.id),
        Normaliser(jnp.array([40.0]), jnp.array([60.0])),
        jnp.arange(20 * number, 20 * number + 32),
    )


def trained(cell, images, numbers, form, monkeypatch):
    """States and scores after two epochs of four steps, by replicate."""
    monkeypatch.setattr("dse.train.program.form_for", lambda _: form)
    program = compile_program(cell, images, 32, 16, len(numbers))
    training = program.begin([replicate(n, cell.architecture) for n in numbers])
    for epoch in (1, 2):
        training.advance(epoch, 4 * epoch)
    rows = [np.arange(32).reshape(2, 16)] * len(numbers)
    return list(zip(training.states(), training.score(rows), strict=True))


def assert_close(one, other):
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-4)


@pytest.mark.slow
def test_parts_stacks_and_wholes_give_the_same(tiny, images, monkeypatch):
    cell = cell_of(network(), RECIPE, tiny)
    [whole] = trained(cell, images, (1,), "stepped", monkeypatch)
    stacked = trained(cell, images, (0, 1), "stacked", monkeypatch)
    assert_close(stacked[1], whole)
    with monkeypatch.context() as patch:
        patch.setattr(stepped, "PART_BYTES", 1)
        assert part_size(cell.architecture, 8) == 4
        [parted] = trained(cell, images, (1,), "stepped", patch)
    assert_close(parted, whole)
    assert set(whole[0].statistics) == {"norm1", "norm2"}


def test_another_group_is_another_network_with_other_values(tiny, images, monkeypatch):
    cells = [cell_of(network(group), RECIPE, tiny) for group in (4, 8)]
    assert cells[0].id != cells[1].id
    four, eight = (
        trained(cell, images, (1,), "stepped", monkeypatch)[0][0] for cell in cells
    )
    apart = np.abs(
        four.parameters["conv1"]["kernel"] - eight.parameters["conv1"]["kernel"]
    )
    assert apart.max() > 1e-4


def test_running_averages_by_hand(tiny, images):
    """A step keeps 3/4 of them, and takes 1/4 of the mean over the two groups."""
    architecture = network()
    engine = Engine(
        architecture, replace(RECIPE, mirror=False, crop_padding=0), 4, 8, FAST_ON_CPU
    )
    one = replicate(1, architecture)
    state = engine.initialise(one.keys.initialisation)
    order = jnp.arange(32).reshape(4, 8)
    after = jax.jit(engine.train_step)(state, images, order, one)
    pixels = (np.asarray(images.pixels[:8], np.float64) - 40) / 60
    kernel = np.asarray(state.parameters["conv1"]["kernel"], np.float64)
    maps = np.zeros((8, 13, 13, 6))
    for row in range(3):
        for column in range(3):
            taps = pixels[:, row : row + 25 : 2, column : column + 25 : 2]
            maps += taps @ kernel[row, column]
    groups = maps.reshape(2, -1, 6)
    mean = 0.25 * groups.mean(axis=1).mean(axis=0)
    variance = 0.75 + 0.25 * groups.var(axis=1, ddof=1).mean(axis=0)
    found = after.statistics["norm1"]
    np.testing.assert_allclose(found["mean"], mean, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(found["variance"], variance, rtol=1e-3)
    # The first rate of the warm-up is 0, and statistics are no parameters: no decay.
    assert set(state.parameters["norm1"]) == {"scale", "shift"}


@pytest.mark.slow
def test_evaluation_uses_the_running_averages_whatever_else_is_in_the_batch(images):
    architecture = network()
    engine = Engine(architecture, RECIPE, 4, 8, FAST_ON_CPU)
    one = replicate(1, architecture)
    state = engine.initialise(one.keys.initialisation)
    step = jax.jit(engine.train_step)
    for _ in range(3):
        state = step(state, images, jnp.arange(32).reshape(4, 8), one)
    model = Network(architecture, state.weights)
    batch = (images.pixels[:5].astype(jnp.float32) - 40) / 60
    np.testing.assert_allclose(model(batch)[3], model(batch[3:4])[0], rtol=1e-5)
    in_training = model.in_training(batch[:4], jax.random.split(jax.random.key(0), 4))
    assert not np.allclose(in_training.scores, model(batch[:4]), rtol=1e-2)


@pytest.mark.slow
def test_a_killed_run_ends_with_the_same_bits_and_its_weights_predict(tiny, tmp_path):
    recipe = Recipe(6, 0.05, batch_size=32, crop_padding=0, mirror=False, dropout=0.0)
    point = SqueezeNet(8, 8, sr=0.5, norm="batch")
    cell = cell_of(point.architecture((28, 28, 1), 4), recipe, tiny)
    feed = MemoryFeed(tiny)
    saving = replace(feed.saving, seconds=0.0)
    *_, whole = Trainer(feed).train(cell, (0,))
    assert isinstance(whole, Done)
    for event in Trainer(feed, tmp_path, saving).train(cell, (0,)):
        if type(event).__name__ == "Checkpointed":
            break
    *_, again = Trainer(feed, tmp_path, saving).train(cell, (0,))
    assert again.metrics == whole.metrics
    assert set(again.weights["fire2/norm_squeeze1x1"]) == {
        *("scale", "shift", "mean", "variance")
    }
    for one, other in zip(
        jax.tree.leaves(again.weights), jax.tree.leaves(whole.weights), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    model = TrainedModel(cell.architecture, tiny.class_names, whole.weights)
    likeliest = model.probabilities(tiny.test.pixels).argmax(axis=1)
    share = float((likeliest == tiny.test.labels).mean())
    assert share == pytest.approx(whole.metrics["test"]["accuracy"], abs=1e-6)


@pytest.mark.parametrize(("batch_size", "fits"), [(30, 32), (16, 32), (100, 96)])
def test_a_batch_is_made_of_whole_groups(tiny, batch_size, fits):
    with pytest.raises(
        DseError,
        match=f"a batch has {batch_size} images, and the network's batch norms take 32 "
        f"images together; expected a multiple of that: set batch_size to {fits}",
    ):
        cell_of(network(group=32), replace(RECIPE, batch_size=batch_size), tiny)


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (20, "and there are 20 to train on; expected 32 or more"),
        (60, "and all 60 to train on would be one batch; .*: set batch_size to 32"),
    ],
)
def test_fewer_images_than_a_batch(tiny, images, said):
    cell = cell_of(network(group=32), replace(RECIPE, batch_size=64), tiny)
    with pytest.raises(DseError, match=said):
        Engine.of(cell, images, FAST_ON_CPU)
    assert Engine.of(cell, 32, FAST_ON_CPU).batch_size == 32
    assert Engine.of(cell, 70, FAST_ON_CPU).batch_size == 64


def test_a_plan_refuses_what_no_worker_could_train(tiny):
    point = SqueezeNet(base_e=8, incr_e=8, norm="batch")
    few = replace(tiny, train=balanced_part(tiny, 40).train)
    with pytest.raises(DseError, match="36 to train on would be one batch"):
        make_point(point, Recipe(1, 0.1, batch_size=64), few)
    make_point(point, Recipe(1, 0.1, batch_size=32), few)
