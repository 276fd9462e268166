"""The base class of layers: name, inputs, output shape, parameters and work."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, NamedTuple, Self, get_args

import numpy as np

from dse.bounds import brief
from dse.errors import DseError
from dse.fields import Field, plain

Shape = tuple[int, int, int]
"""Height, width and channels of one image's feature map."""

Initializer = Literal["he", "xavier", "gaussian", "he_fan_out"]
"""He: N(0, 2 / fan_in), or N(0, 2 / fan_out), where fan_out is a kernel's area times
its filters. Xavier (Caffe): U(±sqrt(3 / fan_in)). Gaussian: N(0, s²)."""


COUNT = Field("whole", "a number of filters, channels or groups", least=1, most=2**24)
PIXELS = Field("whole", "a size in pixels", least=1, most=2**16)
PADDING = Field("whole", "pixels beyond a side", least=0, most=2**16)
INITIALIZERS = Field("choice", "an initialiser", options=get_args(Initializer))
POSITIVE = Field("real", "a number above 0", least=0, most=1e6, above=True)
DEVIATION = Field("real", "a deviation", least=0, most=1e6)
CONSTANT = Field("real", "an initial value", least=-1e6, most=1e6)


def later(default: Any) -> Any:
    """Make a field that was added later, left out of identities at its default."""
    return field(default=default, metadata={"later": True})


class Parameter(NamedTuple):
    """A learnt array.

    Attributes:
        shape: its axes; the last axis of a kernel is the outputs.
        initializer: distribution of its initial values; None for a constant.
        deviation: s of a Gaussian.
        constant: initial value without a distribution.
    """

    shape: tuple[int, ...]
    initializer: Initializer | None = None
    deviation: float = 0.0
    constant: float = 0.0


@dataclass(frozen=True)
class Layer:
    """A named node that reads the outputs of the layers named in `inputs`.

    Attributes:
        kind: name of the kind in JSON.
        ranges: valid values of its own fields, by name.
        in_place: True if it may overwrite its input.
    """

    kind: ClassVar[str]
    ranges: ClassVar[Mapping[str, Field]] = {}
    in_place: ClassVar[bool] = False
    name: str
    inputs: tuple[str, ...]

    def checked(self) -> Self:
        """Check the values of a new layer; one that is stored is taken as it is.

        Returns:
            This layer, with plain numbers in place of NumPy's.

        Raises:
            DseError: a value is not valid.
        """
        if not isinstance(self.name, str) or not self.name:
            raise DseError(f"a layer is called {self.name!r}; expected a name, a text")
        is_list = isinstance(self.inputs, list | tuple)
        if not is_list or not all(isinstance(x, str) for x in self.inputs):
            raise DseError(
                f"layer {self.name!r} reads {brief(self.inputs)}; expected names of "
                "layers"
            )
        changed = {}
        for name, known in self.ranges.items():
            value = plain(getattr(self, name))
            if isinstance(value, np.generic):
                value = value.item()
            elif isinstance(value, np.ndarray):
                value = str(value)  # nothing can be compared with an array
            known.checked(f"{name} of layer {self.name!r}", value)
            if value is not getattr(self, name):
                changed[name] = value
        return dataclasses.replace(self, **changed) if changed else self

    def output_shape(self, *inputs: Shape) -> Shape:
        """Shape of the output for these input shapes; by default the first of them."""
        return inputs[0]

    def parameters(self, *inputs: Shape) -> Mapping[str, Parameter]:
        """Learnt parameters by name."""
        return {}

    def statistics(self, *inputs: Shape) -> Mapping[str, Parameter]:
        """Running averages by name, which training keeps and evaluation uses."""
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
