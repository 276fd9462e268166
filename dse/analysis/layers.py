"""Parameters module by module, as counted and as printed in a paper."""

import pandas as pd

from dse.analysis.looks import OURS, PAPER
from dse.analysis.plotting import Axes


def draw_layers(ax: Axes, table: pd.DataFrame) -> Axes:
    """Draw the parameters of each module, counted and as printed in Table 1."""
    rows = table[table["params"] > 0].iloc[::-1]
    thousands = rows["params"] / 1000
    ax.barh(rows["layer"], thousands, color=OURS, height=0.62, label="counted")
    printed = rows["printed"].astype("float64") / 1000
    ax.plot(printed, rows["layer"], "s", color=PAPER, label="printed in the paper")
    for layer, params in zip(rows["layer"], rows["params"], strict=True):
        ax.annotate(
            f"{params:,}",
            (params / 1000, layer),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=7,
        )
    ax.margins(x=0.14)
    ax.set_xlabel("parameters, thousands")
    ax.legend(frameon=False, loc="center right")
    return ax
