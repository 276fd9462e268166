"""Both forms of training, parts of batches, and stacks of replicates."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dse.arch.cost import cost
from dse.families.squeezenet import SqueezeNet
from dse.ops import FAST_ON_CPU
from dse.runs.cell import Cell
from dse.runs.recipe import Recipe
from dse.train import stepped
from dse.train.engine import Engine
from dse.train.program import compile_program, form_for, stack_size
from dse.train.state import Batches, Normaliser, Replicate, replicate_keys

ARCHITECTURE = SqueezeNet(4, 4, sr=0.5).architecture((28, 28, 1), 4)


@pytest.fixture(scope="module")
def cell(tiny):
    recipe = Recipe(2, 0.05, batch_size=8, crop_padding=2, mirror=True)
    return Cell(ARCHITECTURE, recipe, "tiny", tiny.fingerprint, tiny.class_names)


@pytest.fixture(scope="module")
def images(tiny):
    return Batches(jnp.asarray(tiny.train.pixels), jnp.asarray(tiny.train.labels))


def replicate(number):
    """Replicates differ in randomness, normalisation and images."""
    return Replicate(
        replicate_keys(0, number, ARCHITECTURE.id),
        Normaliser(jnp.array([40.0 + number]), jnp.array([60.0])),
        jnp.arange(20 * number, 20 * number + 32),
    )


def compiled(cell, images, form, replicates):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dse.train.program.form_for", lambda _: form)
        return compile_program(cell, images, 32, 16, replicates)


def outcome(cell, images, numbers, form):
    """Each replicate's totals of two epochs, scores, and weights."""
    program = compiled(cell, images, form, len(numbers))
    training = program.begin([replicate(number) for number in numbers])
    epochs = [training.advance(epoch, 4 * epoch) for epoch in (1, 2)]
    rows = [np.arange(32).reshape(2, 16) + number for number in numbers]
    scores = training.score(rows)
    weights = [state.weights for state in training.states()]
    per_replicate = zip(*epochs, scores, weights, strict=True)
    return dict(zip(numbers, per_replicate, strict=True))


def assert_close(one, other):
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-4)


@pytest.mark.slow
def test_a_replicate_in_a_stack_equals_the_same_one_alone(cell, images):
    together = outcome(cell, images, (0, 2), "stacked")
    for number in (0, 2):
        alone = outcome(cell, images, (number,), "stepped")[number]
        assert_close(together[number], alone)
    assert not np.allclose(together[0][0].loss, together[2][0].loss)


@pytest.mark.parametrize(
    ("form", "numbers"),
    [
        ("stepped", (2,)),
        pytest.param("stacked", (0, 2), marks=pytest.mark.slow),
    ],
)
def test_a_training_goes_on_from_the_states_of_another(cell, images, form, numbers):
    program = compiled(cell, images, form, len(numbers))
    replicates = [replicate(number) for number in numbers]
    one, other = program.begin(replicates), program.begin(replicates)
    one.advance(1, 4)
    states = one.states()
    assert [int(state.step) for state in states] == [4] * len(numbers)
    expected = one.advance(2, 8), one.states()
    # What was told is a copy: that the training went on did not change it.
    other.resume(states)
    got = other.advance(2, 8), other.states()
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_a_batch_in_parts_trains_as_the_whole(cell, images, monkeypatch):
    whole = outcome(cell, images, (1,), "stepped")
    activations = 4 * cost(ARCHITECTURE).activations
    monkeypatch.setattr(stepped, "PART_BYTES", 2 * activations)
    assert stepped.part_size(ARCHITECTURE, 8) == 2
    assert_close(outcome(cell, images, (1,), "stepped"), whole)


def test_parts_divide_the_batch_and_fit(monkeypatch):
    activations = 4 * cost(ARCHITECTURE).activations
    monkeypatch.setattr(stepped, "PART_BYTES", 10 * activations + 1)
    # A batch without a divisor between a quarter of 10 and 10 stays whole.
    expected = {8: 8, 10: 10, 100: 10, 64: 8, 12: 6, 22: 22, 97: 97, 1: 1}
    assert {b: stepped.part_size(ARCHITECTURE, b) for b in expected} == expected
    monkeypatch.setattr(stepped, "PART_BYTES", 1)
    assert stepped.part_size(ARCHITECTURE, 64) == 1


def test_replicates_share_a_program_except_on_cpus(monkeypatch):
    assert (form_for("cpu"), form_for("gpu")) == ("stepped", "stacked")
    assert stack_size(5) == 1
    monkeypatch.setattr("dse.train.program.form_for", lambda _: "stacked")
    assert stack_size(5) == 5


def test_short_runs_compile_fast_and_long_ones_run_fast(cell, images):
    """The work of a run decides, 6 operations a MAC; never what else is in the job."""
    macs = cost(ARCHITECTURE).macs
    # 4 images a step; so many steps that the bound lies between one more and one less.
    steps = int(stepped.SHORT_RUN_OPERATIONS / (6 * macs * 4))
    short = Engine(ARCHITECTURE, replace(cell.recipe, epochs=1), steps, 4, FAST_ON_CPU)
    long = replace(short, steps_per_epoch=steps + 1)
    assert stepped.compiler_options(short)["xla_backend_optimization_level"] == 1
    assert stepped.compiler_options(long) == {}
