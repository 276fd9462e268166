"""Matplotlib as it comes: figures do not depend on whose machine draws them.

All of it is imported from here: it reads a user's settings when it is imported, and a
broken one of them would end the command that draws.
"""

import contextlib
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest.mock import patch

USERS = ("MPLBACKEND", "MATPLOTLIBRC")
"""Variables of a user's settings; a file in the working folder is another."""


def _import_unsettled() -> None:
    """Import matplotlib where its own settings are those that it finds first.

    Who goes on to use it in this process has what they set all the same.
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
    # Of a user's settings what is no good is left out: drawing does without them all.
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
from matplotlib.ticker import MaxNLocator, ScalarFormatter  # noqa: E402

__all__ = [
    "Axes",
    "Figure",
    "MaxNLocator",
    "Normalize",
    "PathCollection",
    "ScalarFormatter",
    "ScalarMappable",
    "colormaps",
    "drawing",
    "to_rgba",
    "withStroke",
]

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
    "text.parse_math": False,  # a dollar in a folder's name is one
}
"""One sheet for all figures."""


@contextlib.contextmanager
def drawing() -> Iterator[None]:
    """Draw and write figures by `STYLE` and matplotlib's defaults, and nothing else."""
    stated = {**matplotlib.rcParamsDefault, **STYLE}
    del stated["backend"]  # figures are written without one
    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some of its own defaults are deprecated
        matplotlib.rcParams.update(stated)
        yield
