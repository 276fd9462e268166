"""Experiments that were written for earlier versions."""

import pytest

from dse.errors import DseError
from dse.families.squeezenet import SqueezeNet
from dse.runs.recipe import Recipe
from dse.study.loading import load_experiment

IMPORTS = """
from dse.arch.squeezenet import Metaparameters
from dse.study.claim import Beats
from dse.study.experiment import Experiment, Preset
from dse.study.presets import PRESETS
from dse.train.recipe import Recipe
"""
OWN = "Preset(base_e=8, replicates=2, recipe=Recipe(epochs=4, peak_learning_rate=0.05))"
EXPERIMENT = """
EXPERIMENT = Experiment(
    title="Small",
    anchor=Metaparameters(sr=0.5),
    varied="pct_3x3",
    values=(0.25, 0.75),
    published="figure 3(b)",
    claims=[Beats("3x3 filters add accuracy", "5.3", better=0.75, worse=0.25)],
    presets=PRESET,
)
"""
ADVICE = (
    "dse: experiment mine.py imports what has moved; write from dse import "
    "Experiment, Preset, Recipe, SqueezeNet, ... instead (SqueezeNet for "
    "Metaparameters)\n"
)


def loaded(workplace, text):
    (workplace / "mine.py").write_text(text)
    return load_experiment("mine.py")


def test_an_experiment_of_before_is_read_with_a_line_of_advice(workplace, capfd):
    name, experiment = loaded(
        workplace, IMPORTS + EXPERIMENT.replace("PRESET", "PRESETS")
    )
    assert name == "mine"
    assert experiment.anchor == SqueezeNet(sr=0.5)
    assert [*experiment.keyed] == [0.25, 0.75]
    points = experiment.scaled(experiment.preset("quick").width)
    assert [point.widths()[0].e for point in points.values()] == [16, 16]
    assert capfd.readouterr() == ("", ADVICE)
    # Read again it says so again; the names are there for that file alone.
    loaded(workplace, IMPORTS + EXPERIMENT.replace("PRESET", "PRESETS"))
    assert capfd.readouterr().err == ADVICE
    with pytest.raises(ModuleNotFoundError):
        import dse.train.recipe  # noqa: F401


def test_a_preset_of_before_is_told_in_one_line(workplace, capfd):
    text = (
        "from dse import Experiment, Preset, Recipe, SqueezeNet, Beats\n" + EXPERIMENT
    )
    text = text.replace("Metaparameters", "SqueezeNet")
    _, experiment = loaded(workplace, text.replace("PRESET", f"{{'quick': {OWN}}}"))
    preset = experiment.preset("quick")
    # Of the 128 filters that are published.
    assert preset.width == 8 / 128
    assert {x.base_e for x in experiment.scaled(preset.width).values()} == {8}
    assert preset.recipe == Recipe(4, 0.05)
    assert capfd.readouterr() == ("", "dse: a preset's base_e=8 is width=0.0625 now\n")


def test_all_that_has_moved_is_one_line(workplace, capfd):
    text = IMPORTS + EXPERIMENT.replace("PRESET", f"{{'quick': {OWN}}}")
    _, experiment = loaded(workplace, text)
    assert experiment.preset("quick").width == 8 / 128
    told = capfd.readouterr().err
    assert len(told.splitlines()) == 1
    assert "mine.py" in told and "width" in told and "SqueezeNet" in told


def test_what_never_was_is_an_error_still(workplace, capfd):
    for line, said in (
        ("from dse.arch.squeezenet import Other", "cannot import name 'Other'"),
        ("from dse.arch.no_such import Metaparameters", "No module named"),
    ):
        with pytest.raises(
            DseError, match=f"experiment mine.py cannot be run: .*{said}"
        ):
            loaded(workplace, f"{line}\n")
    assert capfd.readouterr().err == ""


def test_an_experiment_of_today_is_told_nothing(workplace, capfd):
    text = "from dse import *\n" + EXPERIMENT.replace("PRESET", "PRESETS")
    loaded(workplace, text.replace("Metaparameters", "SqueezeNet"))
    assert capfd.readouterr() == ("", "")


def test_published_points_may_be_given_by_place(workplace, capfd):
    text = IMPORTS + (
        "EXPERIMENT = Experiment('Small', Metaparameters(sr=0.5), PRESETS, 'pct_3x3', "
        "(0.25, 0.75), 'figure 3(b)')\n"
    )
    _, experiment = loaded(workplace, text)
    assert [printed.size_mib for printed in experiment.printed.values()] == [9.3, 17]
    assert capfd.readouterr().err == ADVICE


def test_other_warnings_of_the_file_are_kept(workplace):
    text = IMPORTS + EXPERIMENT.replace("PRESET", "PRESETS")
    text += 'import warnings\nwarnings.warn("mind the gap", stacklevel=1)\n'
    with pytest.warns(UserWarning, match="mind the gap") as warned:
        loaded(workplace, text)
    assert [x.filename.rpartition("/")[2] for x in warned] == ["mine.py"]


def test_a_file_that_loads_another_may_import_old_names(workplace, capfd):
    text = "from dse.study.loading import load_experiment\nload_experiment('fig3b')\n"
    text += IMPORTS + EXPERIMENT.replace("PRESET", "PRESETS")
    loaded(workplace, text)
    assert capfd.readouterr().err == ADVICE
