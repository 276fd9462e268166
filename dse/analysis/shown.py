"""Conversion of rows of the view `cells` to points that can be labelled."""

import pandas as pd

from dse.fields import Fields
from dse.runs.labels import Shown


def shown_points(cells: pd.DataFrame, fields: Fields) -> list[Shown]:
    """Points to label, from the rows of the view `cells` in order."""
    return [
        Shown(
            row["family"],
            {name: row[name] for name in fields[row["family"]] if name in row},
            row["note"],
        )
        for row in cells.to_dict("records")
    ]
