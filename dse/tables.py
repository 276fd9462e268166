"""Tables for people: descriptions, frames and reports on a console."""

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal

from rich.console import Console
from rich.table import Table

from dse.arch.cost import cost
from dse.arch.describe import table_1
from dse.arch.graph import Architecture
from dse.arch.squeezenet import Metaparameters, resolved_pct_3x3

if TYPE_CHECKING:
    import pandas as pd

    from dse.report import Report

MEBIBYTE = 2**20


def print_description(
    metaparameters: Metaparameters, architecture: Architecture
) -> None:
    """The paper's Table 1 for any point, and its totals."""
    rows = []
    for row in table_1(metaparameters, architecture):
        fire = row.fire
        shares = (fire.s1x1, fire.e1x1, fire.e3x3) if fire else ("", "", "")
        counts = (f"{row.params:,}", f"{row.macs:,}") if row.params else ("", "")
        size = "x".join(map(str, row.output))
        rows.append((row.name, size, row.filter, row.depth, *shares, *counts))
    headings = ("layer", "output", "filter/stride", "depth", "s1x1", "e1x1", "e3x3")
    headings += ("params", "MACs")
    _print(headings, rows, left=3)
    costs = cost(architecture)
    size = costs.bytes_fp32
    print(
        f"{metaparameters.short()} · architecture {architecture.id}\n"
        f"{costs.params:,} parameters = {size:,} bytes in 32-bit floats "
        f"({size / MEBIBYTE:.3f} MiB, {size / 1e6:.3f} MB of 10^6)\n"
        f"{costs.macs:,} MACs, {costs.activations:,} activations, "
        f"{costs.peak_activations:,} alive at most"
    )
    resolved = resolved_pct_3x3(metaparameters)
    if abs(resolved - metaparameters.pct_3x3) > 5e-4:
        print(f"{100 * resolved:.2f} % of the expand filters are 3x3 after rounding")


def print_frame(
    frame: "pd.DataFrame", kind: Literal["table", "csv", "json", "parquet"]
) -> None:
    """Print a frame; csv has a header line, json is a list of rows."""
    match kind:
        case "table":
            _print(list(frame.columns), [map(_text, row) for row in frame.to_numpy()])
        case "csv":
            frame.to_csv(sys.stdout, index=False)
        case "json":
            print(frame.to_json(orient="records", date_format="iso", indent=2))
        case "parquet":
            frame.to_parquet(sys.stdout.buffer, index=False)


def print_summary(report: "Report") -> None:
    """An experiment's cells, and where the report lies."""
    rows = [
        (
            label.replace("\n", " "),
            f"{row.params:,}",
            f"{row.bytes_fp32 / MEBIBYTE:.3f}",
            f"{row.macs:,}",
            str(row.replicates),
            _percent(row.val_accuracy),
            _percent(row.test_accuracy),
            f"{_percent(row.test_low)} to {_percent(row.test_high)}"
            if row.test_low == row.test_low
            else "",
            f"{row.failed}" if row.failed else "",
        )
        for label, row in zip(report.labels, report.summary.itertuples(), strict=True)
    ]
    headings = ("cell", "parameters", "MiB", "MACs", "runs")
    headings += ("validation", "test", "95 % interval", "failed")
    _print(headings, rows, left=1)
    _print_places(report)


def print_front(report: "Report") -> None:
    """A search's Pareto front, and how to take a network away."""
    front = report.summary[report.summary["front"]].sort_values("bytes_fp32")
    rows = [
        (
            f"{row.run_id}",
            *(f"{getattr(row, n)}" for n in ("base_e", "incr_e", "freq")),
            f"{row.sr:g}",
            f"{100 * row.pct_3x3:g} %",
            f"{row.params:,}",
            f"{row.bytes_fp32:,}",
            f"{row.macs:,}",
            _percent(row.val_accuracy),
            _percent(row.test_accuracy),
        )
        for row in front.itertuples()
    ]
    headings = ("run", "base_e", "incr_e", "freq", "SR", "3x3")
    headings += ("parameters", "bytes", "MACs", "validation", "test")
    _print(headings, rows)
    best = front.iloc[-1]
    print(
        f"best within the budget: run {best['run_id']}, validation "
        f"{_percent(best['val_accuracy'])}, {best['bytes_fp32']:,} bytes\n"
        f"use it: dse predict {best['run_id']} IMAGE..., or in Python "
        f"dse.load_model({best['run_id']})"
    )
    if report.weights is not None:
        print(f"its weights: {report.weights}")
    _print_places(report)


def _print_places(report: "Report") -> None:
    print(f"figure: {report.figure}\ntables: {report.folder}")


def _percent(share: float) -> str:
    return f"{share:.1%}" if share == share else ""


def _text(value: object) -> str:
    if value is None or value != value:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _print(
    headings: Sequence[str], rows: Iterable[Iterable[object]], left: int = 0
) -> None:
    """A table; the first `left` columns are words, the rest numbers."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for index, heading in enumerate(headings):
        justify: Literal["left", "right"] = "left" if index < left else "right"
        table.add_column(heading, justify=justify, no_wrap=True)
    for row in rows:
        table.add_row(*map(str, row))
    console = Console()
    if not console.is_terminal:
        console = Console(width=10_000)
    console.print(table, highlight=False)
