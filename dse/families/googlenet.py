"""GoogLeNet (Szegedy et al. 2014, arXiv 1409.4842), and Inception for small images."""

from collections.abc import Mapping
from dataclasses import dataclass

from dse.arch.build import Architecture, Build, Shape, scaled
from dse.arch.family import SINGLE_CROP, Family, Published, Source
from dse.errors import DseError
from dse.fields import choice, share

MODULES = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}
"""Filters: 1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5 and pool projection."""
POOLED = {"3b": "pool3", "4e": "pool4"}
HEADS = {"4a": "loss1", "4d": "loss2"}
"""Modules that a max pool or an auxiliary head follows."""
HEAD_WEIGHT = 0.3
SMALL: tuple[tuple[int, int] | int, ...] = (
    *((32, 32), (32, 48), 80, (112, 48), (96, 64), (80, 80), (48, 96), 96),
    *((176, 160), (176, 160)),
)
"""Zhang et al. 2016: filters of 1x1 beside 3x3, or of a 3x3/2 beside a max pool."""


@dataclass(frozen=True)
class GoogLeNet(Family, name="googlenet"):
    """GoogLeNet: modules of parallel convolutions, averaged maps before the scores."""

    width: float = share(1, "share of published", most=4, cost="rises", scales=True)
    heads: str = choice(
        "none",
        ("none", "auxiliary"),
        "auxiliary heads, which train and do not predict; from 128 pixels on",
        label="heads {}",
    )
    norm: str = choice(
        "published",
        ("published", "none", "batch"),
        "batch norm after every convolution; published has it below 128 pixels alone",
    )

    def architecture(self, input_shape: Shape, classes: int) -> Architecture:
        """Build Caffe's network, or below 128 pixels that of Zhang et al. 2016."""
        net = Build(input_shape, classes, "xavier")
        if net.is_small:
            return self._small(net)
        norm = self.norm == "batch"
        self._conv(net, "conv1/7x7_s2", 64, 7, 2)
        net.max_pool("pool1/3x3_s2", 3, 2)
        if not norm:
            net.local_response_norm("pool1/norm1", 5, 1e-4 / 5, 0.75, 1.0)
        self._conv(net, "conv2/3x3_reduce", 64)
        self._conv(net, "conv2/3x3", 192, 3)
        if not norm:
            net.local_response_norm("conv2/norm2", 5, 1e-4 / 5, 0.75, 1.0)
        net.max_pool("pool2/3x3_s2", 3, 2)
        for name, filters in MODULES.items():
            output = self._module(net, f"inception_{name}", filters)
            if name in HEADS and self.heads == "auxiliary":
                self._head(net, HEADS[name])
                net.last = output
            if name in POOLED:
                net.max_pool(f"{POOLED[name]}/3x3_s2", 3, 2)
        net.average("pool5/7x7_s1")
        net.dropout("pool5/drop_7x7_s1", 0.4)
        net.dense("loss3/classifier", classes)
        return net.done()

    def _conv(
        self,
        net: Build,
        name: str,
        filters: int,
        kernel: int = 1,
        stride: int = 1,
        source: str = "",
    ) -> str:
        """Add a convolution of scaled filters that keeps the size, or halves it."""
        norm = self.norm == "batch"
        return net.conv(
            name,
            scaled(filters, self.width),
            kernel,
            stride,
            kernel // 2,
            source=source,
            norm=norm,
            bias=None if norm else 0.2,
        )

    def _module(self, net: Build, name: str, filters: tuple[int, ...]) -> str:
        """Add an Inception module: four branches, concatenated."""
        source = net.last
        one, reduce3, three, reduce5, five, projected = filters
        branches = [self._conv(net, f"{name}/1x1", one, source=source)]
        for kernel, reduced, wide in ((3, reduce3, three), (5, reduce5, five)):
            size = f"{name}/{kernel}x{kernel}"
            self._conv(net, f"{size}_reduce", reduced, source=source)
            branches.append(self._conv(net, size, wide, kernel))
        net.max_pool(f"{name}/pool", 3, 1, "same", source=source)
        branches.append(self._conv(net, f"{name}/pool_proj", projected))
        return net.concat(f"{name}/output", *branches)

    def _head(self, net: Build, name: str) -> None:
        """Add an auxiliary head to the last module."""
        net.average_pool(f"{name}/ave_pool", 5, 3)
        self._conv(net, f"{name}/conv", 128)
        net.dense(f"{name}/fc", scaled(1024, self.width), relu=True, bias=0.2)
        net.dropout(f"{name}/drop_fc", 0.7)
        net.dense(f"{name}/classifier", net.classes)
        net.auxiliary_loss(f"{name}/loss", HEAD_WEIGHT)

    def _small(self, net: Build) -> Architecture:
        """Build Inception for small images; its convolutions keep biases before norms.

        Raises:
            DseError: heads are asked for.
        """
        if self.heads != "none":
            raise DseError(
                "heads is auxiliary; expected none below 128 pixels, where the network "
                "has no auxiliary heads"
            )
        net.initializer, norm = "he", self.norm != "none"

        def conv(name: str, filters: int, kernel: int, stride: int, source: str) -> str:
            wide, around = scaled(filters, self.width), kernel // 2
            at = kernel, stride, around
            return net.conv(name, wide, *at, source=source, norm=norm, bias=0.0)

        conv("conv1", 96, 3, 1, net.last)
        for place, filters in enumerate(SMALL, start=2):
            source, name = net.last, f"module{place}"
            if isinstance(filters, tuple):
                halves = [
                    conv(f"{name}/{k}x{k}", wide, k, 1, source)
                    for wide, k in zip(filters, (1, 3), strict=True)
                ]
            else:
                halves = [
                    conv(f"{name}/3x3", filters, 3, 2, source),
                    net.max_pool(f"{name}/pool", 3, 2, "same", source=source),
                ]
            net.concat(f"{name}/concat", *halves)
        net.average("average")
        net.dense("scores", net.classes, initializer="gaussian")
        return net.done()

    @classmethod
    def published(cls) -> Mapping[str, Source]:
        """Accuracy on ImageNet of Caffe's weights, which hold the heads too."""
        points = [
            Published(cls(heads=heads), None, 88.9, 68.7, how)
            for heads, how in (
                ("none", "bvlc_googlenet, centre crop"),
                ("auxiliary", "the same, with the heads that its file holds"),
            )
        ]
        return {SINGLE_CROP: Source(tuple(points))}
