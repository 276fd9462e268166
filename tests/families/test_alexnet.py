"""AlexNet: counts as printed and by hand, layer by layer."""

import numpy as np
import pytest

from dse.arch.cost import cost
from dse.arch.layers import Convolution, Dense, Dropout, LocalResponseNorm
from dse.families.alexnet import AlexNet

IMAGENET = (227, 227, 3), 1000

# Parameters and MACs: of bvlc_alexnet, and of torchvision's at 224 pixels.
DENSE = {
    "fc6": (37_752_832, 37_748_736),
    "fc7": (16_781_312, 16_777_216),
    "fc8": (4_097_000, 4_096_000),
}
CAFFE = {
    "conv1": (34_944, 105_415_200),
    "conv2": (307_456, 223_948_800),
    "conv3": (885_120, 149_520_384),
    "conv4": (663_936, 112_140_288),
    "conv5": (442_624, 74_760_192),
    **DENSE,
}
TORCHVISION = {
    "conv1": (23_296, 70_276_800),
    "conv2": (307_392, 223_948_800),
    "conv3": (663_936, 112_140_288),
    "conv4": (884_992, 149_520_384),
    "conv5": (590_080, 99_680_256),
    **DENSE,
}


def counted(costs):
    return {x.name: (x.params, x.macs) for x in costs.layers if x.params}


def test_caffes_network_layer_by_layer():
    costs = cost(AlexNet().architecture(*IMAGENET))
    assert counted(costs) == CAFFE
    assert (costs.params, costs.macs, costs.activations) == (
        60_965_224,
        724_406_816,
        659_272,
    )
    assert costs.bytes_fp32 == 243_860_896


def test_torchvisions_tower_layer_by_layer():
    costs = cost(AlexNet(towers="one").architecture((224, 224, 3), 1000))
    assert counted(costs) == TORCHVISION
    assert (costs.params, costs.macs, costs.activations) == (
        61_100_840,
        714_188_480,
        494_184,
    )


def test_groups_halve_what_a_filter_reads():
    joined = cost(AlexNet(towers="joined").architecture(*IMAGENET))
    assert (joined.params, joined.macs) == (62_378_344, 1_135_256_096)
    assert joined.activations == 659_272
    halved = {"conv2", "conv4", "conv5"}
    for name, (params, macs) in counted(joined).items():
        biases = 256 if name in ("conv2", "conv5") else 384
        expected = ((params - biases) // 2 + biases, macs // 2)
        assert CAFFE[name] == (expected if name in halved else (params, macs))


def test_the_small_network():
    costs = cost(AlexNet().architecture((28, 28, 3), 10))
    assert (costs.params, costs.macs) == (1_387_786, 25_113_472)
    shapes = {x.name: x.output for x in costs.layers}
    assert [shapes[x] for x in ("pool1", "pool2", "fc5")] == [
        (14, 14, 64),
        (7, 7, 64),
        (1, 1, 10),
    ]


def test_norms_biases_and_spreads_are_caffes():
    network = AlexNet().architecture(*IMAGENET)
    norms = [x for x in network.layers if isinstance(x, LocalResponseNorm)]
    assert [x.inputs for x in norms] == [("relu_conv1",), ("relu_conv2",)]
    assert {(x.size, x.alpha, x.beta, x.k) for x in norms} == {(5, 2e-5, 0.75, 1.0)}
    started = {
        x.name: (x.bias, x.deviation, x.initializer)
        for x in network.layers
        if isinstance(x, Convolution | Dense)
    }
    assert started["conv1"] == started["conv3"] == (0.0, 0.01, "gaussian")
    assert started["conv2"] == started["conv4"] == started["conv5"]
    assert started["conv2"] == (0.1, 0.01, "gaussian")
    assert started["fc6"] == started["fc7"] == (0.1, 0.005, "gaussian")
    assert started["fc8"] == (0.0, 0.01, "gaussian")


@pytest.mark.parametrize(("towers", "before"), [("two", False), ("one", True)])
def test_dropout_follows_a_dense_layer_or_goes_before_it(towers, before):
    layers = AlexNet(towers=towers).architecture(*IMAGENET).layers
    drops = [x for x in layers if isinstance(x, Dropout)]
    read = ["pool5", "relu_fc6"] if before else ["relu_fc6", "relu_fc7"]
    assert [(x.inputs[0], x.rate) for x in drops] == [(x, 0.5) for x in read]


@pytest.mark.parametrize("width", np.linspace(0.02, 2, 23))
def test_any_width_divides_into_two_groups(width):
    network = AlexNet(width=float(width)).architecture(*IMAGENET)
    for layer in network.layers:
        if isinstance(layer, Convolution):
            assert layer.filters % 2 == 0
    costs = cost(network)
    assert costs.params > 0
