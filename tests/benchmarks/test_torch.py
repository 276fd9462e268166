"""Whole networks against PyTorch, where it is installed (the extra `benchmarks`)."""

import sys
from pathlib import Path

import jax
import numpy as np
import pytest

import dse
from dse.arch.layers import Convolution, Dense
from dse.families.alexnet import AlexNet
from dse.families.nin import Nin
from dse.families.squeezenet import SqueezeNet
from dse.families.vgg import Vgg
from dse.models.network import Network, initial_weights
from dse.ops import FAST_ON_CPU, REFERENCE

torch = pytest.importorskip("torch")
FOLDER = Path(dse.__file__).parents[1] / "experiments" / "benchmarks"
sys.path.append(str(FOLDER))


def with_weights(architecture, weights):
    """PyTorch's network, with these weights: its kernels are OIHW, its maps NCHW."""
    from torch_network import TorchNetwork

    network = TorchNetwork(architecture).eval()
    with torch.no_grad():
        for layer in architecture.layers:
            if not isinstance(layer, Convolution | Dense):
                continue
            own = network.learnt[layer.name.replace("/", "_")]
            kernel = weights[layer.name]["kernel"]
            if isinstance(layer, Dense):
                shape = architecture.shapes[layer.inputs[0]]
                kernel = kernel.reshape(*shape, layer.units)
            moved = kernel.transpose(3, 2, 0, 1).reshape(own.weight.shape)
            own.weight.copy_(torch.from_numpy(np.ascontiguousarray(moved)))
            if layer.bias is not None:
                own.bias.copy_(torch.from_numpy(weights[layer.name]["bias"]))
    return network


@pytest.mark.parametrize(
    ("point", "shape"),
    [
        (AlexNet(width=1 / 4), (227, 227, 3)),
        (AlexNet(width=1 / 4, towers="one"), (224, 224, 3)),
        (AlexNet(width=1 / 2), (28, 28, 3)),
        (Vgg(depth="11", width=1 / 4), (28, 28, 1)),
        (Vgg(width=1 / 16, head="average"), (130, 128, 3)),
        (Nin(width=1 / 4), (32, 32, 3)),
        (SqueezeNet(16, 16, bypass="complex"), (32, 32, 3)),
    ],
    ids=str,
)
def test_scores_are_those_of_pytorch(point, shape):
    architecture = point.architecture(shape, 7)
    weights = initial_weights(architecture, jax.random.key(1))
    images = np.random.default_rng(0).normal(size=(2, *shape)).astype(np.float32)
    with torch.no_grad():
        expected = with_weights(architecture, weights)(
            torch.from_numpy(images.transpose(0, 3, 1, 2).copy())
        ).numpy()
    assert np.abs(expected).max() > 0
    for operations in (REFERENCE, FAST_ON_CPU):
        network = Network(architecture, weights, operations)
        scores = jax.jit(network.__call__)(images)
        limit = 1e-4 * np.abs(expected).max()
        np.testing.assert_allclose(scores, expected, rtol=0, atol=limit)
