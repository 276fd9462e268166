import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from dse.arch.graph import (
    Add,
    Architecture,
    Concat,
    Convolution,
    Dropout,
    GlobalAverage,
    MaxPool,
    Relu,
)
from dse.arch.squeezenet import Metaparameters, squeezenet
from dse.errors import DseError
from dse.models.network import Network, initial_kernels, weights_of
from dse.models.trained import TrainedModel
from dse.ops import FAST_ON_CPU, REFERENCE


def test_every_kind_of_layer_by_hand():
    layers = (
        Convolution("a", ("input",), 1, 1),
        Relu("r", ("a",)),
        Add("s", ("input", "r")),
        Concat("c", ("s", "input")),
        MaxPool("p", ("c",), 2, 2, "ceil"),
        Dropout("d", ("p",), 0.5),
        GlobalAverage("g", ("d",)),
    )
    network = Network(Architecture((2, 3, 1), layers), nnx.Rngs(0))
    network.layers["a"].kernel.set_value(jnp.full((1, 1, 1, 1), -2.0))
    network.layers["a"].bias.set_value(jnp.array([4.0]))
    x = np.array([[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]).reshape(1, 2, 3, 1)
    # relu(4 - 2x) = 4 2 0 / 0 0 0; + x = 4 3 2 / 3 4 5. Windows of columns 01 and 2
    # (the last overhangs): maxima 4, 5 and, of the input itself, 4, 5.
    np.testing.assert_allclose(network(jnp.asarray(x)), [[4.5, 4.5]])


def test_both_forms_make_one_network():
    architecture = squeezenet(Metaparameters(8, 8, bypass="complex"), (28, 30, 3), 5)
    images = jax.random.normal(jax.random.key(1), (2, 28, 30, 3))
    scores = [
        Network(architecture, nnx.Rngs(0), operations)(images)
        for operations in (REFERENCE, FAST_ON_CPU)
    ]
    assert scores[0].shape == (2, 5)
    np.testing.assert_allclose(scores[0], scores[1], rtol=1e-4, atol=1e-5)


def test_dropout_zeroes_half_and_keeps_the_mean():
    layers = (Dropout("d", ("input",), 0.5), GlobalAverage("g", ("d",)))
    network = Network(Architecture((64, 64, 4), layers), nnx.Rngs(0))
    images = jnp.ones((1, 64, 64, 4))
    np.testing.assert_array_equal(network(images), np.ones((1, 4)))
    dropped = network(images, jax.random.key(3))
    # 4096 draws of 0 or 2 a channel: the mean is 1 within 5 deviations of 1/64.
    np.testing.assert_allclose(dropped, 1, atol=5 / 64)
    assert not np.allclose(dropped, network(images, jax.random.key(4)))


def test_initialisers_have_their_spread():
    small = squeezenet(Metaparameters(), (32, 32, 3), 10)
    kernels = initial_kernels(small, jax.random.key(0))
    he = kernels["fire9/expand3x3"]  # fan-in 9 * 64
    assert float(he.std()) == pytest.approx((2 / (9 * 64)) ** 0.5, rel=0.02)
    assert float(jnp.abs(he.mean())) < 5e-4
    large = squeezenet(Metaparameters())
    kernels = initial_kernels(large, jax.random.key(0))
    xavier = kernels["fire9/expand3x3"]
    assert float(jnp.abs(xavier).max()) <= (3 / (9 * 64)) ** 0.5
    assert float(xavier.std()) == pytest.approx((1 / (9 * 64)) ** 0.5, rel=0.02)
    assert float(kernels["conv10"].std()) == pytest.approx(0.01, rel=0.02)


def test_initialisation_depends_on_the_key_alone():
    architecture = squeezenet(Metaparameters(8, 8), (28, 28, 1), 10)
    one, same, other = (
        initial_kernels(architecture, jax.random.key(k))["conv1"] for k in (0, 0, 1)
    )
    np.testing.assert_array_equal(one, same)
    assert not np.allclose(one, other)


def test_a_trained_model_answers_in_pixels():
    architecture = squeezenet(Metaparameters(4, 4), (28, 28, 1), 3)
    network = Network(architecture, nnx.Rngs(5))
    weights = weights_of(nnx.state(network, nnx.Param))
    weights["input"] = {"mean": np.array([100.0]), "deviation": np.array([50.0])}
    model = TrainedModel(architecture, ("x", "y", "z"), weights)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 28, 28, 1), dtype=np.uint8)
    expected = jax.nn.softmax(network((jnp.asarray(pixels, jnp.float32) - 100) / 50))
    np.testing.assert_allclose(model.probabilities(pixels), expected, rtol=1e-5)
    with pytest.raises(DseError, match=r"28x28x3 .* takes 28x28x1"):
        model.probabilities(np.zeros((1, 28, 28, 3), np.uint8))
