"""The architecture: a small frozen graph of layer records, and its identity.

The cost is computed from it (`dse.arch.cost`), the `nnx` module executes it
(`dse.models.network`), and its hash identifies the network in every table.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from dse.arch.layer import Layer, Parameter, Shape
from dse.arch.layers import LAYERS, AuxiliaryLoss
from dse.arch.norms import BatchNorm
from dse.errors import DseError
from dse.files import short_digest

INPUT = "input"


class InputTooSmall(DseError):
    """The images are so small that a feature map of the network would vanish."""


@dataclass(frozen=True)
class Architecture:
    """A network: its input shape and its layers, in an order that can be executed.

    Attributes:
        input_shape: height, width, channels of one image.
        layers: each reads the input or earlier layers; the channels of the last one are
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
        """Output shape of every layer and of the input, by name."""
        shapes: dict[str, Shape] = {INPUT: self.input_shape}
        for layer in self.layers:
            add_shape(shapes, layer)
        for layer in self.layers:
            if isinstance(layer, AuxiliaryLoss):
                self._check_auxiliary(layer, shapes)
        return shapes

    def _check_auxiliary(
        self, layer: AuxiliaryLoss, shapes: Mapping[str, Shape]
    ) -> None:
        """Check that the loss reads scores of the same classes and predicts nothing."""
        if layer is self.layers[-1]:
            raise DseError(
                f"layer {layer.name!r} is an auxiliary loss and the last layer; "
                "expected the scores that predict to come last"
            )
        found, wanted = shapes[layer.name], shapes[self.layers[-1].name]
        read = [x.name for x in self.layers if layer.name in x.inputs]
        if found != wanted or read:
            raise DseError(
                f"layer {layer.name!r} is an auxiliary loss of {found}"
                f"{f', read by {read[0]!r}' if read else ''}; expected scores as the "
                f"last layer's, {wanted}, which no layer reads"
            )

    def read_by(self, layer: Layer) -> list[Shape]:
        """Shapes of a layer's inputs."""
        return [self.shapes[name] for name in layer.inputs]

    @cached_property
    def parameters(self) -> Mapping[str, Mapping[str, Parameter]]:
        """Learnt parameters by layer, then by name; layers without any are left out."""
        learnt = {x.name: x.parameters(*self.read_by(x)) for x in self.layers}
        return {name: of_layer for name, of_layer in learnt.items() if of_layer}

    @cached_property
    def statistics(self) -> Mapping[str, Mapping[str, Parameter]]:
        """Running averages by layer, then by name; layers without any are left out."""
        kept = {x.name: x.statistics(*self.read_by(x)) for x in self.layers}
        return {name: of_layer for name, of_layer in kept.items() if of_layer}

    @cached_property
    def auxiliary(self) -> tuple[AuxiliaryLoss, ...]:
        """The losses that training adds to that of the last layer's scores."""
        return tuple(x for x in self.layers if isinstance(x, AuxiliaryLoss))

    @cached_property
    def predictor(self) -> "Architecture":
        """The part that predicts: the last layer and what it depends on."""
        needed = {self.layers[-1].name}
        for layer in reversed(self.layers):
            if layer.name in needed:
                needed |= set(layer.inputs)
        layers = tuple(layer for layer in self.layers if layer.name in needed)
        return self if layers == self.layers else Architecture(self.input_shape, layers)

    @property
    def kernels(self) -> tuple[str, ...]:
        """Names of the layers with kernels, in order, of the part that predicts."""
        learnt = self.predictor.parameters
        return tuple(layer for layer, names in learnt.items() if "kernel" in names)

    @cached_property
    def group(self) -> int:
        """Number of images that batch norms take together; 1 without batch norm.

        A batch, and every part of it, has a whole number of such groups.
        """
        return math.lcm(*(x.group for x in self.layers if isinstance(x, BatchNorm)))

    @cached_property
    def id(self) -> str:
        """Identifier: sixteen hexadecimal digits of a hash of the whole graph."""
        text = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))
        return short_digest(text, 16)

    def to_json(self) -> dict[str, Any]:
        """Convert the graph to plain data, which `from_json` reads."""
        layers = [layer.to_json() for layer in self.layers]
        return {"input_shape": list(self.input_shape), "layers": layers}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Architecture":
        """Make the architecture from the result of `to_json`."""
        height, width, channels = data["input_shape"]
        return cls((height, width, channels), tuple(map(_layer, data["layers"])))


def add_shape(shapes: dict[str, Shape], layer: Layer) -> None:
    """Add a layer's output shape to those of the input and of earlier layers, by name.

    Raises:
        DseError: see `Architecture`.
    """
    if layer.name in shapes:
        raise DseError(f"two layers are called {layer.name!r}; rename one")
    try:
        inputs = [shapes[name] for name in layer.inputs]
    except KeyError as error:
        raise DseError(
            f"layer {layer.name!r} reads {error}, not yet defined"
        ) from error
    if not inputs or not layer.joins(*inputs):
        raise DseError(f"layer {layer.name!r} cannot join inputs of shapes {inputs}")
    shape = layer.output_shape(*inputs)
    if min(shape) < 1:
        height, width, _ = shapes[INPUT]
        raise InputTooSmall(
            f"an input of {height}x{width} pixels is too small: nothing is left of it "
            f"at layer {layer.name!r}"
        )
    shapes[layer.name] = shape


def _layer(record: Mapping[str, Any]) -> Layer:
    fields = {**record, "inputs": tuple(record["inputs"])}
    return LAYERS[fields.pop("kind")](**fields)
