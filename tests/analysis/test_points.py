"""What is drawn of a study's points, by what of them varies."""

import math

import pandas as pd
import pytest

from dse.analysis.figures import MACS, SIZE, Mark
from dse.analysis.plotting import new_figure
from dse.analysis.points import draw_points
from dse.families.nin import Nin
from dse.families.squeezenet import SqueezeNet

FIELDS = {"squeezenet": SqueezeNet.fields}


def drawn(points, factors, fields=FIELDS, scale=SIZE, scored=None):
    """The axes of points, each a mapping, that cost 1, 2, 3, ... and score 10 more."""
    rows = pd.DataFrame(points)
    rows["replicates"] = [1] * len(rows) if scored is None else scored
    rows["bytes_fp32"] = rows["macs"] = range(len(rows))
    marks = [
        Mark(i + 1.0, 10.0 * (i + 1), math.nan, math.nan, f"point {i}")
        for i, count in enumerate(rows["replicates"])
        if count
    ]
    _, [ax] = new_figure(1, "Title", "caption")
    return draw_points(ax, rows, marks, scale, factors, fields)


def lines(ax):
    """By label the costs of each line, and whether it joins them."""
    found = [line for line in ax.lines if not line.get_label().startswith("_")]
    return {
        line.get_label(): (list(line.get_xdata()), line.get_linestyle() == "-")
        for line in found
    }


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_one_factor_with_an_order_is_a_line_with_a_name_at_each_point():
    ax = drawn([{"sr": x} for x in (0.25, 0.5, 0.75)], ["sr"])
    assert ax.lines[-1].get_linestyle() == "-"
    assert list(ax.lines[-1].get_xdata()) == [1, 2, 3]
    assert [text.get_text() for text in ax.texts] == ["point 0", "point 1", "point 2"]
    assert ax.get_xlabel() == "weights, MiB (32-bit floats)"


def test_one_factor_without_an_order_stands_side_by_side():
    ax = drawn([{"bypass": x} for x in ("none", "simple")], ["bypass"])
    assert ax.lines[-1].get_linestyle() == "None"
    ticks = [label.get_text() for label in ax.get_xticklabels()]
    assert ticks == ["point 0\n1 MiB", "point 1\n2 MiB"]


def test_of_two_factors_the_one_with_an_order_is_along():
    both = [{"sr": s, "bypass": b} for b in ("none", "simple") for s in (0.25, 0.5)]
    for factors in (["sr", "bypass"], ["bypass", "sr"]):
        ax = drawn(both, factors)
        assert lines(ax) == {
            "bypass none": ([1, 2], True),
            "bypass simple": ([3, 4], True),
        }
        assert legend(ax) == ["bypass none", "bypass simple"]
        named = [text.get_text() for text in ax.texts]
        assert named == ["SR 0.25", "SR 0.5"] * 2
        first, second = ax.get_legend().legend_handles
        assert first.get_marker() != second.get_marker()
        assert first.get_color() != second.get_color()


def test_of_two_factors_with_an_order_the_one_with_more_values_is_along():
    both = [{"sr": s, "freq": f} for s in (0.25, 0.5) for f in (1, 2, 3)]
    assert lines(drawn(both, ["sr", "freq"])) == {
        "SR 0.25": ([1, 2, 3], True),
        "SR 0.5": ([4, 5, 6], True),
    }


def test_a_line_goes_along_the_cost_whatever_the_order_of_the_values():
    both = [{"freq": f, "pct_3x3": p} for f in (2, 1, 3) for p in (0.5, 0.25)]
    ax = drawn(both, ["freq", "pct_3x3"])
    assert lines(ax) == {
        "pct_3x3 50 %": ([1, 3, 5], True),
        "pct_3x3 25 %": ([2, 4, 6], True),
    }


def test_two_factors_without_an_order_are_not_joined():
    both = [
        {"bypass": b, "version": v} for v in ("1.0", "1.1") for b in ("none", "simple")
    ]
    found = lines(drawn(both, ["bypass", "version"]))
    assert [joined for _, joined in found.values()] == [False, False]


def test_points_that_have_no_score_are_no_part_of_a_series():
    both = [{"sr": s, "bypass": b} for b in ("none", "simple") for s in (0.25, 0.5)]
    ax = drawn(both, ["sr", "bypass"], scored=[2, 0, 0, 1])
    assert lines(ax) == {"bypass none": ([1], True), "bypass simple": ([4], True)}


@pytest.mark.parametrize("factors", [[], ["sr", "freq", "bypass"]])
def test_few_points_stand_side_by_side_and_of_many_the_front_is_joined(factors):
    fields = {**FIELDS, "nin": Nin.fields}
    validated = (0.5, 0.4, 0.45, 0.6, 0.3, 0.2, 0.1, 0.55, 0.9)
    points = [
        {"sr": 0.5, "freq": i, "bypass": "none", "val_accuracy": accuracy}
        for i, accuracy in enumerate(validated)
    ]
    few = drawn(points[:8], factors, fields)
    assert len(few.get_xticklabels()) == 8
    assert few.get_xlabel() == ""
    # Better than all that cost less: those of 0.5, 0.6 and 0.9.
    many = drawn(points, factors, fields, MACS)
    assert many.get_xlabel() == "multiply-accumulates an image, millions"
    assert lines(many) == {
        "others": ([2, 3, 5, 6, 7, 8], False),
        "front, by validation": ([1, 4, 9], True),
    }
    assert set(legend(many)) == {"others", "front, by validation"}
    named = [text.get_text() for text in many.texts if text.get_text()]
    assert named == ["point 0", "point 3", "point 8"]
