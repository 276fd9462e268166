"""The paper's Table 1 for any network: every module's dimensions and cost."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dse.arch.cost import LayerCost, cost
from dse.arch.family import Family
from dse.arch.graph import INPUT, Architecture
from dse.arch.layer import Shape
from dse.arch.layers import Dropout

TOTALS = ("params", "macs", "activations", "bytes_fp32")
"""Totals that auxiliary heads add to."""


@dataclass(frozen=True)
class Row:
    """A row of Table 1.

    Attributes:
        name: `conv1`, `fire2`, `pool4`, ...
        output: height, width, channels.
        filter: size and stride, for convolutions and pools; units of a dense layer.
        depth: convolutions and dense layers on the longest way from input to output.
        widths: the module's widths by name, if its family defines them.
        params: weights and biases.
        macs: multiply-accumulates.
    """

    name: str
    output: Shape
    filter: str
    depth: int
    widths: Mapping[str, int]
    params: int
    macs: int


def table_1(point: Family, architecture: Architecture) -> list[Row]:
    """Rows of Table 1, the input first.

    A layer's module is the part of its name before the slash. A ReLU and a batch norm
    belong to the layer that they follow. Dropout has no row.
    """
    architecture = architecture.predictor
    widths, depths = point.modules(), _depths(architecture)
    modules: dict[str, list[LayerCost]] = {}
    for layer in cost(architecture).layers:
        modules.setdefault(_module(layer.name), []).append(layer)
    records = {layer.name: layer for layer in architecture.layers}
    rows = [Row(INPUT, architecture.input_shape, "", 0, {}, 0, 0)]
    for name, layers in modules.items():
        first = records[layers[0].name]
        if isinstance(first, Dropout):
            continue
        kernels = [layer for layer in layers if layer.macs]
        before = min(depths[source] for source in first.inputs)
        rows.append(
            Row(
                name,
                layers[-1].output,
                first.filter_text if len(kernels) < 2 else "",
                depths[layers[-1].name] - before,
                widths.get(name, {}),
                sum(layer.params for layer in layers),
                sum(layer.macs for layer in layers),
            )
        )
    return rows


def _depths(architecture: Architecture) -> Mapping[str, int]:
    """Most convolutions and dense layers on a path from the input, by layer."""
    depths = {INPUT: 0}
    for layer in architecture.layers:
        own = layer.macs(*architecture.read_by(layer)) > 0
        depths[layer.name] = max(depths[name] for name in layer.inputs) + own
    return depths


def _module(layer: str) -> str:
    """Module of a layer: `fire2` of `fire2/squeeze1x1`, `conv1` of `relu_conv1`."""
    return layer.partition("/")[0].removeprefix("relu_").removeprefix("norm_")


def as_json(architecture: Architecture) -> dict[str, Any]:
    """Identity and cost of an architecture as plain data.

    A network with auxiliary heads has its totals in training besides.
    """
    costs, more = cost(architecture), {}
    if architecture.auxiliary:
        whole = cost(architecture, training=True)
        more = {"training": {name: getattr(whole, name) for name in TOTALS}}
    return {
        "id": architecture.id,
        "params": costs.params,
        "macs": costs.macs,
        "activations": costs.activations,
        "peak_activations": costs.peak_activations,
        "bytes_fp32": costs.bytes_fp32,
        **more,
        "layers": [
            {
                "name": layer.name,
                "output": list(layer.output),
                "params": layer.params,
                "macs": layer.macs,
            }
            for layer in costs.layers
        ],
    }
