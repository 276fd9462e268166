"""Conversion of rows of the view `cells` to points that can be labelled."""

import pandas as pd

from dse.fields import Fields
from dse.runs.labels import Shown


def shown_points(cells: pd.DataFrame, fields: Fields) -> list[Shown]:
    """Points to label, from the rows of the view `cells` in order."""
    wanted = {"family", "note"}.union(*fields.values())
    columns = {name: cells[name].tolist() for name in wanted & {*cells.columns}}
    return [
        Shown(
            family,
            {name: columns[name][row] for name in fields[family] if name in columns},
            columns["note"][row],
        )
        for row, family in enumerate(columns["family"])
    ]
