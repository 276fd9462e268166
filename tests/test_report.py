"""Captions."""

from dse.report.words import recipe_line
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
