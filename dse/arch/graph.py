"""The architecture: a small frozen graph of layer records, and its identity.

One description serves everything: cost folds over it (`dse.arch.cost`), one `nnx`
module interprets it (`dse.models.network`), its hash names the network in every table.
"""

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

from dse.errors import DseError

Shape = tuple[int, int, int]
"""Height, width and channels of one image's feature map."""

Initializer = Literal["he", "xavier", "gaussian"]
"""He: N(0, 2 / fan_in). Xavier (Caffe): U(±sqrt(3 / fan_in)). Gaussian: N(0, 0.01²)."""

INPUT = "input"


@dataclass(frozen=True)
class Layer:
    """A named node that reads the outputs of the layers named in `inputs`."""

    kind: ClassVar[str]
    name: str
    inputs: tuple[str, ...]

    def output_shape(self, *inputs: Shape) -> Shape:
        """Shape of the output, given those of the inputs; here the first input's."""
        return inputs[0]


@dataclass(frozen=True)
class Convolution(Layer):
    """A square convolution with bias.

    `padding` counts zero pixels on each side; output sizes round down.
    """

    kind = "convolution"
    filters: int
    kernel: int
    stride: int = 1
    padding: int = 0
    initializer: Initializer = "he"

    def output_shape(self, *inputs: Shape) -> Shape:
        height, width, _ = inputs[0]
        rows, columns = (
            (size + 2 * self.padding - self.kernel) // self.stride + 1
            for size in (height, width)
        )
        return rows, columns, self.filters


@dataclass(frozen=True)
class MaxPool(Layer):
    """A square max pool.

    `ceil` is Caffe's rule: no padding, and a last window that overhangs the input
    counts. `same` pads so that the output has ceil(size / stride) rows.
    """

    kind = "max_pool"
    window: int
    stride: int
    rounding: Literal["ceil", "same"]

    def padding(self, size: int) -> tuple[int, int]:
        """Pixels of padding before and after an axis of `size` pixels."""
        total = (self._windows(size) - 1) * self.stride + self.window - size
        if self.rounding == "ceil":
            return 0, total
        return max(total, 0) // 2, max(total, 0) - max(total, 0) // 2

    def output_shape(self, *inputs: Shape) -> Shape:
        height, width, channels = inputs[0]
        return self._windows(height), self._windows(width), channels

    def _windows(self, size: int) -> int:
        if self.rounding == "same":
            return math.ceil(size / self.stride)
        return math.ceil((size - self.window) / self.stride) + 1


@dataclass(frozen=True)
class Relu(Layer):
    """max(x, 0)."""

    kind = "relu"


@dataclass(frozen=True)
class Concat(Layer):
    """The inputs side by side along the channels."""

    kind = "concat"

    def output_shape(self, *inputs: Shape) -> Shape:
        height, width, _ = inputs[0]
        return height, width, sum(channels for _, _, channels in inputs)


@dataclass(frozen=True)
class Add(Layer):
    """The sum of inputs of one shape (a bypass)."""

    kind = "add"


@dataclass(frozen=True)
class Dropout(Layer):
    """Zeroes a share `rate` of the elements in training, and scales the rest up."""

    kind = "dropout"
    rate: float


@dataclass(frozen=True)
class GlobalAverage(Layer):
    """The mean over height and width."""

    kind = "global_average"

    def output_shape(self, *inputs: Shape) -> Shape:
        return 1, 1, inputs[0][2]


LAYERS: Mapping[str, type[Layer]] = {
    layer.kind: layer
    for layer in (Convolution, MaxPool, Relu, Concat, Add, Dropout, GlobalAverage)
}


@dataclass(frozen=True)
class Architecture:
    """A network: its input shape and its layers, in an order that can be executed.

    Attributes:
        input_shape: height, width, channels of one image.
        layers: each reads the input or layers before it; the last one's channels are
            the class scores.

    Raises:
        DseError: a name is used twice, an input is unknown, shapes do not fit, or a
            feature map would vanish.
    """

    input_shape: Shape
    layers: tuple[Layer, ...]

    def __post_init__(self) -> None:
        _ = self.shapes

    @property
    def classes(self) -> int:
        """Number of class scores."""
        return self.shapes[self.layers[-1].name][2]

    @cached_property
    def shapes(self) -> Mapping[str, Shape]:
        """Output shape of every layer by name, the input's included."""
        shapes: dict[str, Shape] = {INPUT: self.input_shape}
        for layer in self.layers:
            if layer.name in shapes:
                raise DseError(f"two layers are called {layer.name!r}; rename one")
            unknown = [name for name in layer.inputs if name not in shapes]
            if unknown or not layer.inputs:
                raise DseError(f"layer {layer.name!r} reads {unknown}, not yet defined")
            inputs = [shapes[name] for name in layer.inputs]
            _check_inputs(layer, inputs)
            shape = layer.output_shape(*inputs)
            if min(shape) < 1:
                raise DseError(
                    f"an input of {self.input_shape[0]}x{self.input_shape[1]} pixels "
                    f"is too small: nothing is left of it at layer {layer.name!r}"
                )
            shapes[layer.name] = shape
        return shapes

    @cached_property
    def id(self) -> str:
        """Identity: sixteen hexadecimal digits of a hash over the whole graph."""
        text = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def to_json(self) -> dict[str, Any]:
        """The graph as plain data; `from_json` turns it back."""
        layers = [{"kind": x.kind, **dataclasses.asdict(x)} for x in self.layers]
        return {"input_shape": list(self.input_shape), "layers": layers}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Architecture":
        """The architecture that `to_json` described."""
        height, width, channels = data["input_shape"]
        return cls((height, width, channels), tuple(map(_layer, data["layers"])))


def _layer(record: Mapping[str, Any]) -> Layer:
    fields = {**record, "inputs": tuple(record["inputs"])}
    return LAYERS[fields.pop("kind")](**fields)


def _check_inputs(layer: Layer, inputs: Sequence[Shape]) -> None:
    match layer:
        case Add():
            agree = len(set(inputs)) == 1
        case Concat():
            agree = len({shape[:2] for shape in inputs}) == 1
        case _:
            agree = len(inputs) == 1
    if not agree:
        raise DseError(f"layer {layer.name!r} cannot join inputs of shapes {inputs}")
