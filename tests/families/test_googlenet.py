"""GoogLeNet: counts as published, module by module, with and without heads."""

import pytest

from dse.arch.cost import cost
from dse.errors import DseError
from dse.families.googlenet import GoogLeNet

IMAGENET, SMALL = ((224, 224, 3), 1000), ((28, 28, 3), 10)

# By module: parameters, MACs.
MODULES = {
    "conv1": (9_472, 118_013_952),
    "conv2": (4_160 + 110_784, 12_845_056 + 346_816_512),
    "inception_3a": (163_696, 128_049_152),
    "inception_3b": (388_736, 304_267_264),
    "inception_4a": (376_176, 73_608_192),
    "inception_4b": (449_160, 87_908_352),
    "inception_4c": (510_104, 99_850_240),
    "inception_4d": (605_376, 118_515_712),
    "inception_4e": (868_352, 169_996_288),
    "inception_5a": (1_043_456, 51_079_168),
    "inception_5b": (1_444_080, 70_697_984),
    "loss3": (1_025_000, 1_024_000),
}
HEADS = {"loss1": (3_188_840, 4_169_728), "loss2": (3_190_888, 4_202_496)}


def by_module(costs):
    found: dict[str, tuple[int, int]] = {}
    for layer in costs.layers:
        name = layer.name.partition("/")[0]
        params, macs = found.get(name, (0, 0))
        found[name] = params + layer.params, macs + layer.macs
    return {name: total for name, total in found.items() if total[0]}


def test_module_by_module():
    network = GoogLeNet().architecture(*IMAGENET)
    costs = cost(network)
    assert by_module(costs) == MODULES
    assert (costs.params, costs.macs) == (6_998_552, 1_582_671_872)
    assert costs.activations == 3_227_160
    sides = [network.shapes[f"inception_{x}/output"] for x in ("3a", "4e", "5b")]
    assert sides == [(28, 28, 256), (14, 14, 832), (7, 7, 1024)]


def test_heads_train_and_are_not_counted_in_what_predicts():
    network = GoogLeNet(heads="auxiliary").architecture(*IMAGENET)
    assert cost(network).params == 6_998_552
    whole = cost(network, training=True)
    assert by_module(whole) == {**MODULES, **HEADS}
    assert (whole.params, whole.macs) == (13_378_280, 1_591_044_096)
    assert whole.activations == 3_235_304
    assert [loss.weight for loss in network.auxiliary] == [0.3, 0.3]
    assert network.predictor.id == GoogLeNet().architecture(*IMAGENET).id


def test_small_inception():
    """The published count is without the norms: two parameters a channel."""
    plain = cost(GoogLeNet(norm="none").architecture(*SMALL))
    assert (plain.params, plain.macs) == (1_649_402, 204_219_680)
    channels = 96 + 64 + 80 + 80 + 160 + 160 + 160 + 144 + 96 + 336 + 336
    normed = cost(GoogLeNet().architecture(*SMALL))
    assert (normed.params, normed.macs) == (1_649_402 + 2 * channels, plain.macs)


def test_batch_norm_takes_the_place_of_biases_and_of_local_norms():
    network = GoogLeNet(norm="batch").architecture(*IMAGENET)
    kinds = {layer.kind for layer in network.layers}
    assert "local_response_norm" not in kinds
    outputs = (
        64
        + 64
        + 192
        + sum(
            one + r3 + three + r5 + five + pool
            for one, r3, three, r5, five, pool in (
                (64, 96, 128, 16, 32, 32),
                (128, 128, 192, 32, 96, 64),
                (192, 96, 208, 16, 48, 64),
                (160, 112, 224, 24, 64, 64),
                (128, 128, 256, 24, 64, 64),
                (112, 144, 288, 32, 64, 64),
                (256, 160, 320, 32, 128, 128),
                (256, 160, 320, 32, 128, 128),
                (384, 192, 384, 48, 128, 128),
            )
        )
    )
    assert cost(network).params == 6_998_552 + outputs


def test_heads_of_a_network_that_has_none():
    with pytest.raises(DseError, match="heads is auxiliary; expected none below 128"):
        GoogLeNet(heads="auxiliary").architecture(*SMALL)
