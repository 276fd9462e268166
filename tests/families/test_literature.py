"""Counts of networks in the literature that are no point of a family, layer by layer.

Some are points at other sizes of images. All are counted by the same layers and cost.
"""

import jax
import pytest
from flax import nnx

from dse.arch.build import Build
from dse.arch.cost import cost
from dse.families.alexnet import AlexNet
from dse.families.googlenet import MODULES, GoogLeNet
from dse.families.nin import Nin
from dse.families.resnet import ResNet
from dse.families.squeezenet import SqueezeNet
from dse.families.vgg import Vgg
from dse.models.network import Network


@pytest.mark.parametrize(
    ("point", "params", "macs"),
    [
        (AlexNet(), 32_653_672, 228_335_744),
        (Nin(), 7_595_176, 323_989_632),
        (SqueezeNet(), 1_248_424, 267_661_344),
        (GoogLeNet(), 6_998_552, 517_480_448),
        (Vgg(), 69_151_528, 5_065_572_352),
    ],
    ids=lambda given: getattr(given, "name", ""),
)
def test_one_protocol_of_128_pixels(point, params, macs):
    costs = cost(point.architecture((128, 128, 3), 1000))
    assert (costs.params, costs.macs) == (params, macs)


def test_nin_of_cifar_100_and_smaller_images():
    assert cost(Nin().architecture((32, 32, 3), 100)).params == 984_356
    smaller = cost(Nin().architecture((28, 28, 3), 10))
    assert (smaller.params, smaller.macs) == (966_986, 170_341_248)


def nin_of_mnist():
    net = Build((28, 28, 1), 10)
    blocks = ((96, 64, 48), (128, 96, 48), (128, 96, 10))
    for place, (first, *others) in enumerate(blocks, start=1):
        net.conv(f"conv{place}", first, 5, padding=2)
        for number, filters in enumerate(others, start=1):
            net.conv(f"cccp{place}_{number}", filters, 1)
        if place < 3:
            net.max_pool(f"pool{place}", 3, 2)
    net.average("scores")
    return net.done()


def alexnet_one_tower_of_2014():
    """Krizhevsky 2014: 64, 192, 384, 384 and 256 filters."""
    net = Build((224, 224, 3), 1000)
    layers = ((64, 11, 4, 2), (192, 5, 1, 2), (384, 3, 1, 1), (384, 3, 1, 1))
    for place, (filters, *at) in enumerate((*layers, (256, 3, 1, 1)), start=1):
        net.conv(f"conv{place}", filters, *at)
        if place in (1, 2, 5):
            net.max_pool(f"pool{place}", 3, 2, "floor")
    for number in (6, 7):
        net.dense(f"fc{number}", 4096, relu=True)
    net.dense("fc8", 1000)
    return net.done()


def caffenet_128_with_2048():
    net = Build((128, 128, 3), 1000)
    layers = ((96, 11, 4, 0, 1), (256, 5, 1, 2, 2), (384, 3, 1, 1, 1))
    layers += ((384, 3, 1, 1, 2), (256, 3, 1, 1, 2))
    for place, (filters, kernel, stride, padding, groups) in enumerate(layers, 1):
        net.conv(f"conv{place}", filters, kernel, stride, padding, groups=groups)
        if place in (1, 2, 5):
            net.max_pool(f"pool{place}", 3, 2)
    for number in (6, 7):
        net.dense(f"fc{number}", 2048, relu=True)
    net.dense("fc8", 1000)
    return net.done()


