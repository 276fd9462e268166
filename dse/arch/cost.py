"""Exact cost of an architecture, computed from its graph before any training."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from dse.arch.graph import INPUT, Architecture
from dse.arch.layer import Layer, Shape
from dse.bounds import MOST, brief
from dse.errors import DseError

BYTES_FP32 = 4
MEBIBYTE = 2**20


class LayerCost(NamedTuple):
    """Cost of one layer at batch 1.

    Attributes:
        output: height, width, channels.
        params: weights, biases, and scales and shifts of batch norms.
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
        layers: cost of each layer, in order.
        peak_activations: most elements in memory at once in evaluation; ReLU, dropout
            and batch norm are in place.
    """

    layers: tuple[LayerCost, ...]
    peak_activations: int

    @cached_property
    def params(self) -> int:
        """Weights, biases, and scales and shifts of batch norms."""
        return sum(layer.params for layer in self.layers)

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulates."""
        return sum(layer.macs for layer in self.layers)

    @cached_property
    def activations(self) -> int:
        """Output elements of the convolution and dense layers."""
        return sum(layer.activations for layer in self.layers)

    @property
    def bytes_fp32(self) -> int:
        """Bytes of the parameters at 32 bits each."""
        return BYTES_FP32 * self.params


def cost(architecture: Architecture, *, training: bool = False) -> Cost:
    """Compute the exact cost of `architecture`, per layer and in total.

    Args:
        architecture: the network.
        training: True to count also what is trained and does not predict, as auxiliary
            heads.

    Raises:
        DseError: a total is beyond what a database holds.
    """
    architecture = architecture if training else architecture.predictor
    layers = tuple(_layer_cost(layer, architecture) for layer in architecture.layers)
    whole = Cost(layers, max(_alive(architecture)))
    for name in ("bytes_fp32", "macs", "activations", "peak_activations"):
        count = getattr(whole, name)
        if count > MOST:
            raise DseError(
                f"the network's {name} would be {brief(count)}; expected at most "
                f"{MOST:,}: take smaller widths or images"
            )
    return whole


def _layer_cost(layer: Layer, architecture: Architecture) -> LayerCost:
    output, sources = architecture.shapes[layer.name], architecture.read_by(layer)
    learnt = layer.parameters(*sources)
    params = sum(math.prod(parameter.shape) for parameter in learnt.values())
    macs = layer.macs(*sources)
    return LayerCost(layer.name, output, params, macs, math.prod(output) if macs else 0)


def _alive(architecture: Architecture) -> Iterator[int]:
    """Elements in memory while each layer runs: its output, and what is still read.

    A ReLU or dropout that is its input's last reader writes in place.
    """
    last_reader = {INPUT: 0}
    for index, layer in enumerate(architecture.layers):
        last_reader[layer.name] = index + 1
        for name in layer.inputs:
            last_reader[name] = index
    sizes = {name: r * c * f for name, (r, c, f) in architecture.shapes.items()}
    finished: dict[int, list[str]] = {}
    for name, index in last_reader.items():
        finished.setdefault(index, []).append(name)
    alive = sizes[INPUT]
    for index, layer in enumerate(architecture.layers):
        done, source = finished.get(index, []), layer.inputs[0]
        in_place = layer.in_place and source in done
        yield alive + sizes[layer.name] - (sizes[source] if in_place else 0)
        alive += sizes[layer.name]
        for name in done:
            alive -= sizes[name]
