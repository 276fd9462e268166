"""Network in Network (Lin et al. 2013, arXiv 1312.4400)."""

from collections.abc import Mapping
from dataclasses import dataclass

from dse.arch.build import Architecture, Build, Shape, scaled
from dse.arch.family import SINGLE_CROP, Family, Published, Source
from dse.fields import choice, share

CIFAR = ((5, 1, 2, 192, 160, 96), (5, 1, 2, 192, 192, 192), (3, 1, 1, 192, 192, 0))
IMAGENET = ((11, 4, 0, 96, 96, 96), (5, 1, 2, 256, 256, 256), (3, 1, 1, 384, 384, 384))


@dataclass(frozen=True)
class Nin(Family, name="nin"):
    """Network in Network: perceptrons at every position, averaged maps as scores."""

    width: float = share(1, "share of published", most=4, cost="rises", scales=True)
    head: str = choice("average", ("average", "dense"), "what turns maps into scores")
    pool2: str = choice("max", ("max", "average"), "the second pool, below 128 pixels")
    norm: str = choice(
        "none", ("none", "batch"), "batch norm after every convolution", later=True
    )

    def architecture(self, input_shape: Shape, classes: int) -> Architecture:
        """Build the author's CIFAR network below 128 pixels, else the Caffe zoo's."""
        net = Build(input_shape, classes, "gaussian")
        small = net.is_small
        blocks = CIFAR if small else (*IMAGENET, (3, 1, 1, 1024, 1024, 0))
        for i, (kernel, stride, padding, *filters) in enumerate(blocks, start=1):
            names = (f"conv{i}", f"cccp{2 * i - 1}", f"cccp{2 * i}")
            for name, n in zip(names, filters, strict=True):
                wide = scaled(n, self.width) if n else classes
                at = (kernel, stride, padding) if name == names[0] else (1,)
                fine = not small and (name in ("conv1", "conv3") or not n)
                net.conv(
                    name,
                    wide,
                    *at,
                    deviation=0.01 if fine else 0.05,
                    norm=self.norm == "batch",
                    bias=0.0,
                )
            if i < len(blocks):
                average = small and i == 2 and self.pool2 == "average"
                (net.average_pool if average else net.max_pool)(f"pool{i}", 3, 2)
                if small or i == 3:
                    net.dropout(f"drop{i}")
        dense = self.head == "dense"
        net.dense("scores", classes, deviation=0.05) if dense else net.average("scores")
        return net.done()

    @classmethod
    def published(cls) -> Mapping[str, Source]:
        """Accuracy on ImageNet of the author's weights; no top-5 is printed."""
        zoo = Published(cls(), None, None, 59.36, "Caffe zoo, centre crop")
        return {SINGLE_CROP: Source((zoo,))}
