"""Print a network as the paper's Table 1, with its totals."""

from dse.arch.cost import MEBIBYTE, cost
from dse.arch.describe import table_1
from dse.arch.family import Family
from dse.arch.graph import Architecture
from dse.console.tables import print_table


def print_description(point: Family, architecture: Architecture) -> None:
    """Print the paper's Table 1 for any point, and its totals."""
    table = table_1(point, architecture)
    widths = list(dict.fromkeys(name for row in table for name in row.widths))
    rows = []
    for row in table:
        own = [row.widths.get(name, "") for name in widths]
        counts = [f"{row.params:,}", f"{row.macs:,}"] if row.params else ["", ""]
        output = "x".join(map(str, row.output))
        rows.append([row.name, output, row.filter, row.depth, *own, *counts])
    headings = ["layer", "output", "filter/stride", "depth", *widths]
    print_table([*headings, "params", "MACs"], rows, left=3)
    costs = cost(architecture)
    size = costs.bytes_fp32
    print(
        f"{point.name}: {point.short()} · architecture {architecture.id}\n"
        f"{costs.params:,} parameters = {size:,} bytes in 32-bit floats "
        f"({size / MEBIBYTE:.3f} MiB, {size / 1e6:.3f} MB of 10^6)\n"
        f"{costs.macs:,} MACs, {costs.activations:,} activations, "
        f"{costs.peak_activations:,} alive at most"
        f"{_in_training(architecture)}"
    )
    if point.note():
        derived = ", ".join(
            f"{name} {value:g}" for name, value in point.derived().items()
        )
        print(f"after rounding to whole widths: {derived}")


def _in_training(architecture: Architecture) -> str:
    """A line on the totals with auxiliary heads, if there are any."""
    if not architecture.auxiliary:
        return ""
    whole = cost(architecture, training=True)
    return (
        f"\nin training, with auxiliary heads: {whole.params:,} parameters, "
        f"{whole.macs:,} MACs, {whole.activations:,} activations"
    )
