"""VGG (Simonyan and Zisserman 2014, arXiv 1409.1556)."""

from collections.abc import Mapping
from dataclasses import dataclass

from dse.arch.build import Architecture, Build, Shape, scaled
from dse.arch.family import SINGLE_CROP, Family, Published, Source
from dse.errors import DseError
from dse.fields import choice, share, whole

FILTERS = (64, 128, 256, 512, 512)
"""Filters of the convolutions of each stage."""
CONVOLUTIONS = {
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}
"""Number of convolutions in each stage, by depth: networks A, B, D and E."""


@dataclass(frozen=True)
class Vgg(Family, name="vgg"):
    """VGG: five stages of 3x3 convolutions and a max pool, then dense layers."""

    depth: int = whole(
        16, "layers with weights: 11, 13, 16 or 19", least=11, most=19, cost="rises"
    )
    width: float = share(1, "share of published", most=4, cost="rises", scales=True)
    head: str = choice(
        "dense", ("dense", "average"), "hidden dense layers, or a mean of the maps"
    )
    norm: str = choice(
        "none",
        ("none", "batch"),
        "batch norm after every convolution, below 128 pixels after fc6 too",
        later=True,
    )

    def architecture(self, input_shape: Shape, classes: int) -> Architecture:
        """Build the published network.

        Below 128 pixels there is one hidden dense layer, of 512 units between dropout,
        as in Zagoruyko's network for CIFAR. Biases stay beside a batch norm there.

        Raises:
            DseError: there is no network of this depth.
        """
        if self.depth not in CONVOLUTIONS:
            raise DseError(f"depth is {self.depth}; expected 11, 13, 16 or 19")
        net = Build(input_shape, classes, "he")
        small = net.is_small
        norm = self.norm == "batch"
        stages = zip(CONVOLUTIONS[self.depth], FILTERS, strict=True)
        for stage, (convolutions, filters) in enumerate(stages, start=1):
            for place in range(1, convolutions + 1):
                net.conv(
                    f"conv{stage}_{place}",
                    scaled(filters, self.width),
                    padding=1,
                    norm=norm,
                    bias=0.0,
                )
            net.max_pool(f"pool{stage}", 2, 2)
        if self.head == "average":
            net.average("average")
        elif small:
            net.dropout("drop5")
            net.dense("fc6", scaled(512, self.width))
            if norm:
                net.batch_norm("norm_fc6")
            net.relu("fc6")
            net.dropout("drop6")
        else:
            for number in (6, 7):
                net.dense(
                    f"fc{number}",
                    scaled(4096, self.width),
                    relu=True,
                    initializer="gaussian",
                )
                net.dropout(f"drop{number}")
        net.dense("scores", classes, initializer="gaussian")
        return net.done()

    @classmethod
    def published(cls) -> Mapping[str, Source]:
        """Accuracy on ImageNet of torchvision's weights."""
        printed = {11: (88.628, 69.020), 16: (90.382, 71.592), 19: (90.876, 72.376)}
        points = [
            Published(cls(depth), None, top5, top1, "torchvision, centre crop")
            for depth, (top5, top1) in printed.items()
        ]
        return {SINGLE_CROP: Source(tuple(points))}
