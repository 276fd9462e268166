from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dse.arch.graph import Architecture
from dse.arch.layers import Add, Concat, Convolution, Dropout, GlobalAverage, Relu
from dse.arch.pools import MaxPool
from dse.errors import DseError
from dse.families.squeezenet import SqueezeNet
from dse.models.network import Network, initial_weights
from dse.models.trained import TrainedModel
from dse.ops import FAST_ON_CPU, FAST_ON_GPU, REFERENCE, STACKED


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
    weights = {"a": {"kernel": np.full((1, 1, 1, 1), -2.0), "bias": np.array([4.0])}}
    network = Network(Architecture((2, 3, 1), layers), weights)
    x = np.array([[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]).reshape(1, 2, 3, 1)
    # relu(4 - 2x) = 4 2 0 / 0 0 0; + x = 4 3 2 / 3 4 5. Windows of columns 01 and 2
    # (the last overhangs): maxima 4, 5 and, of the input itself, 4, 5.
    np.testing.assert_allclose(network(jnp.asarray(x)), [[4.5, 4.5]])


@pytest.mark.slow
def test_both_forms_make_one_network():
    architecture = SqueezeNet(8, 8, bypass="complex").architecture((28, 30, 3), 5)
    images = jax.random.normal(jax.random.key(1), (2, 28, 30, 3))
    weights = initial_weights(architecture, jax.random.key(0))
    products = replace(STACKED, dtype=jnp.float32)
    scores = [
        Network(architecture, weights, operations)(images)
        for operations in (REFERENCE, FAST_ON_CPU, products)
    ]
    assert scores[0].shape == (2, 5)
    np.testing.assert_allclose(scores[0], scores[1], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(scores[0], scores[2], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("operations", [FAST_ON_GPU, STACKED])
def test_bfloat16_stays_close_and_answers_in_float32(operations):
    architecture = SqueezeNet(8, 8).architecture((28, 28, 3), 5)
    images = jax.random.normal(jax.random.key(1), (2, 28, 28, 3))
    weights = initial_weights(architecture, jax.random.key(0))
    exact, rounded = (
        jax.jit(Network(architecture, weights, form).__call__)(images)
        for form in (REFERENCE, operations)
    )
    assert rounded.dtype == jnp.float32
    # Eight bits of mantissa through some twenty layers.
    np.testing.assert_allclose(rounded, exact, atol=0.05 * float(jnp.abs(exact).max()))


def test_dropout_zeroes_half_and_keeps_the_mean():
    layers = (Dropout("d", ("input",), 0.5), GlobalAverage("g", ("d",)))
    network = Network(Architecture((64, 64, 4), layers), {})
    images = jnp.ones((3, 64, 64, 4))
    np.testing.assert_array_equal(network(images), np.ones((3, 4)))
    keys = jax.random.split(jax.random.key(3), 3)
    dropped = network.in_training(images, keys).scores
    # 4096 draws of 0 or 2 a channel: the mean is 1 within 5 deviations of 1/64.
    np.testing.assert_allclose(dropped, 1, atol=5 / 64)
    assert not np.allclose(dropped[0], dropped[1])
    # An image's mask is its key's, whatever else is in the batch.
    alone = network.in_training(images[:1], keys[1:2]).scores
    np.testing.assert_array_equal(alone[0], dropped[1])


def test_initialisers_have_their_spread():
    small = SqueezeNet().architecture((32, 32, 3), 10)
    weights = initial_weights(small, jax.random.key(0))
    he = weights["fire9/expand3x3"]["kernel"]  # fan-in 9 * 64
    assert float(he.std()) == pytest.approx((2 / (9 * 64)) ** 0.5, rel=0.02)
    assert float(jnp.abs(he.mean())) < 5e-4
    large = SqueezeNet().architecture((227, 227, 3), 1000)
    weights = initial_weights(large, jax.random.key(0))
    xavier = weights["fire9/expand3x3"]["kernel"]
    assert float(jnp.abs(xavier).max()) <= (3 / (9 * 64)) ** 0.5
    assert float(xavier.std()) == pytest.approx((1 / (9 * 64)) ** 0.5, rel=0.02)
    assert float(weights["conv10"]["kernel"].std()) == pytest.approx(0.01, rel=0.02)


def test_initialisation_depends_on_the_key_alone():
    architecture = SqueezeNet(8, 8).architecture((28, 28, 1), 10)
    one, same, other = (
        initial_weights(architecture, jax.random.key(k))["conv1"]["kernel"]
        for k in (0, 0, 1)
    )
    np.testing.assert_array_equal(one, same)
    assert not np.allclose(one, other)


def test_a_trained_model_answers_in_pixels():
    architecture = SqueezeNet(4, 4).architecture((28, 28, 1), 3)
    weights = initial_weights(architecture, jax.random.key(5))
    network = Network(architecture, weights)
    weights["input"] = {"mean": np.array([100.0]), "deviation": np.array([50.0])}
    model = TrainedModel(architecture, ("x", "y", "z"), weights)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 28, 28, 1), dtype=np.uint8)
    expected = jax.nn.softmax(network((jnp.asarray(pixels, jnp.float32) - 100) / 50))
    np.testing.assert_allclose(model.probabilities(pixels), expected, rtol=1e-5)
    with pytest.raises(DseError, match=r"28x28x3 .* takes 28x28x1"):
        model.probabilities(np.zeros((1, 28, 28, 3), np.uint8))


@pytest.fixture(scope="module")
def small_model():
    architecture = SqueezeNet(4, 4).architecture((28, 28, 1), 3)
    weights = initial_weights(architecture, jax.random.key(5))
    weights["input"] = {"mean": np.array([100.0]), "deviation": np.array([50.0])}
    return TrainedModel(architecture, ("x", "y", "z"), weights)


IMAGE = np.full((28, 28, 1), 200, np.uint8)


@pytest.mark.parametrize(
    ("pixels", "said"),
    [
        (IMAGE[None] / np.float32(255), "pixels are float32; expected uint8 from 0 to"),
        (IMAGE[None] / 255, "pixels are float64"),
        (IMAGE[None].astype(np.int64), "pixels are int64"),
        (IMAGE[None].astype(np.int8), "pixels are int8"),
        (IMAGE[None].astype(np.uint16), "pixels are uint16"),
        (IMAGE[None] > 0, "pixels are bool"),
        (IMAGE[None].astype(object), "pixels are object"),
        (IMAGE[None].tolist(), "pixels are int64"),
        ("shoe.png", "pixels are <U8"),
        ([[1, 2], [3]], "pixels are no array"),
        (IMAGE, r"of one image, 28x28x1; .* probabilities\(image\[None\]\) makes"),
        (IMAGE[:, :, 0], r"of shape \(28, 28\); expected images x 28x28x1 \(height"),
        (IMAGE[None, None], r"of shape \(1, 1, 28, 28, 1\)"),
        (np.uint8(3), r"of shape \(\)"),
        (IMAGE[None, :, :, 0], r"of shape \(1, 28, 28\)"),
        (IMAGE.transpose(2, 0, 1)[None], r"images are 1x28x28 .* takes 28x28x1"),
        (IMAGE[None][:0], "there is no image"),
    ],
)
def test_a_trained_model_refuses_what_are_no_pixels(small_model, pixels, said):
    with pytest.raises(DseError, match=said) as refused:
        small_model.probabilities(pixels)
    assert "\n" not in str(refused.value)


def test_a_trained_model_takes_any_array_of_bytes(small_model):
    expected = small_model.probabilities(IMAGE[None])
    assert expected.sum() == pytest.approx(1)
    for same in (jnp.asarray(IMAGE[None]), [IMAGE], IMAGE[None][:, ::-1][:, ::-1]):
        np.testing.assert_allclose(small_model.probabilities(same), expected)
