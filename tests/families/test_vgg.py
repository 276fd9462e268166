"""VGG: counts as printed and by hand, stage by stage."""

import itertools

import pytest

from dse.arch.cost import cost
from dse.arch.layers import Dropout
from dse.arch.pools import MaxPool
from dse.errors import DseError
from dse.families.vgg import Vgg

IMAGENET, CIFAR = ((224, 224, 3), 1000), ((32, 32, 3), 10)

# Parameters and MACs by stage.
STAGES = {
    16: [
        (38_720, 1_936_392_192),
        (221_440, 2_774_532_096),
        (1_475_328, 4_624_220_160),
        (5_899_776, 4_624_220_160),
        (7_079_424, 1_387_266_048),
    ],
    19: [
        (38_720, 1_936_392_192),
        (221_440, 2_774_532_096),
        (2_065_408, 6_473_908_224),
        (8_259_584, 6_473_908_224),
        (9_439_232, 1_849_688_064),
    ],
}
DENSE = 102_764_544 + 16_781_312 + 4_097_000


@pytest.mark.parametrize(
    ("depth", "params", "macs", "activations"),
    [
        (11, 132_863_336, 7_609_090_048, 7_435_240),
        (16, 138_357_544, 15_470_264_320, 13_556_712),
        (19, 143_667_240, 19_632_062_464, 14_861_288),
    ],
)
def test_the_published_networks(depth, params, macs, activations):
    costs = cost(Vgg(depth=depth).architecture(*IMAGENET))
    assert (costs.params, costs.macs, costs.activations) == (params, macs, activations)
    layers = [x for x in costs.layers if x.params]
    assert len(layers) == depth
    assert sum(x.params for x in layers if not x.name.startswith("conv")) == DENSE


@pytest.mark.parametrize("depth", STAGES)
def test_stage_by_stage(depth):
    costs = cost(Vgg(depth=depth).architecture(*IMAGENET))
    for stage, expected in enumerate(STAGES[depth], start=1):
        own = [x for x in costs.layers if x.name.startswith(f"conv{stage}_")]
        assert (sum(x.params for x in own), sum(x.macs for x in own)) == expected


def test_network_b():
    assert cost(Vgg(depth=13).architecture(*IMAGENET)).params == 133_047_848


def test_two_dense_layers_hold_most_of_it():
    """Printed as over 90 % of 133 million parameters: it is 89.98 % of VGG-11's."""
    whole = cost(Vgg(depth=11).architecture(*IMAGENET))
    large = sum(x.params for x in whole.layers if x.name in ("fc6", "fc7"))
    assert large == 119_545_856
    assert 100 * large / whole.params == pytest.approx(89.98, abs=0.005)


def test_a_mean_in_their_place():
    costs = cost(Vgg(head="average").architecture(*IMAGENET))
    assert (costs.params, costs.macs) == (15_227_688, 15_347_142_656)


@pytest.mark.parametrize(
    ("point", "params", "macs"),
    [
        (Vgg(norm="batch"), 14_991_946, 313_463_808),
        (Vgg(norm="batch", head="average"), 14_728_266, 313_201_664),
        (Vgg(depth=19, norm="batch", head="average"), 20_040_522, 398_136_320),
    ],
    ids=str,
)
def test_published_small_networks(point, params, macs):
    costs = cost(point.architecture(*CIFAR))
    assert (costs.params, costs.macs) == (params, macs)


def test_small_networks_are_the_published_ones_less_batch_norm():
    """A norm has two parameters a channel; convolutions have 4,224 channels."""
    hidden = cost(Vgg().architecture(*CIFAR))
    assert hidden.params == 14_991_946 - 2 * 4_224 - 2 * 512
    assert hidden.macs == 313_463_808
    plain = cost(Vgg(head="average").architecture(*CIFAR))
    assert (plain.params, plain.macs) == (14_728_266 - 2 * 4_224, 313_201_664)


@pytest.mark.parametrize(
    ("side", "maps"), [(32, [16, 8, 4, 2, 1]), (28, [14, 7, 4, 2, 1])]
)
def test_pools_round_up(side, maps):
    network = Vgg().architecture((side, side, 1), 10)
    pools = [x.name for x in network.layers if isinstance(x, MaxPool)]
    assert [network.shapes[x][0] for x in pools] == maps
    drops = [x.name for x in network.layers if isinstance(x, Dropout)]
    assert drops == ["drop5", "drop6"]


def test_an_eighth_as_wide():
    costs = cost(Vgg(depth=11, width=0.125).architecture(*CIFAR))
    filters = [3, 8, 16, 32, 32, 64, 64, 64, 64]
    convolutions = sum(9 * a * b + b for a, b in itertools.pairwise(filters))
    assert costs.params == convolutions + (64 * 64 + 64) + (64 * 10 + 10)


@pytest.mark.parametrize("depth", [12, 18])
def test_a_depth_that_is_not_published(depth):
    with pytest.raises(DseError, match=f"depth is {depth}; expected 11, 13, 16 or 19"):
        Vgg(depth=depth).architecture(*CIFAR)
