"""A builder that makes an architecture layer by layer."""

from typing import Any, Literal

from dse.arch.graph import INPUT, Architecture
from dse.arch.layer import Initializer, Layer, Shape
from dse.arch.layers import (
    Add,
    AveragePool,
    Concat,
    Convolution,
    Dense,
    Dropout,
    GlobalAverage,
    LocalResponseNorm,
    MaxPool,
    Relu,
)
from dse.bounds import brief, check_whole, is_whole
from dse.errors import DseError

__all__ = ["Architecture", "Build", "Shape", "scaled"]

LARGEST = 2**16
"""Most pixels of a side, most channels and most classes."""


class Build:
    """Builder of a network: each call adds a layer and returns its name, also `last`.

        net = Build(input_shape, classes)
        net.conv("conv1", 32, kernel=3, padding=1)
        net.max_pool("pool1", 3, 2)
        net.conv("scores", classes, kernel=1)
        net.average("average")
        return net.done()

    Args:
        input_shape: height, width, channels of one image.
        classes: number of class scores, at least 2.
        initializer: default initialiser of the kernels.

    Attributes:
        last: name of the layer that was added last.

    Raises:
        DseError: the input shape or the number of classes is invalid.
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
        """Output shape of the last layer.

        Raises:
            DseError: see `Architecture`.
        """
        layers = tuple(self._layers)
        return Architecture(self.input_shape, layers).shapes[self.last]

    def add(self, layer: Layer) -> str:
        """Add any layer unchanged."""
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
        """Add a convolution, with a ReLU by default."""
        more = {"initializer": self.initializer, **more}
        reads = (source or self.last,)
        self.add(Convolution(name, reads, filters, kernel, stride, padding, **more))
        return self.relu() if relu else self.last

    def dense(self, name: str, units: int, *, relu: bool = False, **more: Any) -> str:
        """Add a dense layer, without a ReLU by default."""
        more = {"initializer": self.initializer, **more}
        self.add(Dense(name, (self.last,), units, **more))
        return self.relu() if relu else self.last

    def relu(self) -> str:
        """Add a ReLU, named after its input."""
        module, slash, part = self.last.rpartition("/")
        return self.add(Relu(f"{module}{slash}relu_{part}", (self.last,)))

    def max_pool(
        self,
        name: str,
        window: int,
        stride: int,
        rounding: Literal["ceil", "same"] = "ceil",
    ) -> str:
        """Add max pooling."""
        return self.add(MaxPool(name, (self.last,), window, stride, rounding))

    def average_pool(
        self,
        name: str,
        window: int,
        stride: int,
        rounding: Literal["ceil", "same"] = "ceil",
    ) -> str:
        """Add average pooling."""
        return self.add(AveragePool(name, (self.last,), window, stride, rounding))

    def local_response_norm(
        self, name: str, size: int, alpha: float, beta: float, k: float
    ) -> str:
        """Add a local response norm, with the alpha of the equation."""
        norm = LocalResponseNorm(name, (self.last,), size, alpha, beta, k)
        return self.add(norm)

    def dropout(self, name: str, rate: float = 0.5) -> str:
        """Add dropout in training."""
        return self.add(Dropout(name, (self.last,), rate))

    def concat(self, name: str, *sources: str) -> str:
        """Concatenate layers along the channels."""
        return self.add(Concat(name, sources))

    def sum(self, name: str, *sources: str) -> str:
        """Add up layers of one shape."""
        return self.add(Add(name, sources))

    def average(self, name: str) -> str:
        """Add the mean over height and width: maps become scores."""
        return self.add(GlobalAverage(name, (self.last,)))

    def done(self) -> Architecture:
        """Finish and return the network.

        Raises:
            DseError: see `Architecture`; or the output is not one score per class.
        """
        network = Architecture(self.input_shape, tuple(self._layers))
        shape = network.shapes[self.last]
        if shape != (1, 1, self.classes):
            raise DseError(
                f"the network ends in {'x'.join(map(str, shape))} at layer "
                f"{self.last!r}; expected 1x1x{self.classes}, a score a class"
            )
        return network


def scaled(filters: int, width: float, multiple: int = 1) -> int:
    """Filters at a share of the published width: halves rounded up, at least one.

    Args:
        filters: the published number.
        width: the share.
        multiple: the result is a multiple of it, as of the number of groups.
    """
    return multiple * max(1, int(filters * width / multiple + 0.5))


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
