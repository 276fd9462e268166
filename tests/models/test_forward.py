"""What layers compute, against float64 worked out by NumPy alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dse.arch.build import Build
from dse.arch.graph import Architecture
from dse.arch.layers import Dense, GlobalAverage
from dse.arch.pools import AveragePool
from dse.families.alexnet import AlexNet
from dse.families.googlenet import GoogLeNet
from dse.families.nin import Nin
from dse.families.resnet import ResNet
from dse.families.vgg import Vgg
from dse.models.network import Network, initial_statistics, initial_weights
from dse.ops import FAST_ON_CPU, FAST_ON_GPU, REFERENCE, STACKED


@pytest.fixture(scope="module")
def dense():
    """A dense layer on 3x4x2 images, its weights and inputs in float64."""
    architecture = Architecture((3, 4, 2), (Dense("d", ("input",), 5),))
    generator = np.random.default_rng(0)
    kernel, bias = generator.normal(size=(24, 5)), generator.normal(size=5)
    return architecture, kernel, bias, generator.normal(size=(6, 3, 4, 2))


@pytest.mark.parametrize("operations", [REFERENCE, FAST_ON_CPU])
def test_a_dense_layer(dense, operations):
    architecture, kernel, bias, x = dense

    def loss(kernel, bias, x):
        weights = {"d": {"kernel": kernel, "bias": bias}}
        scores = Network(architecture, weights, operations)(x)
        return (scores**2).sum(), scores

    given = [jnp.asarray(array, jnp.float32) for array in (kernel, bias, x)]
    gradients, scores = jax.grad(loss, argnums=(0, 1, 2), has_aux=True)(*given)
    # Rows, columns, channels in this order.
    flat = np.array([[v for row in image for at in row for v in at] for image in x])
    expected = flat @ kernel + bias
    np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=1e-4)
    of_scores = 2 * expected
    for got, wanted in zip(
        gradients,
        (flat.T @ of_scores, of_scores.sum(axis=0), (of_scores @ kernel.T)),
        strict=True,
    ):
        np.testing.assert_allclose(
            np.reshape(got, wanted.shape), wanted, rtol=1e-4, atol=1e-3
        )


@pytest.mark.parametrize("operations", [FAST_ON_GPU, STACKED])
def test_a_dense_layer_in_bfloat16_answers_in_float32(dense, operations):
    architecture, kernel, bias, x = dense
    weights = {"d": {"kernel": kernel, "bias": bias}}
    scores = Network(architecture, weights, operations)(jnp.asarray(x, jnp.float32))
    assert scores.dtype == jnp.float32
    expected = x.reshape(6, 24) @ kernel + bias
    # Eight bits of mantissa: 2^-8 of each product, 24 of them.
    np.testing.assert_allclose(scores, expected, atol=0.02 * np.abs(expected).max())


def test_a_dense_layer_by_hand():
    architecture = Architecture((1, 2, 2), (Dense("d", ("input",), 2),))
    kernel = np.array([[1.0, 0.0], [0.0, 1.0], [10.0, 0.0], [0.0, 100.0]])
    weights = {"d": {"kernel": kernel, "bias": np.array([0.5, -0.5])}}
    images = jnp.asarray([[[[1.0, 2.0], [3.0, 4.0]]]])
    # 1 + 10 * 3 + 0.5, and 2 + 100 * 4 - 0.5.
    np.testing.assert_allclose(Network(architecture, weights)(images), [[31.5, 401.5]])


def test_an_average_pool_by_hand():
    layers = (
        AveragePool("p", ("input",), 2, 2, "ceil"),
        GlobalAverage("g", ("p",)),
    )
    network = Network(Architecture((2, 3, 1), layers), {})
    images = jnp.asarray([[[[1.0], [2.0], [10.0]], [[3.0], [6.0], [20.0]]]])
    # The mean of 1 2 3 6 is 3, of the column that overhangs 15; their mean is 9.
    np.testing.assert_allclose(network(images), [[9.0]])


@pytest.mark.parametrize(
    ("point", "shape"),
    [
        (Nin(width=1 / 16, head="dense", pool2="average"), (28, 30, 3)),
        (AlexNet(width=1 / 16), (28, 30, 3)),
        (AlexNet(width=1 / 48), (131, 128, 3)),
        (Vgg(depth=11, width=1 / 16), (28, 30, 3)),
        (Vgg(depth=11, width=1 / 16, norm="batch"), (28, 30, 3)),
        (ResNet(8, width=1 / 2), (17, 16, 3)),
        (ResNet(18, width=1 / 16), (128, 130, 3)),
        (GoogLeNet(width=1 / 16), (28, 30, 3)),
    ],
    ids=str,
)
def test_both_forms_make_one_network(point, shape):
    architecture = point.architecture(shape, 5)
    weights = initial_weights(architecture, jax.random.key(0))
    for layer, averages in initial_statistics(architecture).items():
        weights[layer] |= averages
    images = jax.random.normal(jax.random.key(1), (2, *shape))
    scores = [
        jax.jit(Network(architecture, weights, operations).__call__)(images)
        for operations in (REFERENCE, FAST_ON_CPU)
    ]
    assert scores[0].shape == (2, 5)
    assert float(jnp.abs(scores[0]).max()) > 0
    np.testing.assert_allclose(scores[0], scores[1], rtol=1e-4, atol=1e-6)


def test_a_gaussian_has_the_deviation_that_is_asked_for():
    net = Build((8, 8, 16), 64, "gaussian")
    net.conv("wide", 64, 3, padding=1, deviation=0.05)
    net.conv("fine", 64, 3, padding=1)
    net.dense("scores", 64, deviation=0.2)
    architecture = net.done()
    weights = initial_weights(architecture, jax.random.key(0))
    shapes = {
        layer: {name: array.shape for name, array in arrays.items()}
        for layer, arrays in weights.items()
    }
    assert shapes["wide"] == {"kernel": (3, 3, 16, 64), "bias": (64,)}
    assert shapes["scores"] == {"kernel": (8 * 8 * 64, 64), "bias": (64,)}
    for layer, deviation in (("wide", 0.05), ("fine", 0.01), ("scores", 0.2)):
        kernel = weights[layer]["kernel"]
        # 9,216 draws at least: three deviations of the estimate are 2.2 %.
        assert float(kernel.std()) == pytest.approx(deviation, rel=0.03)
        assert not weights[layer]["bias"].any()


def test_the_fan_in_of_a_dense_layer_is_all_that_it_reads():
    net = Build((4, 5, 8), 50)
    net.dense("scores", 50)
    kernel = initial_weights(net.done(), jax.random.key(0))["scores"]["kernel"]
    assert float(kernel.std()) == pytest.approx((2 / 160) ** 0.5, rel=0.04)
