"""What a report hands back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pandas as pd

from dse.report.claims import Claims


@dataclass(frozen=True)
class Report:
    """Where a report lies, and its summary.

    Attributes:
        folder: `<experiment>/<dataset>-<preset>/` beside the database.
        summary: one row a cell (`dse.analysis.statistics.summarise`); a search's has
            `run_id` and `front` besides. Of an experiment that compares recipes, one
            row a recipe (`dse.analysis.recipes.compare_recipes`).
        labels: what the figure calls each row.
        of: what the rows are: a study's cells, a search's networks, recipes, or the
            cells of several studies for their front.
        varied: the fields that a search varies.
        weights: where the weights of a search's best network lie, if they were kept.
        table_1: the paper's Table 1 beside our counts, where the experiment shows it.
        holes: runs that failed for what is not the training's own doing, by reason.
        claims: what became of the experiment's claims, if it has any.
        widths: which widths the preset chose, in a line.
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

    @property
    def figure(self) -> Path:
        """The main figure's PNG."""
        return self.folder / "figure.png"
