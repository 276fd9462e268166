"""Rows of the view `cells` as points to be labelled."""

import pandas as pd

from dse.fields import Fields
from dse.runs.labels import Shown


def shown_points(cells: pd.DataFrame, fields: Fields) -> list[Shown]:
    """The points of the view `cells`, in its order, to be labelled."""
    return [
        Shown(
            row["family"],
            {name: row[name] for name in fields[row["family"]] if name in row},
            row["note"],
        )
        for row in cells.to_dict("records")
    ]
