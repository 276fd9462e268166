"""Print frames and reports as tables on a console."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from dse.console.terminal import (
    GAP,
    columns_that_fit,
    hidden_columns_line,
    open_console,
    say,
)
from dse.errors import printable
from dse.study.aliases import aliases_line

if TYPE_CHECKING:
    import pandas as pd

    from dse.report import Claims, Report
    from dse.runs.staged import Network
    from dse.study.estimate import Estimate
    from dse.study.outcome import SweepOutcome

ENDS = "each end of an interval errs in 5 % over their number (all ends hold with 90 %)"
"""Note on intervals of comparisons printed together (`dse.analysis.comparison`)."""
Format = Literal["table", "csv", "json", "parquet"]
CUT, WRAPPED = 40, 24
"""Letters that a narrow terminal reserves for a cell that is cut, or wrapped."""


def print_outcome(name: str, outcome: "SweepOutcome") -> None:
    """Print the outcome of a sweep of the experiment called `name`."""
    failed = "".join(f", {n} failed: {why}" for why, n in outcome.failed.items())
    left = f", {outcome.elsewhere} left to others" if outcome.elsewhere else ""
    say(
        f"{outcome.study}: {outcome.planned} runs planned, {outcome.trained} trained "
        f"now{left}{failed}; {outcome.widths}; dse query or dse reproduce {name} next"
    )


def print_estimate(estimate: "Estimate") -> None:
    """Print a plan's cells with their work and time, and the sums."""
    several = len({cell.metaparameters.name for cell in estimate.cells}) > 1
    rows = [
        [
            ": ".join(filter(None, [cell.arm, _named(cell.metaparameters, several)])),
            f"{cell.params:,}",
            f"{cell.macs:,}",
            f"{cell.training_macs:.3g}",
            duration(cell.seconds),
        ]
        for cell in estimate.cells
    ]
    print_table(["cell", "params", "MACs", "MACs of all runs", "time"], rows, left=1)
    runs = len(estimate.cells) * estimate.replicates
    work = sum(cell.training_macs for cell in estimate.cells)
    say(
        f"{estimate.dataset}: {len(estimate.cells)} "
        f"cell{'s' if len(estimate.cells) > 1 else ''}, {runs} "
        f"run{'s' if runs > 1 else ''} of {estimate.images:,} images, "
        f"{work:.3g} MACs in all",
        f"about {duration(estimate.seconds)}, by {estimate.speed.source}",
    )
    called = [
        (str(number), _named(point, several))
        for number, cell in enumerate(estimate.cells)
        if cell.arm == estimate.cells[0].arm  # arms have the same points
        for point in (cell.metaparameters, *cell.aliases)
    ]
    # Experiments that are planned together may share points.
    different = dict.fromkeys(called)
    say(*estimate.widths, *filter(None, [aliases_line(different)]))


def _named(point: "Network", with_family: bool) -> str:
    return f"{point.name} {point.short()}" if with_family else point.short()


