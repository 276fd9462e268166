"""Captions."""

from dataclasses import replace

import pandas as pd

from dse.data.contents import Contents
from dse.report.captions import data_line, recipe_line, replicates_line, untrained_line
from dse.runs.recipe import Recipe
from dse.store.query import once
from dse.study.presets import PRESETS


def test_a_recipe_in_a_line():
    plain = Recipe(3, 0.05, crop_padding=0, mirror=False)
    assert recipe_line(plain) == (
        "SGD, 3 epochs, batch 64, peak rate 0.05, momentum 0.9, decay 0.0002, "
        "no augmentation, warm-up 10 %, clipped at 1"
    )
    once = replace(plain, epochs=1)
    assert recipe_line(once).startswith("SGD, 1 epoch, batch 64")
    more = Recipe(
        3,
        0.05,
        crop_padding=4,
        mirror=True,
        schedule="cosine",
        label_smoothing=0.1,
        dropout=0.2,
        initializer="xavier",
    )
    assert recipe_line(more).endswith(
        "crop ±4 and mirror, warm-up 10 %, clipped at 1, cosine decay of the rate, "
        "labels smoothed by 0.1, dropout 0.2, Xavier initialisation"
    )


def test_a_set_in_a_line(tiny):
    assert data_line(tiny) == (
        "tiny: 400 train (10 % of them for validation) and 60 test images of 28x28"
    )
    for formats, kept in (({"PNG": 9, "MPO": 1}, ", kept as JPEG"), ({"PNG": 9}, "")):
        contents = Contents({}, "", "", {}, 1, {}, formats)
        assert data_line(replace(tiny, contents=contents)).endswith(f"of 28x28{kept}")


def test_replicates_in_a_line():
    even, odd = (pd.DataFrame({"replicates": listed}) for listed in ([3, 3], [2, 3]))
    assert replicates_line(even, 0) == "3 replicates a cell, sweep seed 0"
    assert replicates_line(odd, 7) == "2 to 3 replicates a cell, sweep seed 7"
    alone = pd.DataFrame({"replicates": [1, 1]})
    assert replicates_line(alone, 0) == "1 replicate a cell, sweep seed 0"


def test_runs_at_chance_in_a_line():
    runs = pd.DataFrame(
        {"cell_id": ["a", "b", "c", "b"], "replicate": 0, "reason": [None] * 4}
    )
    assert untrained_line(once(runs)) == ""
    # The second run is there under two names.
    runs.loc[[1, 3], "reason"] = "untrained"
    assert untrained_line(once(runs)) == " 1 of 3 runs stayed at chance."


def test_the_papers_protocol_in_a_line():
    assert recipe_line(PRESETS["imagenet"].recipe) == (
        "SGD, 170000 steps, batch 512, peak rate 0.04, momentum 0.9, decay 0.0002, "
        "crop 227 of 256 pixels"
    )
