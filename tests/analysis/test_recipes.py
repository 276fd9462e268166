"""Recipes compared by hand-worked differences."""

import math

import pandas as pd
import pytest
from scipy.special import stdtrit

from dse.analysis.plotting import new_figure
from dse.analysis.recipes import compare_recipes, draw_recipes


def frame(scores):
    """Runs of two networks by two replicates under each arm; None stays at chance."""
    rows = []
    for arm, accuracies in scores.items():
        for place, accuracy in enumerate(accuracies):
            chance = accuracy is None
            rows.append(
                {
                    "arm": arm,
                    "run_id": len(rows),
                    "arch_id": "ab"[place // 2],
                    "replicate": place % 2,
                    "status": "failed" if chance else "complete",
                    "reason": "untrained" if chance else None,
                    "val_accuracy": accuracy,
                    "test_accuracy": accuracy,
                }
            )
    return pd.DataFrame(rows)


def test_differences_are_paired_over_networks_and_replicates():
    rows = compare_recipes(
        frame({"first": [0.5, 0.6, 0.8, 0.7], "better": [0.52, 0.64, 0.82, 0.74]})
    )
    assert rows["arm"].tolist() == ["first", "better"]
    assert rows["val_accuracy"].tolist() == pytest.approx([0.65, 0.68])
    # Differences 2, 4, 2, 4 points: mean 3, deviation 2/√3, error 1/√3, freedom 3.
    # One recipe beside the first: each end errs in 5 %.
    half = float(stdtrit(3, 0.95)) * 0.01 / math.sqrt(3)
    first, better = rows.to_dict("records")
    assert (first["difference"], math.isnan(first["low"])) == (0, True)
    assert better["difference"] == pytest.approx(0.03)
    assert (better["low"], better["high"]) == pytest.approx((0.03 - half, 0.03 + half))


def test_intervals_widen_with_the_number_of_recipes():
    pair = {"first": [0.5, 0.6, 0.8, 0.7], "b": [0.52, 0.64, 0.82, 0.74]}
    two = compare_recipes(frame(pair)).iloc[1]
    three = compare_recipes(frame(pair | {"c": [0.53, 0.65, 0.83, 0.75]})).iloc[1]
    assert three["difference"] == pytest.approx(two["difference"])
    # Of two intervals each errs half as often as of one.
    assert (three["high"] - 0.03) / (two["high"] - 0.03) == pytest.approx(
        float(stdtrit(3, 0.975) / stdtrit(3, 0.95))
    )


def test_where_the_first_stays_at_chance_the_others_have_their_means():
    rows = compare_recipes(frame({"first": [None] * 4, "b": [0.5, 0.6, 0.8, 0.7]}))
    assert rows["val_accuracy"][1] == pytest.approx(0.65)
    assert math.isnan(rows["difference"][1])


def test_one_pair_has_a_difference_and_no_interval():
    rows = compare_recipes(
        frame({"first": [0.5, None, None, None], "b": [0.52, 0.6, None, 0.7]})
    )
    assert rows["difference"].tolist() == pytest.approx([0, 0.02])
    assert rows["test_difference"].tolist() == pytest.approx([0, 0.02])
    assert rows[["low", "high"]].isna().to_numpy().all()
    _, [axes] = new_figure(1, "Recipes", "")
    draw_recipes(axes, rows)
    assert axes.lines[0].get_xdata() == pytest.approx([0, 2])


def test_aliases_count_once():
    runs = frame({"first": [0.5, 0.6, 0.8, 0.7], "b": [0.5, 0.6, 0.8, 0.7]})
    rows = compare_recipes(pd.concat([runs, runs]))
    assert rows["runs"].tolist() == [4, 4]


def test_a_recipe_that_stays_at_chance_is_counted_not_averaged():
    rows = compare_recipes(
        frame(
            {
                "first": [0.5, 0.6, 0.8, 0.7],
                "paper": [None] * 4,
                "b": [0.5, None, 0.8, None],
            }
        )
    )
    assert rows["untrained"].tolist() == [0, 4, 2]
    assert rows["runs"].tolist() == [4, 4, 4]
    assert math.isnan(rows["val_accuracy"][1])
    # Differences of the two blocks that are left: 0 and 0.
    assert rows["difference"][2] == pytest.approx(0)
    _, [axes] = new_figure(1, "Recipes", "")
    draw_recipes(axes, rows)
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "first",
        "paper (4 of 4 untrained)",
        "b (2 of 4 untrained)",
    ]