def vgg_c():
    """Table 1's network C: the third convolutions of stages 3 to 5 are 1x1."""
    net = Build((224, 224, 3), 1000)
    stages = zip((64, 128, 256, 512, 512), (2, 2, 3, 3, 3), strict=True)
    for stage, (filters, count) in enumerate(stages, start=1):
        for place in range(1, count + 1):
            kernel = 1 if place == 3 else 3
            net.conv(f"conv{stage}_{place}", filters, kernel, padding=kernel // 2)
        net.max_pool(f"pool{stage}", 2, 2)
    for number in (6, 7):
        net.dense(f"fc{number}", 4096, relu=True)
    net.dense("fc8", 1000)
    return net.done()


def cifar10_full():
    """Caffe's example."""
    net = Build((32, 32, 3), 10)
    for place, filters in enumerate((32, 32, 64), start=1):
        net.conv(f"conv{place}", filters, 5, padding=2)
        (net.max_pool if place == 1 else net.average_pool)(f"pool{place}", 3, 2)
    net.dense("ip1", 10)
    return net.done()


def alexnet_of_cifar():
    """One tower that keeps ImageNet's stride (bearpaw/pytorch-classification)."""
    net = Build((32, 32, 3), 10)
    layers = ((64, 11, 4, 5), (192, 5, 1, 2), (384, 3, 1, 1), (256, 3, 1, 1))
    for place, (filters, *at) in enumerate((*layers, (256, 3, 1, 1)), start=1):
        net.conv(f"conv{place}", filters, *at)
        if place in (1, 2, 5):
            net.max_pool(f"pool{place}", 2, 2, "floor")
    net.dense("scores", 10)
    return net.done()


def googlenet_of_cifar():
    """Modules with batch norm beside biases, the 5x5 as two 3x3 (kuangliu)."""
    net = Build((32, 32, 3), 10)
    net.conv("pre", 192, 3, padding=1, norm=True, bias=0.0)
    for name, (one, reduce3, three, reduce5, five, projected) in MODULES.items():
        source = net.last

        def conv(part, filters, kernel=1, at="", name=name):
            called = f"{name}/{part}"
            around = kernel // 2
            return net.conv(
                called, filters, kernel, 1, around, source=at, norm=True, bias=0.0
            )

        branches = [conv("1x1", one, at=source)]
        conv("3x3_reduce", reduce3, at=source)
        branches.append(conv("3x3", three, 3))
        conv("5x5_reduce", reduce5, at=source)
        conv("5x5_first", five, 3)
        branches.append(conv("5x5_second", five, 3))
        net.max_pool(f"{name}/pool", 3, 1, "same", source=source)
        branches.append(conv("proj", projected))
        net.concat(f"{name}/output", *branches)
        if name in ("3b", "4e"):
            net.max_pool(f"pool_{name}", 3, 2, "floor", 1)
    net.average("average")
    net.dense("scores", 10)
    return net.done()


def resnet_18_with_a_3x3_stem():
    """The network for ImageNet, without its first pool, for CIFAR (kuangliu)."""
    net = Build((32, 32, 3), 10)
    net.conv("conv1", 64, padding=1, norm=True)
    point = ResNet(18, shortcut="B")
    for stage, filters in enumerate((64, 128, 256, 512), start=1):
        for place in (1, 2):
            stride = 2 if place == 1 and stage > 1 else 1
            point._basic(net, f"res{stage}_{place}", filters, stride)
    net.average("average")
    net.dense("scores", 10)
    return net.done()


@pytest.mark.parametrize(
    ("build", "params", "macs"),
    [
        (nin_of_mnist, 349_674, 50_699_712),
        (alexnet_one_tower_of_2014, 61_838_248, 838_788_800),
        (caffenet_128_with_2048, 13_300_072, 208_986_240),
        (vgg_c, 133_638_952, None),
        (cifar10_full, 89_578, 12_298_240),
        (alexnet_of_cifar, 2_472_266, 14_957_056),
        (googlenet_of_cifar, 6_166_250, 1_521_756_160),
        (resnet_18_with_a_3x3_stem, 11_173_962, 555_422_720),
    ],
)
def test_other_networks(build, params, macs):
    costs = cost(build())
    assert costs.params == params
    assert macs in (None, costs.macs)


@pytest.mark.parametrize(
    "point",
    [
        AlexNet(),
        Vgg(),
        Vgg(depth=19),
        Nin(),
        GoogLeNet(),
        GoogLeNet(norm="batch"),
        ResNet(18),
        ResNet(34),
        ResNet(50),
        SqueezeNet(norm="batch"),
    ],
    ids=str,
)
def test_the_module_holds_what_is_counted(point):
    network = point.architecture((point.side, point.side, 3), 1000)
    weights = {
        layer: {
            name: jax.ShapeDtypeStruct(array.shape, "float32")
            for name, array in (
                learnt | dict(network.statistics.get(layer, {}))
            ).items()
        }
        for layer, learnt in network.parameters.items()
    }
    module = nnx.eval_shape(lambda weights: Network(network, weights), weights)
    held = jax.tree.leaves(nnx.state(module, nnx.Param))
    assert sum(leaf.size for leaf in held) == cost(network).params
