"""Network in Network: counts worked out by hand, layer by layer."""

import numpy as np
import pytest

from dse.arch.cost import cost
from dse.arch.layers import Convolution, Dense, Dropout
from dse.arch.pools import AveragePool, MaxPool
from dse.errors import DseError
from dse.families.nin import Nin

CIFAR = (32, 32, 3), 10
IMAGENET = (224, 224, 3), 1000

# By layer: kernel, inputs, filters, rows of the output.
OF_CIFAR = {
    "conv1": (5, 3, 192, 32),
    "cccp1": (1, 192, 160, 32),
    "cccp2": (1, 160, 96, 32),
    "conv2": (5, 96, 192, 16),
    "cccp3": (1, 192, 192, 16),
    "cccp4": (1, 192, 192, 16),
    "conv3": (3, 192, 192, 8),
    "cccp5": (1, 192, 192, 8),
    "cccp6": (1, 192, 10, 8),
}
OF_IMAGENET = {
    "conv1": (11, 3, 96, 54),
    "cccp1": (1, 96, 96, 54),
    "cccp2": (1, 96, 96, 54),
    "conv2": (5, 96, 256, 27),
    "cccp3": (1, 256, 256, 27),
    "cccp4": (1, 256, 256, 27),
    "conv3": (3, 256, 384, 13),
    "cccp5": (1, 384, 384, 13),
    "cccp6": (1, 384, 384, 13),
    "conv4": (3, 384, 1024, 6),
    "cccp7": (1, 1024, 1024, 6),
    "cccp8": (1, 1024, 1000, 6),
}


@pytest.mark.parametrize(
    ("given", "by_hand", "params", "macs", "activations"),
    [
        (CIFAR, OF_CIFAR, 966_986, 222_486_528, 631_424),
        (IMAGENET, OF_IMAGENET, 7_595_176, 1_100_188_800, 1_704_096),
    ],
)
def test_counts_layer_by_layer(given, by_hand, params, macs, activations):
    costs = cost(Nin().architecture(*given))
    counted = {x.name: (x.params, x.macs, x.output) for x in costs.layers if x.params}
    assert counted == {
        name: (
            k * k * inputs * filters + filters,
            rows * rows * k * k * inputs * filters,
            (rows, rows, filters),
        )
        for name, (k, inputs, filters, rows) in by_hand.items()
    }
    assert costs.params == params
    assert costs.macs == macs
    assert costs.activations == activations


@pytest.mark.parametrize(
    ("point", "shape", "classes", "params", "macs"),
    [
        (Nin(), (28, 28, 3), 10, 966_986, 170_341_248),
        # Of cccp6 90 filters more, of 192 weights and a bias each, on 64 positions.
        (Nin(), (32, 32, 3), 100, 984_356, 222_486_528 + 64 * 90 * 192),
        # 8 * 8 * 10 inputs to 10 scores.
        (Nin(head="dense"), (32, 32, 3), 10, 966_986 + 6_410, 222_486_528 + 6_400),
        (Nin(pool2="average"), (32, 32, 3), 10, 966_986, 222_486_528),
        # Of conv1 two channels of 25 weights a filter fewer.
        (Nin(), (32, 32, 1), 10, 966_986 - 9_600, 222_486_528 - 1024 * 9_600),
    ],
)
def test_counts_of_others(point, shape, classes, params, macs):
    costs = cost(point.architecture(shape, classes))
    assert (costs.params, costs.macs) == (params, macs)
    table = type(point).costs(point.values, shape, classes)
    assert (table.params, table.macs) == (params, macs)


def test_a_share_of_the_width():
    # Half of every layer but the scores': 25 * 3 * 96 + 96, 96 * 80 + 80, ...
    halves = [(5, 3, 96), (1, 96, 80), (1, 80, 48), (5, 48, 96), (1, 96, 96)]
    halves += [(1, 96, 96), (3, 96, 96), (1, 96, 96), (1, 96, 10)]
    by_hand = sum(k * k * inputs * filters + filters for k, inputs, filters in halves)
    assert cost(Nin(width=0.5).architecture(*CIFAR)).params == by_hand
    # 192 / 128 is 1.5 and rounds up to 2, 160 / 128 = 1.25 to 1, 96 / 128 to 1.
    thin = Nin(width=1 / 128).architecture(*CIFAR)
    filters = {x.name: x.filters for x in thin.layers if isinstance(x, Convolution)}
    assert list(filters.values()) == [2, 1, 1, 2, 2, 2, 2, 2, 10]
    with pytest.raises(DseError, match="width is 1e-06, which leaves none of 192"):
        Nin(width=1e-6).architecture(*CIFAR)


