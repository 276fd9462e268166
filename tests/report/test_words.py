"""Captions."""

from dataclasses import replace

import pandas as pd

from dse.report.words import data_line, recipe_line, replicates_line, untrained_line
from dse.train.recipe import Recipe


def test_a_recipe_in_a_line():
    plain = Recipe(3, 0.05, crop_padding=0, mirror=False)
    assert recipe_line(plain) == (
        "SGD, 3 epochs, batch 64, peak rate 0.05, momentum 0.9, decay 0.0002, "
        "no augmentation"
    )
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
        "crop ±4 and mirror, cosine decay of the rate, labels smoothed by 0.1, "
        "dropout 0.2, xavier initialisation"
    )


def test_a_set_in_a_line(tiny):
    assert data_line(tiny) == (
        "tiny: 400 train (10 % of them for validation) and 60 test images of 28x28"
    )
    assert data_line(replace(tiny, encoding="JPEG")).endswith("of 28x28, kept as JPEG")


def test_replicates_in_a_line():
    even, odd = (pd.DataFrame({"replicates": listed}) for listed in ([3, 3], [2, 3]))
    assert replicates_line(even, 0) == "3 replicates a cell, sweep seed 0"
    assert replicates_line(odd, 7) == "2 to 3 replicates a cell, sweep seed 7"
    assert untrained_line(0, 9) == ""
    assert untrained_line(2, 9) == " 2 of 9 runs stayed at chance."
