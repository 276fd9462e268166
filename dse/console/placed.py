"""Print where the weights and maps of networks are, and what a prediction takes."""

from typing import TYPE_CHECKING

from dse.console.tables import column_of, print_table

if TYPE_CHECKING:
    import pandas as pd


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
