"""Series of networks: points by name, published points, and what is drawn of them."""

import math

import pandas as pd
import pytest

from dse.analysis.figures import BYTES, MACS, published_marks
from dse.analysis.plotting import Figure
from dse.analysis.systems import (
    draw_systems,
    looks_by_family,
    published_series,
    published_table,
    series_of_points,
)
from dse.arch.cost import cost
from dse.errors import DseError
from dse.families.alexnet import AlexNet
from dse.families.googlenet import GoogLeNet
from dse.families.nin import Nin
from dse.families.resnet import ResNet
from dse.families.squeezenet import SqueezeNet
from dse.families.vgg import Vgg
from dse.study.claim import SizesAsPrinted
from dse.study.experiment import Experiment
from dse.study.loading import load_experiment
from dse.study.presets import PRESETS

WIDE, NARROW = Nin(width=0.5), Nin(width=0.25)


def experiment(points, **more):
    return Experiment("Systems", presets=PRESETS, points=points, **more)


def test_series_name_their_points():
    some = experiment({"NIN": [WIDE, NARROW], "AlexNet": AlexNet(width=0.5)})
    assert list(some.keyed) == ["NIN, width 0.5", "NIN, width 0.25", "AlexNet"]
    assert some.series == {"NIN": [WIDE, NARROW], "AlexNet": [AlexNet(width=0.5)]}
    assert some.cells == 3
    plain = experiment({"wide": WIDE, "narrow": NARROW})
    assert plain.series == {}
    assert list(plain.keyed) == ["wide", "narrow"]


@pytest.mark.parametrize(
    ("points", "said"),
    [
        ({"NIN": [WIDE, 3]}, "an experiment has the point 3; expected a network's"),
        ({"NIN": []}, "the series 'NIN' has no networks; leave it out"),
        ([], "an experiment has an anchor or points; expected one of them"),
        ({"NIN": "wide"}, "an experiment has the point 'wide'"),
        ([[WIDE, NARROW]], r"an experiment has the point \[Nin"),
    ],
)
def test_what_is_no_series(points, said):
    with pytest.raises(DseError, match=said):
        experiment(points)


def test_published_points_are_those_of_each_family():
    some = experiment(
        {
            "SqueezeNet": [SqueezeNet()],
            "with norm": [SqueezeNet(norm="batch"), WIDE],
            "Inception": [GoogLeNet()],
        },
        published="single crop",
    )
    printed = some.published_families
    counts = {name: len(points) for name, points in printed.items()}
    assert counts == {"squeezenet": 3, "nin": 1, "googlenet": 2}
    assert some.source.points == ()
    table = published_table(printed)
    drawn = published_series(table, BYTES)
    # NIN's top-5 accuracy is not published.
    counts = {name: len(marks) for name, marks in drawn.items()}
    assert counts == {"squeezenet": 3, "googlenet": 2}
    plain, with_heads = drawn["googlenet"]
    assert plain.cost == pytest.approx(26.70, abs=0.005)
    assert with_heads.cost == pytest.approx(51.03, abs=0.005)
    assert [mark.label for mark in drawn["squeezenet"]] == [
        *("SqueezeNet", "SqueezeNet, simple", "SqueezeNet, complex")
    ]
    labels = (plain.label, with_heads.label)
    assert labels == ("GoogLeNet", "GoogLeNet, heads auxiliary")
    # Heads take no part in a prediction, so they add no work to it.
    [one_place] = published_series(table, MACS)["googlenet"]
    assert one_place.label == "GoogLeNet"
    assert one_place.cost == pytest.approx(1_582.67, abs=0.01)
    assert table["params"].tolist() == [
        *(1_248_424, 1_248_424, 1_589_672),
        *(7_595_176, 6_998_552, 13_378_280),
    ]
    assert table["how"].tolist()[0] == "the family's paper"
    assert table["top5"].isna().tolist() == [False] * 3 + [True, False, False]


def test_a_network_listed_twice_is_one():
    some = experiment({"NIN": [WIDE, WIDE, NARROW], "AlexNet": AlexNet()})
    assert some.series["NIN"] == [WIDE, NARROW]
    assert len(some.keyed) == 3


