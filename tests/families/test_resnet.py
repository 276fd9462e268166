"""ResNet: counts as published and by hand, stage by stage, with each shortcut."""

import pytest

from dse.arch.cost import cost
from dse.arch.layers import Convolution, Subsample
from dse.arch.norms import BatchNorm
from dse.errors import DseError
from dse.families.resnet import ResNet

IMAGENET, CIFAR = ((224, 224, 3), 1000), ((32, 32, 3), 10)


@pytest.mark.parametrize(
    ("point", "params", "macs", "activations"),
    [
        (ResNet(18), 11_689_512, 1_814_073_344, 2_484_712),
        (ResNet(34), 21_797_672, 3_663_761_408, 3_739_112),
        (ResNet(), 25_557_032, 4_089_184_256, 11_114_984),
        (ResNet(strided="1x1"), 25_557_032, 3_857_973_248, 10_588_136),
        (ResNet(34, shortcut="A"), 21_623_848, 3_644_493_824, None),
        (ResNet(34, shortcut="B"), 21_797_672, 3_663_761_408, 3_739_112),
        (ResNet(34, shortcut="C"), 22_716_840, 3_830_747_136, None),
    ],
    ids=str,
)
def test_the_networks_for_imagenet(point, params, macs, activations):
    costs = cost(point.architecture(*IMAGENET))
    assert (costs.params, costs.macs) == (params, macs)
    assert activations in (None, costs.activations)


@pytest.mark.parametrize(
    ("depth", "params", "macs", "activations"),
    [
        (20, 269_722, 40_551_040, 188_426),
        (32, 464_154, 68_862_592, 303_114),
        (44, 658_586, 97_174_144, 417_802),
        (56, 853_018, 125_485_696, 532_490),
        (110, 1_727_962, 252_887_680, 1_048_586),
    ],
)
def test_the_networks_for_cifar(depth, params, macs, activations):
    network = ResNet(depth).architecture(*CIFAR)
    costs = cost(network)
    assert (costs.params, costs.macs, costs.activations) == (params, macs, activations)
    # All layers with weights but the dense one are 3x3 convolutions.
    convolutions = [x for x in network.layers if isinstance(x, Convolution)]
    assert len(convolutions) == depth - 1
    assert {x.kernel for x in convolutions} == {3}
    # Projections have 16·32 + 32·64 weights, and norms of 32 + 64 channels.
    projected = cost(ResNet(depth, shortcut="B").architecture(*CIFAR))
    assert projected.params - params == 16 * 32 + 32 * 64 + 2 * (32 + 64) == 2_752
    assert projected.macs - macs == 262_144


STAGES = {
    18: [
        (9_536, 118_013_952),
        (147_968, 462_422_016),
        (525_568, 411_041_792),
        (2_099_712, 411_041_792),
        (8_393_728, 411_041_792),
        (513_000, 512_000),
    ],
    34: [
        (9_536, 118_013_952),
        (221_952, 693_633_024),
        (1_116_416, 873_463_808),
        (6_822_400, 1_335_885_824),
        (13_114_368, 642_252_800),
        (513_000, 512_000),
    ],
    50: [
        (9_536, 118_013_952),
        (215_808, 667_942_912),
        (1_219_584, 1_027_604_480),
        (7_098_368, 1_464_336_384),
        (14_964_736, 809_238_528),
        (2_049_000, 2_048_000),
    ],
}
OF_20 = [
    (464, 442_368),
    (14_016, 14_155_776),
    (51_072, 12_976_128),
    (203_520, 12_976_128),
    (650, 640),
]


def by_stage(network):
    stages: dict[str, list[int]] = {}
    for layer in cost(network).layers:
        name = layer.name.replace("norm_conv1", "conv1").partition("_")[0]
        name = "conv1" if name == "relu" else name
        total = stages.setdefault(name.partition("/")[0], [0, 0])
        total[0] += layer.params
        total[1] += layer.macs
    return [tuple(total) for total in stages.values() if total[0]]


@pytest.mark.parametrize("depth", STAGES)
def test_stage_by_stage(depth):
    assert by_stage(ResNet(depth).architecture(*IMAGENET)) == STAGES[depth]
    norms = {18: 9_600, 34: 17_024, 50: 53_120}
    network = ResNet(depth).architecture(*IMAGENET)
    held = sum(
        2 * network.shapes[x.name][2]
        for x in network.layers
        if isinstance(x, BatchNorm)
    )
    assert held == norms[depth]


def test_stage_by_stage_as_in_the_paper():
    _, _, *stages, _ = by_stage(ResNet(strided="1x1").architecture(*IMAGENET))
    expected = [950_534_144, 1_387_266_048, 732_168_192]
    assert [macs for _, macs in stages] == expected


def test_resnet_20_stage_by_stage():
    network = ResNet(20).architecture(*CIFAR)
    assert by_stage(network) == OF_20
    assert cost(ResNet(20).architecture((28, 28, 3), 10)).macs == 31_047_040
    shortcuts = [x for x in network.layers if isinstance(x, Subsample)]
    assert [(x.channels, x.stride) for x in shortcuts] == [(32, 2), (64, 2)]


def test_a_plain_network_has_no_shortcut_and_the_same_cost_as_option_a():
    plain, residual = (
        ResNet(20, bypass=name).architecture(*CIFAR) for name in ("none", "residual")
    )
    assert cost(plain).params == cost(residual).params
    kinds = {layer.kind for layer in plain.layers}
    assert not kinds & {"add", "subsample"}


@pytest.mark.parametrize(
    ("depth", "given", "expected"),
    [
        (21, CIFAR, "expected 6n . 2 below 128 pixels, as 20 or 26"),
        (50, CIFAR, None),
        (20, IMAGENET, "expected 18, 34 or 50 from 128 pixels on"),
    ],
)
def test_depths(depth, given, expected):
    if expected is None:
        assert cost(ResNet(depth).architecture(*given)).params == 755_802
        return
    with pytest.raises(DseError, match=f"depth is {depth}; {expected}"):
        ResNet(depth).architecture(*given)


def test_half_as_wide():
    costs = cost(ResNet(8, width=0.5).architecture(*CIFAR))

    def conv(inputs, filters):
        return 9 * inputs * filters + 2 * filters

    blocks = conv(8, 8) * 2 + conv(8, 16) + conv(16, 16) + conv(16, 32) + conv(32, 32)
    assert costs.params == conv(3, 8) + blocks + 32 * 10 + 10
