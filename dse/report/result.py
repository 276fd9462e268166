"""Result of writing a report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pandas as pd

from dse.analysis.statistics import size_column
from dse.report.claims import Claims


@dataclass(frozen=True)
class Report:
    """Folder and summary of a report.

    Attributes:
        folder: `<experiment>/<dataset>-<preset>/` beside the database.
        summary: one row a cell (`dse.analysis.statistics.summarise`), for a search
            with `run_id` and `front`. For an experiment that compares recipes, one row
            a recipe (`dse.analysis.recipes.compare_recipes`).
        labels: label of each row in the figure.
        of: kind of the rows: a study's cells, a search's networks, recipes, or the
            cells of several studies for their front.
        varied: the fields that a search varies.
        weights: path of the weights of a search's best network, if they were kept.
        table_1: the paper's Table 1 beside our counts, where the experiment shows it.
        holes: number of runs that failed for reasons outside the training, by reason.
        claims: verdicts on the experiment's claims, if it has any.
        beside: headings of a source's numbers in the summary.
        over_budget: networks of a search whose file proved larger than was asked for.
        widths: a line on the widths that the preset chose.
    """

    folder: Path
    summary: pd.DataFrame
    labels: Sequence[str] = ()
    of: Literal["study", "search", "recipes", "front"] = "study"
    varied: Sequence[str] = ()
    weights: Path | None = None
    table_1: pd.DataFrame | None = None
    holes: Mapping[str, int] = field(default_factory=dict)
    claims: Claims | None = None
    widths: str = ""
    beside: Sequence[str] = ()
    over_budget: int = 0

    @property
    def size(self) -> str:
        """Column of the summary with the networks' bytes, of files if compressed."""
        return size_column(self.summary)

    @property
    def figure(self) -> Path:
        """Path of the main figure's PNG."""
        return self.folder / "figure.png"
