"""A network as it is written down is the graph that its layers make."""

import numpy as np
import pytest

from dse.arch.build import Build
from dse.arch.cost import cost
from dse.arch.graph import Architecture
from dse.arch.layers import (
    Add,
    Concat,
    Convolution,
    Dense,
    Dropout,
    GlobalAverage,
    Relu,
)
from dse.arch.pools import AveragePool, MaxPool
from dse.errors import DseError


def test_each_call_adds_a_layer_to_the_last():
    net = Build((16, 16, 3), 10, "xavier")
    assert net.last == "input"
    assert net.shape() == (16, 16, 3)
    assert net.conv("conv1", 8, kernel=3, padding=1) == "relu_conv1"
    assert net.shape() == (16, 16, 8)
    first = net.max_pool("pool1", 3, 2)
    left = net.conv("block/left", 8, 1, deviation=0.05)
    right = net.conv("block/right", 8, 1, source=first, relu=False)
    assert (left, right) == ("block/relu_left", "block/right")
    both = net.sum("block/add", left, right)
    assert net.concat("block/concat", both, left) == "block/concat"
    assert net.shape() == (8, 8, 16)
    net.average_pool("pool2", 2, 2, "same")
    net.dropout("drop", 0.25)
    net.dense("hidden", 20, relu=True)
    net.dense("scores", 10, initializer="he")
    assert net.done() == Architecture(
        (16, 16, 3),
        (
            Convolution("conv1", ("input",), 8, 3, 1, 1, "xavier"),
            Relu("relu_conv1", ("conv1",)),
            MaxPool("pool1", ("relu_conv1",), 3, 2, "ceil"),
            Convolution("block/left", ("pool1",), 8, 1, 1, 0, "xavier", 0.05),
            Relu("block/relu_left", ("block/left",)),
            Convolution("block/right", ("pool1",), 8, 1, 1, 0, "xavier"),
            Add("block/add", ("block/relu_left", "block/right")),
            Concat("block/concat", ("block/add", "block/relu_left")),
            AveragePool("pool2", ("block/concat",), 2, 2, "same"),
            Dropout("drop", ("pool2",), 0.25),
            Dense("hidden", ("drop",), 20, "xavier"),
            Relu("relu_hidden", ("hidden",)),
            Dense("scores", ("relu_hidden",), 10, "he"),
        ),
    )


def test_maps_become_scores():
    net = Build((9, 7, 1), 5)
    net.conv("maps", 5, 1, relu=False)
    assert net.average("scores") == "scores"
    network = net.done()
    assert network.layers[-1] == GlobalAverage("scores", ("maps",))
    assert (network.classes, network.shapes["scores"]) == (5, (1, 1, 5))
    assert cost(network).params == 5 + 5


def test_layers_of_a_person_s_own_fit_in():
    net = Build((4, 4, 2), 2)
    assert net.add(Relu("first", ("input",))) == "first"
    net.average("scores")
    assert [layer.name for layer in net.done().layers] == ["first", "scores"]


@pytest.mark.parametrize(
    ("filters", "last", "said"),
    [
        (
            9,
            "average",
            "ends in 1x1x9 at layer 'scores'; expected 1x1x10, a score a cl",
        ),
        (10, "", "ends in 8x8x10 at layer 'relu_conv'; expected 1x1x10, a score a cl"),
    ],
)
def test_a_network_ends_in_a_score_a_class(filters, last, said):
    net = Build((8, 8, 3), 10)
    net.conv("conv", filters, 1)
    if last:
        net.average("scores")
    with pytest.raises(DseError, match=said):
        net.done()


def test_a_network_of_nothing():
    with pytest.raises(DseError, match="ends in 8x8x3 at layer 'input'; expected 1x1x"):
        Build((8, 8, 3), 10).done()


def test_a_network_that_cannot_be_is_refused_at_its_end():
    net = Build((8, 8, 3), 10)
    net.conv("conv", 10, 1)
    net.conv("conv", 10, 1)
    with pytest.raises(DseError, match="two layers are called 'conv'; rename one"):
        net.done()
    net = Build((8, 8, 3), 10)
    net.max_pool("pool", 20, 2)
    with pytest.raises(DseError, match="nothing is left of it at layer 'pool'"):
        net.shape()


@pytest.mark.parametrize(
    ("shape", "classes", "said"),
    [
        ((8, 8, 3), 1, "classes is 1; expected 2 or more"),
        ((8, 8, 3), 2.0, "classes is 2.0; expected 2 or more"),
        ((8, 8, 3), 2**16 + 1, "classes is 65537; expected 2 or more, .* 65,536"),
        ((8, 8), 10, r"input is \(8, 8\); expected height, width and channels"),
        ((8, -1, 3), 10, "the input's width is -1; expected"),
        ((8.5, 8, 3), 10, "the input's height is 8.5; expected"),
        ((8, 8, 0), 10, "the input has 0 channels; expected 1 or more, at most 65,536"),
        ((8, 8, 2**20), 10, "the input has 1048576 channels; expected 1 or more"),
    ],
)
def test_inputs_and_classes_that_are_none(shape, classes, said):
    with pytest.raises(DseError, match=said):
        Build(shape, classes)


def test_numbers_of_numpy_are_numbers():
    net = Build(tuple(np.array([8, 8, 3])), np.int64(4))
    net.conv("conv", 4, 1)
    net.average("scores")
    assert net.done().classes == 4