def test_points_of_several_families_have_no_paper_of_their_own():
    some = experiment([Nin(), SqueezeNet()], published="table 3")
    assert some.source.points == ()


@pytest.mark.parametrize("family", [Vgg, ResNet, SqueezeNet])
def test_published_points_without_a_printed_size_have_their_exact_one(family):
    points = family.published()["single crop"].points
    marks = published_marks(points, [""] * len(points))
    assert len(marks) == len(points) >= 3
    for mark, printed in zip(marks, points, strict=True):
        exact = cost(printed.point.published_network()).params * 4 / 2**20
        assert mark.cost == pytest.approx(printed.size_mib or exact)


def test_sizes_that_nobody_prints_are_not_as_printed():
    claim = SizesAsPrinted("as printed", "table")
    with pytest.raises(DseError, match="a claim of printed sizes is of none"):
        Experiment(
            "VGG",
            Vgg(),
            PRESETS,
            varied="depth",
            values=(11, 16),
            published="single crop",
            claims=[claim],
        )


def test_an_experiment_asks_for_points_that_nobody_publishes():
    with pytest.raises(DseError, match="nothing is published as 'ten crops'; expected"):
        experiment({"NIN": [WIDE, NARROW]}, published="ten crops")


SUMMARY = pd.DataFrame(
    {
        "cell_id": ["a", "b", "c"],
        "bytes_fp32": [2**20, 2**22, 2**21],
        "macs": [1e6, 4e6, 2e6],
        "replicates": [1, 1, 0],
        "test_accuracy": [0.5, 0.7, None],
        "test_low": [math.nan] * 3,
        "test_high": [math.nan] * 3,
    }
)
RUNS = pd.DataFrame(
    {
        "cell_id": ["a", "b"],
        "replicate": [0, 0],
        "status": ["complete"] * 2,
        "test_accuracy": [0.5, 0.7],
    }
)


def test_series_of_a_family_share_colour_and_marker():
    families = {"plain": "squeezenet", "norm": "squeezenet", "squeezenet": "nin"}
    of_series, of_family = looks_by_family(families)
    plain, norm, nin = of_series.values()  # one is called as another's family
    assert (plain.color, plain.marker) == (norm.color, norm.marker)
    assert (plain.line, plain.hollow) != (norm.line, norm.hollow)
    assert {plain.color, plain.marker}.isdisjoint({nin.color, nin.marker})
    assert of_family == {"squeezenet": plain, "nin": nin}


def test_a_family_has_one_colour_in_every_panel():
    names = ["NIN", "NIN", "ResNet"]
    measured = [series_of_points(SUMMARY, RUNS, names, x) for x in (BYTES, MACS)]
    assert [mark.cost for mark in measured[0]["NIN"]] == [1, 4]
    assert measured[0]["ResNet"] == []  # no run of it is complete
    printed = {"resnet": ResNet.published()["single crop"].points}
    table = published_table(printed)
    below = [published_series(table, scale) for scale in (BYTES, MACS)]
    axes = Figure().subplots(2, 2).reshape(-1).tolist()
    draw_systems(axes, measured, below, {"NIN": "nin", "ResNet": "resnet"})
    lines = {
        (place, line.get_label()): line.get_color()
        for place, ax in enumerate(axes)
        for line in ax.lines
    }
    assert lines[0, "ResNet"] == lines[2, "resnet"] == lines[3, "resnet"]
    assert lines[0, "ResNet"] != lines[0, "NIN"]
    assert axes[0].get_xscale() == axes[3].get_xscale() == "log"
    assert {text.get_text() for text in axes[2].texts} - {""} == {
        *("ResNet 18", "ResNet 34", "ResNet 50")
    }


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("systems", 24),
        ("heads", 4),
        ("norm_fig3a", 10),
        ("norm_fig3b", 18),
        ("norm_table3", 6),
    ],
)
def test_shipped_experiments_build_their_networks(name, cells):
    _, shipped = load_experiment(name)
    assert len(shipped.keyed) == cells
    for preset in shipped.presets.values():
        points = shipped.scaled(preset.width).values()
        ids = {point.network((32, 32, 3), 10).id for point in points}
        assert len(ids) == cells
