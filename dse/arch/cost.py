"""Exact cost of an architecture, folded over its graph before any training."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from dse.arch.graph import (
    INPUT,
    Architecture,
    Convolution,
    Dropout,
    Layer,
    Relu,
    Shape,
)
from dse.bounds import MOST, brief
from dse.errors import DseError

BYTES_FP32 = 4
MEBIBYTE = 2**20


@dataclass(frozen=True)
class LayerCost:
    """Cost of one layer at batch 1.

    Attributes:
        name: the layer's name.
        output: height, width, channels.
        params: weights and biases.
        macs: multiply-accumulates, padded taps included, biases not.
        activations: output elements, counted for convolution and dense layers.
    """

    name: str
    output: Shape
    params: int
    macs: int
    activations: int


@dataclass(frozen=True)
class Cost:
    """Cost of a whole architecture at batch 1.

    Attributes:
        layers: each layer's, in order.
        peak_activations: most elements alive at once; ReLU and dropout in place.
    """

    layers: tuple[LayerCost, ...]
    peak_activations: int

    @property
    def params(self) -> int:
        """Weights and biases."""
        return sum(layer.params for layer in self.layers)

    @property
    def macs(self) -> int:
        """Multiply-accumulates."""
        return sum(layer.macs for layer in self.layers)

    @property
    def activations(self) -> int:
        """Output elements of the convolution and dense layers."""
        return sum(layer.activations for layer in self.layers)

    @property
    def bytes_fp32(self) -> int:
        """Bytes of the parameters at 32 bits each."""
        return BYTES_FP32 * self.params


def cost(architecture: Architecture) -> Cost:
    """The exact cost of `architecture`, per layer and whole.

    Raises:
        DseError: it is beyond what a database holds.
    """
    shapes = architecture.shapes
    layers = tuple(
        _layer_cost(layer, shapes[layer.inputs[0]], shapes[layer.name])
        for layer in architecture.layers
    )
    whole = Cost(layers, max(_alive(architecture)))
    for name in ("bytes_fp32", "macs", "activations", "peak_activations"):
        count = getattr(whole, name)
        if count > MOST:
            raise DseError(
                f"the network's {name} would be {brief(count)}; expected at most "
                f"{MOST:,}: take smaller widths or images"
            )
    return whole


def _layer_cost(layer: Layer, source: Shape, output: Shape) -> LayerCost:
    match layer:
        case Convolution(filters=filters, kernel=kernel):
            weights = kernel * kernel * source[2] * filters
            positions = output[0] * output[1]
            return LayerCost(
                layer.name,
                output,
                params=weights + filters,
                macs=weights * positions,
                activations=positions * filters,
            )
        case _:
            return LayerCost(layer.name, output, params=0, macs=0, activations=0)


def _alive(architecture: Architecture) -> Iterator[int]:
    """Elements alive while each layer runs: inputs, output, and what is still to read.

    A ReLU or dropout that is its input's last reader writes in place.
    """
    last_reader = {INPUT: 0}
    for index, layer in enumerate(architecture.layers):
        last_reader[layer.name] = index
        for name in layer.inputs:
            last_reader[name] = index
    sizes = {name: math.prod(shape) for name, shape in architecture.shapes.items()}
    alive = {INPUT}
    for index, layer in enumerate(architecture.layers):
        finished = {name for name in alive if last_reader[name] <= index}
        in_place = isinstance(layer, Relu | Dropout) and layer.inputs[0] in finished
        held = alive - set(layer.inputs) if in_place else alive
        yield sum(sizes[name] for name in held) + sizes[layer.name]
        alive = (alive - finished) | {layer.name}
