"""The paper's Table 1 for any point: every module's dimensions and cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dse.arch.cost import Cost, LayerCost, cost
from dse.arch.graph import Architecture, Convolution, Dropout, MaxPool
from dse.families.squeezenet import FireWidths, Metaparameters, widths


@dataclass(frozen=True)
class Row:
    """A row of Table 1.

    Attributes:
        name: `conv1`, `fire2`, `pool4`, ...
        output: height, width, channels.
        filter: size and stride, for convolutions and pools.
        depth: layers with weights that an input passes through.
        fire: the module's widths, for Fire modules.
        params: weights and biases.
        macs: multiply-accumulates.
    """

    name: str
    output: tuple[int, int, int]
    filter: str
    depth: int
    fire: FireWidths | None
    params: int
    macs: int


def table_1(metaparameters: Metaparameters, architecture: Architecture) -> list[Row]:
    """Rows of Table 1, the input first."""
    fires = dict(zip(range(2, 10), widths(metaparameters), strict=True))
    modules: dict[str, list[LayerCost]] = {}
    for layer in cost(architecture).layers:
        modules.setdefault(_module(layer.name), []).append(layer)
    records = {layer.name: layer for layer in architecture.layers}
    rows = [Row("input", architecture.input_shape, "", 0, None, 0, 0)]
    for name, layers in modules.items():
        record = records[layers[0].name]
        if isinstance(record, Dropout):
            continue
        fire = fires[int(name[4:])] if name.startswith("fire") else None
        if isinstance(record, MaxPool):
            kind, depth = f"{record.window}x{record.window}/{record.stride}", 0
        elif isinstance(record, Convolution) and fire is None:
            kind = (
                f"{record.kernel}x{record.kernel}/{record.stride} (x{record.filters})"
            )
            depth = 1
        else:
            kind, depth = "", 2 if fire else 0
        rows.append(
            Row(
                name,
                layers[-1].output,
                kind,
                depth,
                fire,
                sum(layer.params for layer in layers),
                sum(layer.macs for layer in layers),
            )
        )
    return rows


def _module(layer: str) -> str:
    """`fire2` of `fire2/squeeze1x1`; `conv1` of `conv1` and its ReLU."""
    return layer.partition("/")[0].removeprefix("relu_")


def as_json(architecture: Architecture, costs: Cost) -> dict[str, Any]:
    """Identity and cost of an architecture as plain data."""
    return {
        "id": architecture.id,
        "params": costs.params,
        "macs": costs.macs,
        "activations": costs.activations,
        "peak_activations": costs.peak_activations,
        "bytes_fp32": costs.bytes_fp32,
        "layers": [_layer_json(layer) for layer in costs.layers],
    }


def _layer_json(layer: LayerCost) -> dict[str, Any]:
    output: Sequence[int] = layer.output
    return {
        "name": layer.name,
        "output": list(output),
        "params": layer.params,
        "macs": layer.macs,
    }
