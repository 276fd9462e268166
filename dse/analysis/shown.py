"""Conversion of rows of the view `cells` to points that can be labelled."""

from typing import Any

import pandas as pd

from dse.fields import Fields
from dse.runs.labels import Shown


def shown_points(cells: pd.DataFrame, fields: Fields) -> list[Shown]:
    """Points to label, from the rows of the view `cells` in order."""
    wanted = {"family", "note"}.union(*fields.values())
    columns = {name: _values(cells[name]) for name in wanted & {*cells.columns}}
    return [
        Shown(
            family,
            {name: columns[name][row] for name in fields[family] if name in columns},
            columns["note"][row],
        )
        for row, family in enumerate(columns["family"])
    ]


def _values(column: pd.Series) -> list[Any]:
    """Plain values; None where a point has none."""
    return column.astype(object).where(column.notna(), None).tolist()
