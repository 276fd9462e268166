"""The kinds of layers: each record defines its shape, parameters and work.

Each kind has one forward function (`dse.models.forward`). Cost, initial weights and
identity are computed from the records.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from dse.arch.layer import (
    CONSTANT,
    COUNT,
    DEVIATION,
    INITIALIZERS,
    PADDING,
    PIXELS,
    POSITIVE,
    Initializer,
    Layer,
    Parameter,
    Shape,
    later,
)
from dse.arch.norms import BatchNorm, LocalResponseNorm
from dse.arch.pools import AveragePool, MaxPool
from dse.errors import DseError
from dse.fields import Field


@dataclass(frozen=True)
class Convolution(Layer):
    """A square convolution.

    `padding` counts zero pixels on each side; output sizes round down. `deviation` is
    that of a Gaussian initialiser. Each of `groups` equal parts of the filters reads
    its own part of the input channels. `bias` is the initial value of the biases; None
    for a convolution without them.
    """

    kind = "convolution"
    ranges: ClassVar[Mapping[str, Field]] = {
        "filters": COUNT,
        "kernel": PIXELS,
        "stride": PIXELS,
        "padding": PADDING,
        "initializer": INITIALIZERS,
        "deviation": DEVIATION,
        "groups": COUNT,
        "bias": replace(CONSTANT, optional=True),
    }
    filters: int
    kernel: int
    stride: int = 1
    padding: int = 0
    initializer: Initializer = "he"
    deviation: float = later(0.01)
    groups: int = later(1)
    bias: float | None = later(0.0)

    def output_shape(self, *inputs: Shape) -> Shape:
        height, width, channels = inputs[0]
        if channels % self.groups or self.filters % self.groups:
            raise DseError(
                f"layer {self.name!r} has {self.groups} groups; expected a divisor of "
                f"its {channels} input channels and of its {self.filters} filters"
            )
        overhang = 2 * self.padding - self.kernel
        rows = (height + overhang) // self.stride + 1
        return rows, (width + overhang) // self.stride + 1, self.filters

    def parameters(self, *inputs: Shape) -> Mapping[str, Parameter]:
        shape = (self.kernel, self.kernel, inputs[0][2] // self.groups, self.filters)
        kernel = Parameter(shape, self.initializer, self.deviation)
        if self.bias is None:
            return {"kernel": kernel}
        return {
            "kernel": kernel,
            "bias": Parameter((self.filters,), constant=self.bias),
        }

    def macs(self, *inputs: Shape) -> int:
        rows, columns, filters = self.output_shape(*inputs)
        taps = self.kernel**2 * (inputs[0][2] // self.groups)
        return rows * columns * taps * filters

    def drawn_by(self, initializer: Initializer) -> Self:
        return replace(self, initializer=initializer, deviation=0.01)

    @property
    def filter_text(self) -> str:
        return f"{self.kernel}x{self.kernel}/{self.stride} (x{self.filters})"


@dataclass(frozen=True)
class Dense(Layer):
    """All inputs times a matrix, plus biases; the order is rows, columns, channels.

    `bias` is the initial value of the biases.
    """

    kind = "dense"
    ranges: ClassVar[Mapping[str, Field]] = {
        "units": COUNT,
        "initializer": INITIALIZERS,
        "deviation": DEVIATION,
        "bias": CONSTANT,
    }
    units: int
    initializer: Initializer = "he"
    deviation: float = 0.01
    bias: float = later(0.0)

    def output_shape(self, *inputs: Shape) -> Shape:
        return 1, 1, self.units

    def parameters(self, *inputs: Shape) -> Mapping[str, Parameter]:
        shape = (math.prod(inputs[0]), self.units)
        return {
            "kernel": Parameter(shape, self.initializer, self.deviation),
            "bias": Parameter((self.units,), constant=self.bias),
        }

    def macs(self, *inputs: Shape) -> int:
        return math.prod(inputs[0]) * self.units

    def drawn_by(self, initializer: Initializer) -> Self:
        return replace(self, initializer=initializer, deviation=0.01)

    @property
    def filter_text(self) -> str:
        return f"dense (x{self.units})"


@dataclass(frozen=True)
class Relu(Layer):
    """The rectifier max(x, 0)."""

    kind = "relu"
    in_place = True


@dataclass(frozen=True)
class Concat(Layer):
    """The inputs concatenated along the channels."""

    kind = "concat"

    def output_shape(self, *inputs: Shape) -> Shape:
        height, width, _ = inputs[0]
        return height, width, sum(channels for _, _, channels in inputs)

    def joins(self, *inputs: Shape) -> bool:
        return len({shape[:2] for shape in inputs}) == 1


@dataclass(frozen=True)
class Add(Layer):
    """The sum of inputs of the same shape (a bypass)."""

    kind = "add"

    def joins(self, *inputs: Shape) -> bool:
        return len(set(inputs)) == 1


@dataclass(frozen=True)
class Dropout(Layer):
    """Zeroing of a share `rate` of the elements in training, scaling the rest up."""

    kind = "dropout"
    ranges: ClassVar[Mapping[str, Field]] = {
        "rate": Field("real", "a share", least=0, most=1, below=True)
    }
    in_place = True
    rate: float


@dataclass(frozen=True)
class GlobalAverage(Layer):
    """The mean over height and width."""

    kind = "global_average"

    def output_shape(self, *inputs: Shape) -> Shape:
        return 1, 1, inputs[0][2]


@dataclass(frozen=True)
class Subsample(Layer):
    """Every `stride`-th row and column, then zero channels up to `channels`.

    It is the shortcut without parameters of He et al. 2015 (option A).
    """

    kind = "subsample"
    ranges: ClassVar[Mapping[str, Field]] = {"channels": COUNT, "stride": PIXELS}
    channels: int
    stride: int = 1

    def output_shape(self, *inputs: Shape) -> Shape:
        height, width, channels = inputs[0]
        if self.channels < channels:
            raise DseError(
                f"layer {self.name!r} pads {channels} channels up to {self.channels}; "
                "expected at least as many"
            )
        return -(-height // self.stride), -(-width // self.stride), self.channels


@dataclass(frozen=True)
class AuxiliaryLoss(Layer):
    """Class scores whose loss, times `weight`, is added in training.

    What only leads here is trained and takes no part in predictions.
    """

    kind = "auxiliary_loss"
    ranges: ClassVar[Mapping[str, Field]] = {"weight": POSITIVE}
    in_place = True
    weight: float


LAYERS: Mapping[str, type[Layer]] = {
    layer.kind: layer
    for layer in (
        Convolution,
        Dense,
        MaxPool,
        AveragePool,
        Relu,
        LocalResponseNorm,
        BatchNorm,
        Concat,
        Add,
        Subsample,
        Dropout,
        GlobalAverage,
        AuxiliaryLoss,
    )
}
"""Layer classes by kind."""
