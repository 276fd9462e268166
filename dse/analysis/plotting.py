"""Matplotlib with fixed settings: figures do not depend on the user's own.

All of matplotlib is imported from here. It reads the user's settings when it is
imported, and a broken setting would end the command that draws.
"""

import contextlib
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from textwrap import fill
from typing import Any
from unittest.mock import patch

USERS = ("MPLBACKEND", "MATPLOTLIBRC")
"""Environment variables with a user's settings; a local file can have others."""


def _import_unsettled() -> None:
    """Import matplotlib with its default settings, and apply the user's afterwards.

    Other code in this process may need the user's settings.
    """
    spec = find_spec("matplotlib")
    assert spec is not None and spec.origin is not None
    log = logging.getLogger("matplotlib")
    level = log.level
    log.setLevel(logging.CRITICAL)
    with patch.dict(os.environ):
        backend, _ = (os.environ.pop(name, None) for name in USERS)
        with contextlib.chdir(Path(spec.origin).parent / "mpl-data"):
            import matplotlib
    # Broken settings of the user are skipped: drawing needs none of them.
    with contextlib.suppress(Exception):
        file = Path(matplotlib.matplotlib_fname())
        if file.is_file():
            matplotlib.rc_file(file)
    with contextlib.suppress(ValueError):
        if backend:
            matplotlib.rcParams["backend"] = backend
    log.setLevel(level)


if "matplotlib" not in sys.modules:
    _import_unsettled()

import matplotlib  # noqa: E402
from matplotlib import colormaps  # noqa: E402
from matplotlib.axes import Axes  # noqa: E402
from matplotlib.cm import ScalarMappable  # noqa: E402
from matplotlib.collections import PathCollection  # noqa: E402
from matplotlib.colors import Normalize, to_rgba  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402
from matplotlib.patheffects import withStroke  # noqa: E402
from matplotlib.ticker import FuncFormatter, MaxNLocator  # noqa: E402

__all__ = [
    "LABEL",
    "Axes",
    "Figure",
    "FuncFormatter",
    "MaxNLocator",
    "Normalize",
    "PathCollection",
    "ScalarMappable",
    "colormaps",
    "drawing",
    "new_figure",
    "to_rgba",
]

LABEL: Any = {
    "fontsize": 7,
    "color": "#333333",
    "path_effects": [withStroke(linewidth=2, foreground="white")],
}
"""Look of the labels of points."""

CAPTION_LETTERS = 19
"""Letters of a caption per inch."""

STYLE: Any = {
    "figure.dpi": 150,
    "savefig.dpi": 200,
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.7,
    "axes.axisbelow": True,
    "lines.linewidth": 1.4,
    "svg.hashsalt": "dse",
    "text.parse_math": False,  # a dollar in a folder's name is no formula
}
"""Settings of all figures."""


@contextlib.contextmanager
def drawing() -> Iterator[None]:
    """Use only `STYLE` and matplotlib's defaults to draw and write figures."""
    stated = {**matplotlib.rcParamsDefault, **STYLE}
    del stated["backend"]  # figures are written without a backend
    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some of its own defaults are deprecated
        matplotlib.rcParams.update(stated)
        yield


def new_figure(
    panels: int, title: str, caption: str, width: float | None = None, rows: int = 1
) -> tuple[Figure, list[Axes]]:
    """Make a figure with a title and a caption below.

    Args:
        panels: number of panels side by side.
        title: the title.
        caption: the caption.
        width: inches; None for as suits the panels.
        rows: number of rows of panels.

    Returns:
        The figure and its panels, row by row.
    """
    width = width or 1 + 4.1 * panels
    figure = Figure(figsize=(width, 0.8 + 3.6 * rows), layout="constrained")
    lines = [fill(line, int(CAPTION_LETTERS * width)) for line in caption.splitlines()]
    axes = figure.subplots(rows, panels, squeeze=False).reshape(-1).tolist()
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, weight="bold")
    figure.supxlabel("\n".join(lines), x=0.01, ha="left", fontsize=7, color="#444444")
    return figure, axes
