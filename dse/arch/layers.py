"""The kinds of layers: each record defines its shape, parameters and work.

Each kind has one forward function (`dse.models.forward`). Cost, initial weights and
identity are computed from the records.
"""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, NamedTuple, Self

Shape = tuple[int, int, int]
"""Height, width and channels of one image's feature map."""

Initializer = Literal["he", "xavier", "gaussian"]
"""He: N(0, 2 / fan_in). Xavier (Caffe): U(±sqrt(3 / fan_in)). Gaussian: N(0, s²)."""


def later(default: Any) -> Any:
    """Make a field that was added later, left out of identities at its default."""
    return field(default=default, metadata={"later": True})


class Parameter(NamedTuple):
    """A learnt array.

    Attributes:
        shape: its axes; the last axis of a kernel is the outputs.
        initializer: distribution of its initial values; None for zeros.
        deviation: s of a Gaussian.
    """

    shape: tuple[int, ...]
    initializer: Initializer | None = None
    deviation: float = 0.0


@dataclass(frozen=True)
class Layer:
    """A named node that reads the outputs of the layers named in `inputs`.

    Attributes:
        kind: name of the kind in JSON.
        in_place: True if it may overwrite its input.
    """

    kind: ClassVar[str]
    in_place: ClassVar[bool] = False
    name: str
    inputs: tuple[str, ...]

    def output_shape(self, *inputs: Shape) -> Shape:
        """Shape of the output for these input shapes; by default the first of them."""
        return inputs[0]

    def parameters(self, *inputs: Shape) -> Mapping[str, Parameter]:
        """Learnt parameters by name."""
        return {}

    def macs(self, *inputs: Shape) -> int:
        """Multiply-accumulates at batch 1: padded taps are counted, biases are not."""
        return 0

    def joins(self, *inputs: Shape) -> bool:
        """Check whether the layer accepts inputs of these shapes."""
        return len(inputs) == 1

    def drawn_by(self, initializer: Initializer) -> Self:
        """This layer with another initialiser for its kernel, if it has a kernel."""
        return self

    @property
    def filter_text(self) -> str:
        """Size and stride as in the paper's Table 1; empty for most layers."""
        return ""

    def to_json(self) -> dict[str, Any]:
        """Convert the record to plain data, without later fields at their defaults."""
        values = {
            f.name: getattr(self, f.name)
            for f in dataclasses.fields(self)
            if not f.metadata.get("later") or getattr(self, f.name) != f.default
        }
        return {"kind": self.kind, **values}


@dataclass(frozen=True)
class Convolution(Layer):
    """A square convolution with bias.

    `padding` counts zero pixels on each side; output sizes round down. `deviation` is
    that of a Gaussian initialiser.
    """

    kind = "convolution"
    filters: int
    kernel: int
    stride: int = 1
    padding: int = 0
    initializer: Initializer = "he"
    deviation: float = later(0.01)

    def output_shape(self, *inputs: Shape) -> Shape:
        height, width, _ = inputs[0]
        overhang = 2 * self.padding - self.kernel
        rows = (height + overhang) // self.stride + 1
        return rows, (width + overhang) // self.stride + 1, self.filters

    def parameters(self, *inputs: Shape) -> Mapping[str, Parameter]:
        shape = (self.kernel, self.kernel, inputs[0][2], self.filters)
        return {
            "kernel": Parameter(shape, self.initializer, self.deviation),
            "bias": Parameter((self.filters,)),
        }

    def macs(self, *inputs: Shape) -> int:
        rows, columns, filters = self.output_shape(*inputs)
        return rows * columns * self.kernel**2 * inputs[0][2] * filters

    def drawn_by(self, initializer: Initializer) -> Self:
        return dataclasses.replace(self, initializer=initializer, deviation=0.01)

    @property
    def filter_text(self) -> str:
        return f"{self.kernel}x{self.kernel}/{self.stride} (x{self.filters})"


@dataclass(frozen=True)
class Dense(Layer):
    """All inputs times a matrix, plus a bias; the order is rows, columns, channels."""

    kind = "dense"
    units: int
    initializer: Initializer = "he"
    deviation: float = 0.01

    def output_shape(self, *inputs: Shape) -> Shape:
        return 1, 1, self.units

    def parameters(self, *inputs: Shape) -> Mapping[str, Parameter]:
        shape = (math.prod(inputs[0]), self.units)
        return {
            "kernel": Parameter(shape, self.initializer, self.deviation),
            "bias": Parameter((self.units,)),
        }

    def macs(self, *inputs: Shape) -> int:
        return math.prod(inputs[0]) * self.units

    def drawn_by(self, initializer: Initializer) -> Self:
        return dataclasses.replace(self, initializer=initializer, deviation=0.01)

    @property
    def filter_text(self) -> str:
        return f"dense (x{self.units})"


@dataclass(frozen=True)
class Pool(Layer):
    """Pooling over square windows.

    `ceil` is Caffe's rule: no padding, and the last window may extend beyond the input.
    `same` pads so that the output has ceil(size / stride) rows.
    """

    window: int
    stride: int
    rounding: Literal["ceil", "same"]

    def padding(self, size: int) -> tuple[int, int]:
        """Pixels of padding before and after an axis of `size` pixels."""
        total = (self._windows(size) - 1) * self.stride + self.window - size
        if self.rounding == "ceil":
            return 0, max(total, 0)
        return max(total, 0) // 2, max(total, 0) - max(total, 0) // 2

    def output_shape(self, *inputs: Shape) -> Shape:
        height, width, channels = inputs[0]
        return self._windows(height), self._windows(width), channels

    def _windows(self, size: int) -> int:
        if self.rounding == "same":
            return math.ceil(size / self.stride)
        windows = math.ceil((size - self.window) / self.stride) + 1
        return min(windows, math.ceil(size / self.stride))  # no window wholly outside

    @property
    def filter_text(self) -> str:
        return f"{self.window}x{self.window}/{self.stride}"


@dataclass(frozen=True)
class MaxPool(Pool):
    """The maximum of each window."""

    kind = "max_pool"


@dataclass(frozen=True)
class AveragePool(Pool):
    """The mean of each window's elements that lie inside the input."""

    kind = "average_pool"


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
    in_place = True
    rate: float


@dataclass(frozen=True)
class GlobalAverage(Layer):
    """The mean over height and width."""

    kind = "global_average"

    def output_shape(self, *inputs: Shape) -> Shape:
        return 1, 1, inputs[0][2]


LAYERS: Mapping[str, type[Layer]] = {
    layer.kind: layer
    for layer in (
        Convolution,
        Dense,
        MaxPool,
        AveragePool,
        Relu,
        Concat,
        Add,
        Dropout,
        GlobalAverage,
    )
}
"""Layer classes by kind."""
