"""Norms: over neighbouring channels, and over a group of images."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from dse.arch.layer import CONSTANT, COUNT, POSITIVE, Layer, Parameter, Shape
from dse.bounds import brief, is_whole
from dse.errors import DseError
from dse.fields import Field


@dataclass(frozen=True)
class LocalResponseNorm(Layer):
    """Every element over (k + α·Σx²)^β, summed over `size` channels around its own.

    Krizhevsky et al. 2012 write it so; the alpha of Caffe and PyTorch is `size` times
    this one, and their k is 1. Channels beyond the first and the last count as zero.
    """

    kind = "local_response_norm"
    ranges: ClassVar[Mapping[str, Field]] = {
        "size": COUNT,
        "alpha": Field("real", "a factor", least=0, most=1e6),
        "beta": Field("real", "an exponent", least=0, most=100),
        "k": POSITIVE,
    }
    size: int = 5
    alpha: float = 1e-4
    beta: float = 0.75
    k: float = 2.0


@dataclass(frozen=True)
class BatchNorm(Layer):
    """scale · (x - mean) / sqrt(variance + epsilon) + shift, per channel.

    In training, mean and variance are those of `group` images at a time (a ghost batch,
    Hoffer et al. 2017), however a batch is worked on. In evaluation they are running
    averages, of which a step keeps the share `momentum`; PyTorch's momentum is 1 less
    this one. The variance that is averaged is the unbiased one, as in PyTorch.

    Attributes:
        group: images whose statistics are taken together; it divides every batch.
        momentum: share of the running averages that a step keeps.
        epsilon: added to the variance.
        scale: initial value of the scales.
    """

    kind = "batch_norm"
    ranges: ClassVar[Mapping[str, Field]] = {
        # A group of one is refused with its reason, by `output_shape`.
        "group": Field("whole", "images", least=1, most=2**20),
        "momentum": Field("real", "a share", least=0, most=1, below=True),
        "epsilon": Field("real", "a small number", least=0, most=1, above=True),
        "scale": CONSTANT,
    }
    in_place = True
    group: int = 32
    momentum: float = 0.9
    epsilon: float = 1e-5
    scale: float = 1.0

    def output_shape(self, *inputs: Shape) -> Shape:
        if not is_whole(self.group, 2, 2**20):
            raise DseError(
                f"layer {self.name!r} takes the statistics of {brief(self.group)} "
                "images together; expected 2 or more: of one image a map of one pixel "
                "has no variance"
            )
        return inputs[0]

    def parameters(self, *inputs: Shape) -> Mapping[str, Parameter]:
        shape = (inputs[0][2],)
        scale = Parameter(shape, constant=self.scale)
        return {"scale": scale, "shift": Parameter(shape)}

    def statistics(self, *inputs: Shape) -> Mapping[str, Parameter]:
        shape = (inputs[0][2],)
        return {"mean": Parameter(shape), "variance": Parameter(shape, constant=1.0)}
