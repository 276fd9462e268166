"""Print what fits on a chip, and what pruning costs each layer."""

from typing import TYPE_CHECKING

from dse.console.tables import column_of, points_of, print_table
from dse.console.terminal import say

if TYPE_CHECKING:
    import pandas as pd

    from dse.report.sensitivity import Sensitivity


def print_placed(table: "pd.DataFrame") -> None:
    """Print where weights and maps are, and what a prediction takes."""
    named = table.columns[0]
    columns = {
        named: column_of(table, named),
        "weights, bytes": column_of(table, "weight_bytes", "{:,}"),
        "largest maps, bytes": column_of(table, "peak_activation_bytes", "{:,}"),
        "weights in": column_of(table, "weights_in"),
        "maps in": column_of(table, "activations_in"),
        "uJ weights": column_of(table, "weight_microjoules", "{:,.1f}"),
        "maps": column_of(table, "activation_microjoules", "{:,.1f}"),
        "arithmetic": column_of(table, "arithmetic_microjoules", "{:,.1f}"),
        "in all": column_of(table, "microjoules", "{:,.1f}"),
    }
    if "test_accuracy" in table:
        columns["test"] = column_of(table, "test_accuracy", "{:.1%}")
    print_table(list(columns), zip(*columns.values(), strict=True), left=1)


def print_sensitivity(found: "Sensitivity") -> None:
    """Print what pruning each layer alone costs, the dearest first."""
    layers = found.layers.sort_values(["test", "layer"], kind="stable")
    columns = {
        "layer": column_of(layers, "layer"),
        "kept": column_of(layers, "density", "{:.0%}"),
        "runs": column_of(layers, "runs"),
        "validation": points_of(layers, "validation"),
        "test": points_of(layers, "test"),
        "least": points_of(layers, "test_least"),
        "greatest": points_of(layers, "test_greatest"),
    }
    print_table(list(columns), zip(*columns.values(), strict=True), left=1)
    say("changes of accuracy in points, each against the same network as trained")
    say("figure: sensitivity.png", f"in: {found.folder}")
