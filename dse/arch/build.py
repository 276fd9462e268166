"""An architecture as it is written down: layer after layer."""

from typing import Any, Literal

from dse.arch.graph import INPUT, Architecture
from dse.arch.layers import (
    Add,
    AveragePool,
    Concat,
    Convolution,
    Dense,
    Dropout,
    GlobalAverage,
    Initializer,
    Layer,
    MaxPool,
    Relu,
    Shape,
)
from dse.bounds import brief, check_whole, is_whole
from dse.errors import DseError

__all__ = ["Architecture", "Build", "Shape"]

LARGEST = 2**16
"""Pixels, channels and classes, at most."""


class Build:
    """A network that grows: each call adds to what `last` names, and answers a name.

        net = Build(input_shape, classes)
        net.conv("conv1", 32, kernel=3, padding=1)
        net.max_pool("pool1", 3, 2)
        net.conv("scores", classes, kernel=1)
        net.average("average")
        return net.done()

    Args:
        input_shape: height, width, channels of one image.
        classes: class scores, at least 2.
        initializer: how kernels are drawn where nothing else is said.

    Attributes:
        last: the layer that was added last.

    Raises:
        DseError: the input or the classes are none.
    """

    def __init__(
        self, input_shape: Shape, classes: int, initializer: Initializer = "he"
    ) -> None:
        _check(input_shape, classes)
        self.input_shape, self.classes = input_shape, classes
        self.initializer = initializer
        self.last = INPUT
        self._layers: list[Layer] = []

    def shape(self) -> Shape:
        """Of what is there so far.

        Raises:
            DseError: see `Architecture`.
        """
        layers = tuple(self._layers)
        return Architecture(self.input_shape, layers).shapes[self.last]

    def add(self, layer: Layer) -> str:
        """Any layer, as it is."""
        self._layers.append(layer)
        self.last = layer.name
        return self.last

    def conv(
        self,
        name: str,
        filters: int,
        kernel: int = 3,
        stride: int = 1,
        padding: int = 0,
        *,
        source: str = "",
        relu: bool = True,
        **more: Any,
    ) -> str:
        """A convolution, and a ReLU after it."""
        more = {"initializer": self.initializer, **more}
        reads = (source or self.last,)
        self.add(Convolution(name, reads, filters, kernel, stride, padding, **more))
        return self.relu() if relu else self.last

    def dense(self, name: str, units: int, *, relu: bool = False, **more: Any) -> str:
        """A dense layer on all that is there."""
        more = {"initializer": self.initializer, **more}
        self.add(Dense(name, (self.last,), units, **more))
        return self.relu() if relu else self.last

    def relu(self) -> str:
        """A ReLU, called after what it follows."""
        module, slash, part = self.last.rpartition("/")
        return self.add(Relu(f"{module}{slash}relu_{part}", (self.last,)))

    def max_pool(
        self,
        name: str,
        window: int,
        stride: int,
        rounding: Literal["ceil", "same"] = "ceil",
    ) -> str:
        """The greatest of each window."""
        return self.add(MaxPool(name, (self.last,), window, stride, rounding))

    def average_pool(
        self,
        name: str,
        window: int,
        stride: int,
        rounding: Literal["ceil", "same"] = "ceil",
    ) -> str:
        """The mean of each window."""
        return self.add(AveragePool(name, (self.last,), window, stride, rounding))

    def dropout(self, name: str, rate: float = 0.5) -> str:
        """Dropout, in training."""
        return self.add(Dropout(name, (self.last,), rate))

    def concat(self, name: str, *sources: str) -> str:
        """Layers side by side."""
        return self.add(Concat(name, sources))

    def sum(self, name: str, *sources: str) -> str:
        """The sum of layers of one shape."""
        return self.add(Add(name, sources))

    def average(self, name: str) -> str:
        """The mean over height and width: maps become scores."""
        return self.add(GlobalAverage(name, (self.last,)))

    def done(self) -> Architecture:
        """The network.

        Raises:
            DseError: see `Architecture`; or it ends in something else than one score
                a class.
        """
        network = Architecture(self.input_shape, tuple(self._layers))
        shape = network.shapes[self.last]
        if shape != (1, 1, self.classes):
            raise DseError(
                f"the network ends in {'x'.join(map(str, shape))} at layer "
                f"{self.last!r}; expected 1x1x{self.classes}, a score a class"
            )
        return network


def _check(input_shape: Shape, classes: int) -> None:
    check_whole("classes", classes, 2, LARGEST)
    if len(input_shape) != 3:
        raise DseError(
            f"the input is {brief(input_shape)}; expected height, width and channels"
        )
    for name, size in zip(("height", "width"), input_shape, strict=False):
        check_whole(f"the input's {name}", size, 0, LARGEST)
    channels = input_shape[2]
    if not is_whole(channels, 1, LARGEST):
        raise DseError(
            f"the input has {brief(channels)} channels; expected 1 or more, at most "
            f"{LARGEST:,}"
        )
