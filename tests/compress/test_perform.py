"""Stages on trained networks: masks that survive, values that stay shared, bytes."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dse.compress.container import read_network
from dse.compress.networks import of_arrays, shapes_of, to_arrays
from dse.compress.perform import perform, work_on
from dse.errors import DseError
from dse.families.squeezenet import SqueezeNet
from dse.runs.cell import Cell
from dse.runs.events import Done, EpochEnded
from dse.runs.recipe import Recipe
from dse.runs.stages import Code, Densify, Factor, Prune, Quantise
from dse.runs.weights import weights_hash
from dse.train.memory import MemoryFeed
from dse.train.optimiser import learning_rate
from dse.train.run import Trainer
from dse.train.state import Sums, no_totals

RECIPE = Recipe(
    8,
    0.05,
    batch_size=16,
    warmup_share=0.3,
    weight_decay=0.01,
    crop_padding=0,
    mirror=False,
)


@pytest.fixture(scope="module")
def plain(tiny):
    network = SqueezeNet(8, 8, sr=0.5).network((28, 28, 1), 4)
    return Cell(network, RECIPE, tiny.name, tiny.fingerprint, tiny.class_names)


@pytest.fixture(scope="module")
def trainer(tiny):
    trainer = Trainer(MemoryFeed(tiny))
    yield trainer
    trainer.close()


@pytest.fixture(scope="module")
def trained(trainer, plain):
    [done] = [e for e in trainer.train(plain, [0]) if isinstance(e, Done)]
    return of_arrays(done.weights)


def performed(trainer, cell, parent):
    events = list(perform(trainer, cell, [0], {0: parent}))
    [done] = [e for e in events if isinstance(e, Done)]
    assert len(done.network) == done.size
    tensors = read_network(done.network, shapes_of(done.weights))
    return events, done, tensors


@pytest.fixture(scope="module")
def pruned(trainer, plain, trained):
    cell = replace(plain, stages=(Prune(0.3, prune_epochs=4),))
    return cell, *performed(trainer, cell, trained)


@pytest.mark.slow
def test_masks_survive_momentum_and_decay(pruned, trained, plain):
    cell, events, done, tensors = pruned
    assert len([e for e in events if isinstance(e, EpochEnded)]) == 4
    for layer in cell.architecture.kernels:
        before = trained[layer]["kernel"].array()
        after = tensors[layer]["kernel"].array()
        kept = -(-3 * before.size // 10)
        assert np.count_nonzero(after) == kept
        smallest_kept = np.abs(before[after != 0]).min()
        assert smallest_kept >= np.abs(before[after == 0]).max()
        assert (before[after != 0] != after[after != 0]).mean() > 0.9  # trained on
        assert (tensors[layer]["bias"].array() != trained[layer]["bias"].array()).any()
    fp32 = 4 * sum(
        array.size for named in done.weights.values() for array in named.values()
    )
    # A third of the values, and a gap of half a byte for each.
    assert done.size < 0.55 * fp32


@pytest.mark.slow
def test_pruned_weights_of_other_layers_stay(trainer, plain, trained):
    cell = replace(plain, stages=(Prune(0.3, pruned="conv1", prune_epochs=0),))
    _, done, tensors = performed(trainer, cell, trained)
    # What is kept is what the file says, to the bit: also where a zero was negative.
    assert weights_hash(done.weights) == weights_hash(to_arrays(tensors))
    for layer in plain.architecture.kernels:
        kernel = tensors[layer]["kernel"].array()
        if layer == "conv1":
            assert np.count_nonzero(kernel) == np.ceil(0.3 * kernel.size)
        else:
            np.testing.assert_array_equal(kernel, trained[layer]["kernel"].array())
    assert done.metrics.keys() == {"validation", "test"}  # nothing was trained


@pytest.mark.slow
def test_rounds_reach_the_density_on_the_way(trainer, plain, trained):
    stage = Prune(0.2, prune_rounds=2, prune_epochs=4)
    cell = replace(plain, stages=(stage,))
    work = work_on(cell, trained)
    first = np.count_nonzero(work.beginning.weights["conv10"]["kernel"])
    size = work.beginning.weights["conv10"]["kernel"].size
    assert first == np.ceil((0.2 + 0.8 / 8) * size)
    assert work.beginning.revise(2, work.beginning.weights) is work.beginning.weights
    second = work.beginning.revise(3, work.beginning.weights)
    assert np.count_nonzero(second["conv10"]["kernel"]) == np.ceil(0.2 * size)
    _, _, tensors = performed(trainer, cell, trained)
    kernel = tensors["conv10"]["kernel"].array()
    assert np.count_nonzero(kernel) == np.ceil(0.2 * size)


@pytest.mark.slow
def test_dense_again(trainer, pruned):
    cell, _, _, tensors = pruned
    again = replace(cell, stages=(*cell.stages, Densify(2)))
    _, _, dense = performed(trainer, again, tensors)
    revived = [
        (dense[layer]["kernel"].array() != 0)[tensors[layer]["kernel"].array() == 0]
        for layer in cell.architecture.kernels
    ]
    # A weight of a dead filter, and no other one, has no gradient.
    assert np.concatenate(revived).mean() > 0.5


@pytest.fixture(scope="module")
def quantised(trainer, pruned):
    cell, _, _, tensors = pruned
    both = replace(cell, stages=(*cell.stages, Quantise(4, quantise_epochs=2)))
    return both, *performed(trainer, both, tensors)


@pytest.mark.slow
def test_shared_values_are_trained_and_stay_shared(pruned, quantised):
    _, _, pruned_done, before = pruned
    cell, _, done, tensors = quantised
    for layer in cell.architecture.kernels:
        kernel, was = tensors[layer]["kernel"], before[layer]["kernel"].array()
        np.testing.assert_array_equal(kernel.array() == 0, was == 0)
        assert len(kernel.codebook) <= 16
        assert len(np.unique(kernel.array()[was != 0])) <= 16
        means = [
            was.reshape(-1)[kernel.positions[kernel.codes == c]].mean()
            for c in np.unique(kernel.codes)
        ]
        moved = kernel.codebook[np.unique(kernel.codes)]
        assert not np.allclose(moved, means, atol=1e-7)  # by the training
    assert done.size < 0.5 * pruned_done.size


@pytest.mark.slow
def test_huffman_codes_change_no_weight_and_no_score(trainer, quantised):
    cell, _, done, tensors = quantised
    coded = replace(cell, stages=(*cell.stages, Code()))
    _, after, read = performed(trainer, coded, tensors)
    assert after.size < done.size
    for layer, named in to_arrays(tensors).items():
        for name, array in named.items():
            np.testing.assert_array_equal(read[layer][name].array(), array)
    for split in ("validation", "test"):
        assert after.metrics[split]["accuracy"] == done.metrics[split]["accuracy"]


@pytest.mark.slow
def test_a_grid_and_factors(trainer, plain, trained):
    grid = replace(plain, stages=(Quantise(codebook="grid", quantise_epochs=0),))
    _, _, tensors = performed(trainer, grid, trained)
    for layer in plain.architecture.kernels:
        kernel, was = tensors[layer]["kernel"], trained[layer]["kernel"].array()
        assert np.abs(kernel.array() - was).max() <= 0.51 * kernel.step
    thin = replace(plain, stages=(Factor(0.5),))
    _, _, tensors = performed(trainer, thin, trained)
    kernel = tensors["conv10"]["kernel"]
    held = kernel.left.size + kernel.right.size
    assert held <= 0.5 * np.prod(kernel.shape)
    assert np.linalg.matrix_rank(kernel.array()[0, 0], tol=1e-4) <= kernel.left.shape[1]


@pytest.mark.slow
def test_the_gradient_of_a_shared_value_is_the_sum_of_theirs(plain, tiny, trained):
    """Steps without momentum and clipping, against sums made here."""
    recipe = replace(RECIPE, momentum=0.0, weight_decay=0.0, clip_norm=None)
    cell = replace(plain, recipe=recipe, stages=(Quantise(3),))
    work = work_on(cell, trained)
    engine = MemoryFeed(tiny).compile(cell, 1).engine
    state = work.beginning.applied_to(engine.initialise(jax.random.key(0)))
    state = jax.tree.map(jnp.asarray, state)
    drawn = np.random.default_rng(0)
    gradients = jax.tree.map(
        lambda x: drawn.standard_normal(x.shape).astype(np.float32), state.parameters
    )
    sums = Sums(no_totals(), jax.tree.map(jnp.asarray, gradients), {})
    groups = jnp.asarray(work.beginning.groups)
    for _ in range(2):  # the rate of the first step is 0
        state = engine.descend(state, sums, groups)
    rate = learning_rate(engine.recipe, engine.steps)(1) / engine.batch_size
    inputs = {"input": to_arrays(trained)["input"]}
    begun = work.finish(work.beginning.weights)
    ended = work.finish({**jax.tree.map(np.asarray, state.parameters), **inputs})
    for layer in cell.architecture.kernels:
        kernel, flat = begun[layer]["kernel"], gradients[layer]["kernel"].reshape(-1)
        own = np.bincount(kernel.codes, flat[kernel.positions], len(kernel.codebook))
        np.testing.assert_allclose(
            ended[layer]["kernel"].codebook, kernel.codebook - rate * own, atol=1e-5
        )


def test_what_cannot_be_pruned_is_named(plain, trained):
    cell = replace(plain, stages=(Prune(quality=50.0),))
    with pytest.raises(DseError, match="conv1 cannot be pruned: none of 54 weights is"):
        work_on(cell, trained)
    with pytest.raises(DseError, match=r"no kernel in 'conv9'.*did you mean conv1"):
        replace(plain, stages=(Prune(pruned="conv9"),))