def duration(seconds: float) -> str:
    """Format seconds in a readable unit."""
    for unit, length in (("days", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:,.1f} {unit}"
    return f"{seconds:.0f} s"


def print_frame(frame: "pd.DataFrame", kind: Format) -> None:
    """Print a frame; CSV has a header line, JSON is a list of rows.

    Raises:
        DseError: the format cannot hold a value.
    """
    from dse.console import formats

    match kind:
        case "table":
            print_table(list(frame.columns), formats.texts(frame))
        case "csv":
            formats.print_csv(frame)
        case "json":
            formats.print_json(frame)
        case "parquet":
            formats.print_parquet(frame)


def print_report(report: "Report") -> None:
    """Print the rows of a report, and the folder that it is in."""
    match report.of:
        case "study":
            print_cells(report)
        case "recipes":
            print_recipes(report)
        case "search":
            print_front(report)
        case "front":
            print_front_of_cells(report)
    if report.widths:
        say(report.widths)
    figures = sorted(file.name for file in report.folder.glob("*.png"))
    say(f"figures: {', '.join(figures)}", f"in: {report.folder}")


def print_cells(report: "Report") -> None:
    """Print a study's cells, and the verdicts on its claims."""
    if report.table_1 is not None:
        print_frame(report.table_1, "table")
        print()
    columns = {
        "cell": [label.replace("\n", " ") for label in report.labels],
        "parameters": column_of(report.summary, "params", "{:,}"),
        "bytes": column_of(report.summary, report.size, "{:,.0f}"),
        "MACs": column_of(report.summary, "macs", "{:,}"),
        "runs": column_of(report.summary, "replicates"),
        "failed": column_of(report.summary, "failed"),
        "validation": column_of(report.summary, "val_accuracy", "{:.1%}"),
        "test": column_of(report.summary, "test_accuracy", "{:.1%}"),
        "top-5": column_of(report.summary, "test_top5", "{:.1%}"),
        "from": column_of(report.summary, "test_low", "{:.1%}"),
        "to (95 %)": column_of(report.summary, "test_high", "{:.1%}"),
    }
    if "times_smaller" in report.summary:
        columns["times smaller"] = column_of(report.summary, "times_smaller", "{:.1f}")
    for name in report.beside:
        columns[name] = column_of(report.summary, name, "{:g}")
    for name in ("top-5", "from", "to (95 %)"):
        if not any(columns[name]):
            del columns[name]
    print_table(list(columns), zip(*columns.values(), strict=True), left=1)
    if report.claims is not None:
        print_claims(report.claims)


def print_recipes(report: "Report") -> None:
    """Print recipes, each with its gain over the first."""
    columns = {
        "recipe": report.labels,
        "changes": column_of(report.summary, "changes"),
        "of completed runs": column_of(report.summary, "val_accuracy", "{:.1%}"),
        "gain": points_of(report.summary, "difference"),
        "from": points_of(report.summary, "low"),
        "to": points_of(report.summary, "high"),
        "runs": column_of(report.summary, "runs"),
        "untrained": column_of(report.summary, "untrained"),
        "diverged": column_of(report.summary, "diverged"),
        "gain on test": points_of(report.summary, "test_difference"),
    }
    print_table(list(columns), zip(*columns.values(), strict=True), left=2)
    certain = (
        ", which are too few for an interval"
        if report.summary["low"].isna().all()
        else f"; all that lie above 0, or below, do so with 95 %; {ENDS}"
    )
    print(
        "validation accuracy; gains are points over the first recipe in the runs that "
        f"both completed{certain}"
    )


def print_front_of_cells(report: "Report") -> None:
    """Print the cells that are on a front with a probability above 5 %."""
    likely = report.summary[
        (report.summary["bytes_front_probability"] > 0.05)
        | (report.summary["macs_front_probability"] > 0.05)
    ]
    columns = {
        "cell": column_of(likely, "cell"),
        "bytes": column_of(likely, report.size, "{:,.0f}"),
        "MACs": column_of(likely, "macs", "{:,}"),
        "test": column_of(likely, "test_accuracy", "{:.1%}"),
        "on the front of bytes": column_of(likely, "bytes_front_probability", "{:.0%}"),
        "of MACs": column_of(likely, "macs_front_probability", "{:.0%}"),
    }
    print_table(list(columns), zip(*columns.values(), strict=True), left=1)


def print_claims(claims: "Claims") -> None:
    """Print the paper's claims on an experiment, and whether they hold here."""
    if claims.table is None:
        say(f"claims: not judged: {claims.refusal}")
        return
    rows = [
        [c["verdict"], c["section"], c["claim"], c["finding"]]
        for c in claims.table.to_dict("records")
    ]
    rows += [["SLIP", "", "(the paper against itself)", slip] for slip in claims.slips]
    headings = ["claims", "section", "the paper says", "found"]
    print_table(headings, rows, left=4, wrapped=2)
    if claims.caveat:
        say(
            f"{claims.caveat}; all PASS and FAIL of a study are right together with "
            f"95 %; {ENDS}"
        )


def print_front(report: "Report") -> None:
    """Print a search's Pareto front, and how to use its best network."""
    front = report.summary[report.summary["front"]].sort_values(report.size)
    columns = {
        "run": column_of(front, "run_id"),
        **{name: column_of(front, name) for name in report.varied},
        "parameters": column_of(front, "params", "{:,}"),
        "bytes": column_of(front, report.size, "{:,.0f}"),
        "MACs": column_of(front, "macs", "{:,}"),
        "validation": column_of(front, "val_accuracy", "{:.1%}"),
        "test": column_of(front, "test_accuracy", "{:.1%}"),
    }
    print_table(list(columns), zip(*columns.values(), strict=True))
    best = front.to_dict("records")[-1]
    run, size = best["run_id"], best[report.size]
    print(
        f"best within the budget: run {run}, {size:,.0f} bytes, validation "
        f"{best['val_accuracy']:.1%}\n"
        f"use it: dse predict {run} IMAGE..., or in Python dse.load_model({run})"
    )
    if report.over_budget:
        say(
            f"{report.over_budget} networks have a larger file than the budget of "
            "compressed bytes, which is known once it is written; they are on no front"
        )
    if report.weights is not None:
        say(f"its weights: {report.weights}")


def column_of(frame: "pd.DataFrame", name: str, form: str = "{}") -> list[str]:
    """Format a column's values; empty for NaN."""
    return ["" if v != v else form.format(v) for v in frame[name].tolist()]


def points_of(frame: "pd.DataFrame", name: str) -> list[str]:
    """Format a column of shares as percentage points; empty for NaN."""
    return ["" if v != v else f"{100 * v:+.1f}" for v in frame[name].tolist()]


def print_table(
    headings: Sequence[str],
    rows: Iterable[Iterable[object]],
    left: int = 0,
    wrapped: int = 0,
) -> None:
    """Print a table; the first `left` columns are text, the rest numbers.

    On a terminal that is too narrow, long cells are cut, then columns are left out from
    the right, and a line names them. Cells of the last `wrapped` columns are wrapped,
    not cut.
    """
    console = open_console()
    texts = [[printable(str(cell)) for cell in row] for row in [headings, *rows]]
    wraps = range(len(headings) - wrapped, len(headings))
    widths = [max(map(cell_len, column)) for column in zip(*texts, strict=True)]
    shown = len(widths)
    width = sum(widths) + GAP * len(widths)
    narrow = console.is_terminal and width > console.width
    if narrow:
        needed = [min(x, WRAPPED if i in wraps else CUT) for i, x in enumerate(widths)]
        shown = columns_that_fit(needed, console.width)
    else:
        console.width = max(width, 1)
    table = Table(box=None, header_style="bold", pad_edge=False)
    for index, heading in enumerate(texts[0][:shown]):
        justify: Literal["left", "right"] = "left" if index < left else "right"
        cut = CUT if narrow and index not in wraps else None
        table.add_column(
            Text(heading), justify=justify, no_wrap=index not in wraps, max_width=cut
        )
    for row in texts[1:]:
        table.add_row(*map(Text, row[:shown]))
    console.print(table, highlight=False)
    hidden = hidden_columns_line(texts[0][shown:], len(widths))
    if hidden:
        console.print(Text(hidden))
