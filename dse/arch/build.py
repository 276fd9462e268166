"""A builder that makes an architecture layer by layer."""

import math
from typing import Any

from dse.arch.graph import INPUT, Architecture, add_shape
from dse.arch.layer import Initializer, Layer, Shape
from dse.arch.layers import (
    Add,
    AuxiliaryLoss,
    Concat,
    Convolution,
    Dense,
    Dropout,
    GlobalAverage,
    Relu,
    Subsample,
)
from dse.arch.norms import BatchNorm, LocalResponseNorm
from dse.arch.pools import AveragePool, MaxPool, Rounding
from dse.bounds import brief, check_whole, is_whole
from dse.errors import DseError

__all__ = ["Architecture", "Build", "Shape", "scaled"]

LARGEST = 2**16
"""Most pixels of a side, most channels and most classes."""

IMAGENET_SIDE = 128
"""Pixels of the shorter side from which on a family has its form for ImageNet."""


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
        self._shapes = {INPUT: input_shape}  # of the layers up to the last `shape`

    @property
    def is_small(self) -> bool:
        """True if the images want a family's form for small images."""
        return min(self.input_shape[:2]) < IMAGENET_SIDE

    def shape(self, of: str = "") -> Shape:
        """Output shape of a layer, by default the last.

        Raises:
            DseError: see `Architecture`.
        """
        for layer in self._layers[len(self._shapes) - 1 :]:
            add_shape(self._shapes, layer)
        return self._shapes[of or self.last]

    def add(self, layer: Layer) -> str:
        """Add any layer.

        Raises:
            DseError: see `Layer.checked`.
        """
        layer = layer.checked()
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
        norm: bool = False,
        relu: bool = True,
        **more: Any,
    ) -> str:
        """Add a convolution, with a ReLU by default.

        Args:
            name: name of the convolution.
            filters: number of filters.
            kernel: height and width of a filter.
            stride: step from one output pixel to the next.
            padding: zero pixels on each side.
            source: the layer that is read; by default the last one.
            norm: True for a batch norm in place of biases.
            relu: True for a ReLU after it.
            more: other fields of `dse.arch.layers.Convolution`.
        """
        biases: dict[str, Any] = {"bias": None} if norm else {}
        more = {"initializer": self.initializer, **biases, **more}
        reads = (source or self.last,)
        self.add(Convolution(name, reads, filters, kernel, stride, padding, **more))
        if norm:
            self.batch_norm(_after("norm", name))
        return self.relu(name) if relu else self.last

    def dense(self, name: str, units: int, *, relu: bool = False, **more: Any) -> str:
        """Add a dense layer, without a ReLU by default."""
        more = {"initializer": self.initializer, **more}
        self.add(Dense(name, (self.last,), units, **more))
        return self.relu() if relu else self.last

    def relu(self, of: str = "") -> str:
        """Add a ReLU, named after `of`, by default its input."""
        return self.add(Relu(_after("relu", of or self.last), (self.last,)))

    def max_pool(
        self,
        name: str,
        window: int,
        stride: int,
        rounding: Rounding = "ceil",
        margin: int = 0,
        *,
        source: str = "",
    ) -> str:
        """Add max pooling; see `dse.arch.pools.Pool`."""
        reads = (source or self.last,)
        return self.add(MaxPool(name, reads, window, stride, rounding, margin))

    def average_pool(
        self,
        name: str,
        window: int,
        stride: int,
        rounding: Rounding = "ceil",
        margin: int = 0,
        *,
        source: str = "",
    ) -> str:
        """Add average pooling; see `dse.arch.pools.Pool`."""
        reads = (source or self.last,)
        return self.add(AveragePool(name, reads, window, stride, rounding, margin))

    def local_response_norm(
        self, name: str, size: int, alpha: float, beta: float, k: float
    ) -> str:
        """Add a local response norm, with the alpha of the equation."""
        norm = LocalResponseNorm(name, (self.last,), size, alpha, beta, k)
        return self.add(norm)

    def batch_norm(self, name: str, **more: Any) -> str:
        """Add a batch norm, with other fields of `dse.arch.norms.BatchNorm`."""
        return self.add(BatchNorm(name, (self.last,), **more))

    def subsample(self, name: str, source: str, channels: int, stride: int) -> str:
        """Add a shortcut without parameters; see `dse.arch.layers.Subsample`."""
        return self.add(Subsample(name, (source,), channels, stride))

    def auxiliary_loss(self, name: str, weight: float) -> str:
        """Add the loss of a head that only trains."""
        return self.add(AuxiliaryLoss(name, (self.last,), weight))

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
            DseError: see `Architecture`; or the output is not one score per class, or
                a layer leads nowhere.
        """
        network = Architecture(self.input_shape, tuple(self._layers))
        self._check_all_are_read(network)
        shape = network.shapes[self.last]
        if shape != (1, 1, self.classes):
            raise DseError(
                f"the network ends in {'x'.join(map(str, shape))} at layer "
                f"{self.last!r}; expected 1x1x{self.classes}, a score a class"
            )
        return network

    def _check_all_are_read(self, network: Architecture) -> None:
        """Check that every layer leads to the last one or to an auxiliary loss."""
        read = {self.last, *(loss.name for loss in network.auxiliary)}
        for layer in reversed(network.layers):
            if layer.name not in read:
                raise DseError(
                    f"no layer reads {layer.name!r}; leave it out, or have one read it"
                )
            read |= set(layer.inputs)


def _after(kind: str, name: str) -> str:
    """Name of a layer that belongs to the layer `name`, in the same module."""
    module, slash, part = name.rpartition("/")
    return f"{module}{slash}{kind}_{part}"


def scaled(filters: int, width: float, multiple: int = 1) -> int:
    """Filters at a share of the published width: halves rounded up.

    Args:
        filters: the published number.
        width: the share.
        multiple: the result is a multiple of it, as of the number of groups.

    Raises:
        DseError: none is left.
    """
    left = multiple * int(filters * width / multiple + 0.5)
    if left < 1:
        raise DseError(
            f"width is {width:g}, which leaves none of {filters} filters of a layer; "
            f"expected {_rounded_up(0.5 * multiple / filters):g} or more"
        )
    return left


def _rounded_up(value: float) -> float:
    """The least number of three significant digits that is not below `value`."""
    unit = 10.0 ** (math.floor(math.log10(value)) - 2)
    return math.ceil(value / unit * (1 - 1e-12)) * unit


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