def test_the_preset_scales_the_width_that_nobody_stated():
    assert Nin().unstated == ("width",)
    assert Nin().scaled(1 / 8) == Nin(width=0.125)
    assert Nin(width=1.0).scaled(1 / 8) == Nin(width=1.0)


def test_pools_and_dropout():
    small = Nin().architecture(*CIFAR)
    pools = [x for x in small.layers if isinstance(x, MaxPool | AveragePool)]
    assert [(x.name, x.kind, x.window, x.stride) for x in pools] == [
        ("pool1", "max_pool", 3, 2),
        ("pool2", "max_pool", 3, 2),
    ]
    assert [x.rate for x in small.layers if isinstance(x, Dropout)] == [0.5, 0.5]
    mean = Nin(pool2="average").architecture(*CIFAR)
    pools = {x.name: x.kind for x in mean.layers if "pool" in x.name}
    assert pools == {"pool1": "max_pool", "pool2": "average_pool"}
    large = Nin(pool2="average").architecture(*IMAGENET)
    kinds = [x.kind for x in large.layers if "pool" in x.name]
    assert kinds == ["max_pool"] * 3
    assert [x.name for x in large.layers if isinstance(x, Dropout)] == ["drop3"]


def test_how_its_kernels_are_drawn():
    def drawn(point, shape, classes):
        return {
            x.name: x.deviation
            for x in point.architecture(shape, classes).layers
            if isinstance(x, Convolution | Dense)
        }

    small = drawn(Nin(head="dense"), *CIFAR)
    assert set(small.values()) == {0.05}
    large = drawn(Nin(), *IMAGENET)
    fine = [name for name, deviation in large.items() if deviation == 0.01]
    assert fine == ["conv1", "conv3", "cccp8"]
    assert {large[name] for name in large if name not in fine} == {0.05}
    for layer in Nin().architecture(*CIFAR).layers:
        if isinstance(layer, Convolution):
            assert layer.initializer == "gaussian"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"width": -0.5}, r"width is -0.5; expected a number"),
        ({"width": 4.5}, r"width is 4.5; expected a number .* 4$"),
        ({"width": "wide"}, "width is 'wide'"),
        ({"head": "none"}, "head is 'none'; expected one of average, dense"),
        ({"pool2": "sum"}, "pool2 is 'sum'; expected one of max, average"),
        ({"sr": 0.5}, "nin has no 'sr'; expected some of width, head, pool2"),
    ],
)
def test_bad_metaparameters(values, said):
    with pytest.raises(DseError, match=said):
        Nin.of(values)


@pytest.mark.parametrize("side", [1, 2, 3, 4, 5, 127, 128])
def test_an_image_is_large_enough_or_is_refused(side):
    """The scores are one a class, or the refusal says that too little is left."""
    for head in ("average", "dense"):
        try:
            network = Nin(width=0.125, head=head).architecture((side, side, 1), 7)
        except DseError as refused:
            assert "is too small: nothing is left of it at layer 'pool" in str(refused)
            assert side < 4
        else:
            assert network.shapes["scores"] == (1, 1, 7)


def test_many_points_at_once():
    costs = Nin.costs({"width": np.array([0.5, 1.0])}, *CIFAR)
    assert costs.params[1] == 966_986
    assert costs.params[0] == cost(Nin(width=0.5).architecture(*CIFAR)).params


def test_batch_norm_comes_after_every_convolution():
    """As in Zagoruyko's network: two parameters for each of its 1,418 filters."""
    costs = cost(Nin(norm="batch").architecture(*CIFAR))
    assert (costs.params, costs.macs) == (966_986 + 2 * 1_418, 222_486_528)
    assert costs.params == 969_822
