"""Figures are the same bytes whatever a user has set up for matplotlib."""

import os
import subprocess
import sys
from io import BytesIO

import pytest

from dse.analysis.plotting import drawing, new_figure

DRAW = """
import hashlib, pathlib, sys
import numpy as np, pandas as pd
from dse.analysis.curves import draw_agreement, draw_curves
from dse.analysis.plotting import drawing, new_figure
from dse.report.folder import write_figure
curves = pd.DataFrame({"a": [0.1, 0.5, 0.61234], "b": [0.2, 0.4, 0.7]}, [1, 2, 3])
with drawing():
    figure, axes = new_figure(2, "A title of $x^2$", "10\\u2076 bytes, 95 %")
    draw_curves(axes[0], curves, ["a", "b"])
    draw_agreement(axes[1], curves)
folder = pathlib.Path(sys.argv[1])
folder.mkdir()
write_figure(folder, "figure", figure)
"""

SETTINGS = """
text.usetex: True
font.family: serif
font.size: 20
figure.dpi: 30
savefig.dpi: 40
savefig.bbox: tight
savefig.transparent: True
savefig.facecolor: red
figure.figsize: 3, 3
figure.constrained_layout.use: False
axes.prop_cycle: cycler('color', ['k'])
axes.formatter.use_locale: True
axes.formatter.limits: -1, 1
axes.linewidth: 4
xtick.direction: in
legend.loc: center
svg.fonttype: none
svg.hashsalt: another
svg.id: another
timezone: Asia/Tokyo
path.sketch: 1, 100, 2
lines.marker: x
axes.unicode_minus: False
backend: TkAgg
"""


def drawn(place, name, **around):
    """The bytes of each file, after what was said."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("MPL")}
    done = subprocess.run(
        [sys.executable, "-P", "-c", DRAW, name],
        cwd=place,
        env={**clean, "MPLCONFIGDIR": str(place.parent / "fonts"), **around},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return {file.name: file.read_bytes() for file in (place / name).iterdir()}


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return drawn(tmp_path_factory.mktemp("plain"), "plain")


@pytest.mark.slow
def test_a_user_s_settings_change_no_byte(workplace, plain):
    assert sorted(plain) == ["figure.png", "figure.svg"]
    elsewhere = workplace / "elsewhere.rc"
    elsewhere.write_text(SETTINGS)
    for number, around in enumerate(
        [
            {"MPLBACKEND": "module://matplotlib_inline.backend_inline"},
            {"MPLBACKEND": "nonsense"},
            {"MPLBACKEND": "TkAgg", "DISPLAY": ""},
            {"MATPLOTLIBRC": str(elsewhere)},
            {"MATPLOTLIBRC": "/dev/null"},
            {"SOURCE_DATE_EPOCH": "0", "TZ": "Asia/Tokyo", "LC_ALL": "de_DE.UTF-8"},
        ]
    ):
        assert drawn(workplace, f"drawn{number}", **around) == plain, around


@pytest.mark.slow
@pytest.mark.parametrize(
    "content",
    [
        SETTINGS.encode(),
        b"no colon\nfont.size: many\nno.such.key: 1\nbackend: nonsense\n",
        b"\xff\xfe broken",
        None,
    ],
)
def test_a_settings_file_in_the_working_folder(workplace, plain, content):
    file = workplace / "matplotlibrc"
    if content is None:
        os.mkfifo(file)
    else:
        file.write_bytes(content)
    assert drawn(workplace, "drawn") == plain


def test_who_plots_on_in_the_same_process_has_their_own_settings(workplace):
    (workplace / "matplotlibrc").write_text("font.size: 23\n")
    script = (
        "import dse.analysis.plotting as plotting, matplotlib\n"
        "print(matplotlib.rcParams['font.size'], matplotlib.rcParams['backend'])\n"
        "with plotting.drawing():\n"
        "    print(matplotlib.rcParams['font.size'])\n"
        "print(matplotlib.rcParams['font.size'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", script],
        env={**os.environ, "MPLBACKEND": "svg"},
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines() == ["23.0 svg", "9.0", "23.0"]


def test_a_dollar_is_no_formula():
    with drawing():
        figure, _ = new_figure(1, "cost_$5_$10", "a$b$c")
        figure.savefig(BytesIO(), format="svg")  # no error of mathematics
        [*_, caption] = figure.texts
    assert caption.get_text() == "a$b$c"
    assert not caption.get_parse_math()
