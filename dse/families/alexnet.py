"""AlexNet (Krizhevsky et al. 2012), as Caffe and torchvision have it."""

from collections.abc import Mapping
from dataclasses import dataclass

from dse.arch.build import Architecture, Build, Shape, scaled
from dse.arch.family import SINGLE_CROP, Family, Published, Source
from dse.fields import choice, share

CONVOLUTIONS = (
    (96, 64, 11, 4, 1),
    (256, 192, 5, 1, 2),
    (384, 384, 3, 1, 1),
    (384, 256, 3, 1, 2),
    (256, 256, 3, 1, 2),
)
"""Filters of Caffe and of torchvision (after arXiv 1404.5997), kernel size, stride, and
the groups of Caffe. Convolutions with groups start with biases of 0.1 there."""
POOLED, NORMED = (1, 2, 5), (1, 2)
"""Convolutions that a max pool follows, and those of Caffe that a norm follows."""


@dataclass(frozen=True)
class AlexNet(Family, name="alexnet"):
    """AlexNet: five convolutions, then three dense layers of most of the parameters."""

    width: float = share(1, "share of published", most=4, cost="rises", scales=True)
    towers: str = choice(
        "two",
        ("two", "joined", "one"),
        "from 128 pixels on: two groups as in Caffe, the same without groups, or the "
        "one tower of torchvision",
    )

    side = 227

    def architecture(self, input_shape: Shape, classes: int) -> Architecture:
        """Build Caffe's or torchvision's network; below 128 pixels that of `_small`."""
        net = Build(input_shape, classes, "gaussian")
        if net.is_small:
            return self._small(net)
        caffe = self.towers != "one"
        for place, (two, one, kernel, stride, groups) in enumerate(CONVOLUTIONS, 1):
            net.conv(
                f"conv{place}",
                scaled(two if caffe else one, self.width, multiple=2),
                kernel,
                stride,
                kernel // 2 if place > 1 else 0 if caffe else 2,
                groups=groups if self.towers == "two" else 1,
                bias=0.1 if caffe and groups > 1 else 0.0,
            )
            if caffe and place in NORMED:
                # Caffe's alpha of 1e-4 is over the five channels.
                net.local_response_norm(f"norm{place}", 5, 1e-4 / 5, 0.75, 1.0)
            if place in POOLED:
                net.max_pool(f"pool{place}", 3, 2)
        for number in (6, 7):
            if not caffe:
                net.dropout(f"drop{number}")
            started = {"bias": 0.1, "deviation": 0.005} if caffe else {}
            net.dense(f"fc{number}", scaled(4096, self.width), relu=True, **started)
            if caffe:
                net.dropout(f"drop{number}")
        net.dense("fc8", classes)
        return net.done()

    @classmethod
    def published(cls) -> Mapping[str, Source]:
        """Accuracy on ImageNet of Caffe's weights."""
        caffe = Published(cls(), None, 80.2, 57.1, "bvlc_alexnet, centre crop")
        return {SINGLE_CROP: Source((caffe,))}

    def _small(self, net: Build) -> Architecture:
        """Build the network of Zhang et al. 2016 (arXiv 1611.03530) for small images.

        They do not print the norm's constants; these are of TensorFlow's tutorial, from
        which the network comes.
        """
        net.initializer = "he"
        for place in (1, 2):
            net.conv(f"conv{place}", scaled(64, self.width), 5, padding=2)
            net.max_pool(f"pool{place}", 3, 2, "same")
            net.local_response_norm(f"norm{place}", 9, 0.001 / 9, 0.75, 1.0)
        for number, units in ((3, 384), (4, 192)):
            net.dense(f"fc{number}", scaled(units, self.width), relu=True)
        net.dense("fc5", net.classes, initializer="gaussian")
        return net.done()
