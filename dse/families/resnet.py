"""ResNet (He et al. 2015, arXiv 1512.03385) and the plain networks beside it."""

from collections.abc import Mapping
from dataclasses import dataclass

from dse.arch.build import Architecture, Build, Shape, scaled
from dse.arch.family import SINGLE_CROP, Family, Published, Source
from dse.errors import DseError
from dse.fields import choice, share, whole

BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}
"""Blocks of the four stages, by depth; from 50 on they are bottlenecks."""
BOTTLENECKS, WIDENED = 50, 4
"""The least depth with bottlenecks, and their last convolution's filters over the
first's."""


@dataclass(frozen=True)
class ResNet(Family, name="resnet"):
    """ResNet: blocks of convolutions and batch norm, each with a shortcut around it."""

    depth: int = whole(
        50,
        "layers with weights: 18, 34 or 50 from 128 pixels on, 6n + 2 below",
        least=8,
        most=2000,
        cost="rises",
    )
    width: float = share(1, "share of published", most=4, cost="rises", scales=True)
    shortcut: str = choice(
        "published",
        ("published", "A", "B", "C"),
        "where a block changes the shape: A adds zero channels, B projects; C projects "
        "in every block; published is B from 128 pixels on, A below",
    )
    strided: str = choice(
        "3x3",
        ("3x3", "1x1"),
        "the convolution of a bottleneck that has the stride: 3x3 as in PyTorch, 1x1 "
        "as in the paper",
    )
    bypass: str = choice(
        "residual", ("residual", "none"), "shortcuts around the blocks, or plain"
    )

    def architecture(self, input_shape: Shape, classes: int) -> Architecture:
        """Build the paper's network for ImageNet, or for CIFAR below 128 pixels."""
        net = Build(input_shape, classes, "he_fan_out")
        small = net.is_small
        blocks: tuple[int, ...]
        filters: tuple[int, ...]
        if small:
            blocks, filters = (self._small_blocks(),) * 3, (16, 32, 64)
            net.conv("conv1", scaled(16, self.width), padding=1, norm=True)
        else:
            if self.depth not in BLOCKS:
                raise DseError(
                    f"depth is {self.depth}; expected 18, 34 or 50 from 128 pixels on"
                )
            blocks, filters = BLOCKS[self.depth], (64, 128, 256, 512)
            net.conv("conv1", scaled(64, self.width), 7, 2, 3, norm=True)
            net.max_pool("pool1", 3, 2, "floor", margin=1)
        deep = not small and self.depth >= BOTTLENECKS
        first = 1 if small else 2
        stages = zip(blocks, filters, strict=True)
        for stage, (count, wide) in enumerate(stages, start=first):
            for place in range(1, count + 1):
                stride = 2 if place == 1 and stage > first else 1
                name = f"res{stage}_{place}"
                block = self._bottleneck if deep else self._basic
                block(net, name, scaled(wide, self.width), stride)
        net.average("average")
        net.dense("scores", classes, initializer="gaussian")
        return net.done()

    def _small_blocks(self) -> int:
        """Number of blocks of each stage."""
        each, rest = divmod(self.depth - 2, 6)
        if rest:
            raise DseError(
                f"depth is {self.depth}; expected 6n + 2 below 128 pixels, as "
                f"{6 * each + 2} or {6 * each + 8}"
            )
        return each

    def _basic(self, net: Build, name: str, filters: int, stride: int) -> None:
        source = net.last
        net.conv(f"{name}/conv1", filters, 3, stride, 1, norm=True)
        net.conv(f"{name}/conv2", filters, 3, 1, 1, norm=True, relu=False)
        self._join(net, name, source, stride)

    def _bottleneck(self, net: Build, name: str, filters: int, stride: int) -> None:
        source, early = net.last, self.strided == "1x1"
        net.conv(f"{name}/conv1", filters, 1, stride if early else 1, norm=True)
        net.conv(f"{name}/conv2", filters, 3, 1 if early else stride, 1, norm=True)
        net.conv(f"{name}/conv3", WIDENED * filters, 1, norm=True, relu=False)
        self._join(net, name, source, stride)

    def _join(self, net: Build, name: str, source: str, stride: int) -> None:
        """Add the shortcut from `source` to the block that ends here, and a ReLU."""
        output, channels = net.last, net.shape()[2]
        if self.bypass == "residual":
            shortcut, option = source, self.shortcut
            if option == "published":
                option = "A" if net.is_small else "B"
            changes = stride > 1 or net.shape(source)[2] != channels
            if option == "C" or (option == "B" and changes):
                shortcut = net.conv(
                    f"{name}/shortcut",
                    channels,
                    1,
                    stride,
                    source=source,
                    norm=True,
                    relu=False,
                )
            elif changes:
                shortcut = net.subsample(f"{name}/shortcut", source, channels, stride)
            net.sum(f"{name}/add", output, shortcut)
        net.relu(f"{name}/out")

    @classmethod
    def published(cls) -> Mapping[str, Source]:
        """Accuracy on ImageNet of torchvision's first weights."""
        printed = {18: (89.078, 69.758), 34: (91.420, 73.314), 50: (92.862, 76.130)}
        points = [
            Published(cls(depth), None, top5, top1, "torchvision V1, centre crop")
            for depth, (top5, top1) in printed.items()
        ]
        return {SINGLE_CROP: Source(tuple(points))}
