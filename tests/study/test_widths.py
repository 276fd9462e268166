"""What an experiment states stays; a preset chooses what is left open, and says so."""

import hashlib
import json
import pickle
from dataclasses import asdict, replace

import pytest

from dse.families.squeezenet import SqueezeNet
from dse.runs.recipe import Recipe
from dse.study.experiment import Experiment
from dse.study.loading import load_experiment
from dse.study.names import shipped_experiments
from dse.study.preset import Preset
from dse.study.widths import chosen_widths, widths_line, widths_lines

PRESETS = {
    "quick": Preset(width=1 / 8, replicates=2, recipe=Recipe(2, 0.1)),
    "full": Preset(width=1, replicates=2, recipe=Recipe(2, 0.1)),
}
BEFORE = {
    "ablations": {16: "805d21037d5adc6c"},
    "downsampling": {16: "a0a89f8dfb8991b3", 128: "90b82fc638a57746"},
    "fig3a": {16: "21ff47c594910a27", 128: "7ecbe2a2e25d282a"},
    "fig3b": {16: "d70d545983849b14", 128: "f0d7d51df8d21970"},
    "imagenet": {128: "3b1e224884e9192a"},
    "table1": {16: "e5073b46010a5ddb", 128: "3b1e224884e9192a"},
    "table3": {16: "e9bba50341bedb98", 128: "f616b4fee9102937"},
}
"""Of the points and networks of each shipped experiment at a preset's width, by the
code that had presets set both widths of every cell, in filters of 128."""


def experiment(anchor, varied=None, values=()):
    return Experiment("Some", anchor, PRESETS, varied, values)


def widths(anchor, varied=None, values=()):
    """base_e and incr_e of each cell under `quick` and under `full`."""
    some = experiment(anchor, varied, values)
    return [
        [(p.base_e, p.incr_e) for p in some.scaled(preset.width).values()]
        for preset in PRESETS.values()
    ]


@pytest.mark.parametrize("name", BEFORE)
def test_shipped_experiments_keep_their_cells_under_every_preset(name):
    _, shipped = load_experiment(name)
    widths = {128 * preset.width for preset in shipped.presets.values()}
    assert widths == {*BEFORE[name]}
    for width, before in BEFORE[name].items():
        points = list(shipped.scaled(width / 128).values())
        values = [
            {x: v for x, v in p.values.items() if not p.fields[x].later} for p in points
        ]
        told = json.dumps(values, sort_keys=True)
        told += json.dumps([p.architecture((28, 28, 1), 10).id for p in points])
        assert hashlib.sha256(told.encode()).hexdigest()[:16] == before


def test_all_that_is_shipped_is_known_from_before():
    assert {*BEFORE} <= {*shipped_experiments()}


@pytest.mark.parametrize(
    ("anchor", "quick", "full"),
    [
        (SqueezeNet(sr=0.25), (16, 16), (128, 128)),
        (SqueezeNet(base_e=64, incr_e=8), (64, 8), (64, 8)),
        (SqueezeNet(base_e=64), (64, 16), (64, 128)),
        (SqueezeNet(incr_e=0), (16, 0), (128, 0)),
        # Who writes the paper's own width means it.
        (SqueezeNet(base_e=128), (128, 16), (128, 128)),
        (SqueezeNet(128, 128), (128, 128), (128, 128)),
        # A copy of what is open is open, a copy of what is stated is stated.
        (replace(SqueezeNet(), sr=0.5), (16, 16), (128, 128)),
        (replace(SqueezeNet(base_e=64), sr=0.5), (64, 16), (64, 128)),
        (SqueezeNet.of({"incr_e": 128}), (16, 128), (128, 128)),
    ],
)
def test_a_preset_chooses_what_is_left_open(anchor, quick, full):
    assert widths(anchor) == [[quick], [full]]
    assert widths(anchor, "sr", (0.5, 1.0)) == [[quick] * 2, [full] * 2]


def test_a_width_that_varies_varies_alone():
    assert widths(SqueezeNet(), "base_e", (32, 128)) == [
        [(32, 16), (128, 16)],
        [(32, 128), (128, 128)],
    ]
    assert widths(SqueezeNet(incr_e=8), "base_e", (32, 64)) == [[(32, 8), (64, 8)]] * 2
    assert widths(SqueezeNet(base_e=64), "incr_e", (0, 8)) == [[(64, 0), (64, 8)]] * 2


def test_an_open_width_is_the_number_that_it_stands_for():
    open_one, stated = SqueezeNet(), SqueezeNet(128, 128)
    assert open_one == stated
    assert hash(open_one) == hash(stated)
    assert repr(open_one) == repr(stated)
    assert json.dumps(asdict(open_one)) == json.dumps(asdict(stated))
    assert open_one.unstated == ("base_e", "incr_e")
    assert pickle.loads(pickle.dumps(open_one)).unstated == open_one.unstated
    assert stated.unstated == ()
    # Nothing of it is left in cells.
    [point] = experiment(open_one).scaled(1 / 8).values()
    assert [type(value) for value in (point.base_e, point.incr_e)] == [int, int]


@pytest.mark.parametrize(
    ("anchor", "varied", "line"),
    [
        (SqueezeNet(), None, "base_e = incr_e = 16 by the preset quick"),
        (
            SqueezeNet(base_e=64),
            None,
            "incr_e = 16 by the preset quick; base_e = 64 as the experiment states",
        ),
        (
            SqueezeNet(64, 8),
            None,
            "base_e = 64, incr_e = 8 as the experiment states; the preset quick scales "
            "no width",
        ),
        (SqueezeNet(), "base_e", "incr_e = 16 by the preset quick"),
        (
            SqueezeNet(incr_e=8),
            "base_e",
            "incr_e = 8 as the experiment states; the preset quick scales no width",
        ),
    ],
)
def test_it_is_said_what_the_preset_chose(anchor, varied, line):
    some = experiment(anchor, varied, (32, 64) if varied else ())
    assert widths_line(some, "quick") == line
    chosen = chosen_widths(some, "quick")
    assert chosen == dict.fromkeys(some.keyed[next(iter(some.keyed))].unstated, 16)


def test_several_experiments_are_told_apart_where_they_differ():
    open_one, own = experiment(SqueezeNet()), experiment(SqueezeNet(8, 8))
    assert widths_lines({"a": open_one, "b": open_one}, "quick") == (
        "base_e = incr_e = 16 by the preset quick",
    )
    assert widths_lines({"a": open_one, "b": own}, "full") == (
        "a: base_e = incr_e = 128 by the preset full",
        "b: base_e = incr_e = 8 as the experiment states; the preset full scales no "
        "width",
    )
