"""Presets of the shipped experiments; each has one recipe for all cells.

The experiments share them, so a cell that is in two figures is trained only once.
"""

from collections.abc import Mapping
from dataclasses import replace

from dse.runs.recipe import Recipe
from dse.study.preset import Preset

PRESETS: Mapping[str, Preset] = {
    # Three epochs are too few for augmentation to help, and with a shorter warm-up some
    # runs stay at chance.
    "quick": Preset(
        width=1 / 8,
        replicates=2,
        recipe=Recipe(
            epochs=3,
            peak_learning_rate=0.05,
            batch_size=32,
            warmup_share=0.3,
            crop_padding=0,
            mirror=False,
        ),
        # Three epochs of the embedded images.
        least_images=30_000,
    ),
    # Figure 3 and table 3 on one set take two cores an hour or two. The settings were
    # chosen with experiments/ablations.py.
    "narrow": Preset(
        width=1 / 8,
        replicates=5,
        recipe=Recipe(
            epochs=10,
            peak_learning_rate=0.025,
            batch_size=32,
            warmup_share=0.3,
            crop_padding=0,
            mirror=False,
            dropout=0.0,
        ),
        train_images=25_000,
    ),
    "full": Preset(
        width=1,
        replicates=5,
        recipe=Recipe(epochs=30, peak_learning_rate=0.05, batch_size=128),
    ),
    # The released solver and its data: 256 pixels, a crop of 227, the mean subtracted.
    "imagenet": Preset(
        width=1,
        replicates=1,
        recipe=Recipe(
            epochs=69,
            steps=170_000,
            peak_learning_rate=0.04,
            batch_size=512,
            warmup_share=0.0,
            clip_norm=None,
            crop_padding=0,
            mirror=False,
            resize=256,
            crop=227,
            pixel_mean=(123.0, 117.0, 104.0),
        ),
        dataset="imagenet",
    ),
}
"""Presets by name. `quick` is for two cores and the embedded images, `narrow` for two
cores and hours on another set. `full` has the paper's width, for images of 24 to 127
pixels; `imagenet` is the paper's protocol."""

NORM_PRESETS: Mapping[str, Preset] = {
    "narrow": replace(
        PRESETS["narrow"],
        replicates=3,
        recipe=replace(PRESETS["narrow"].recipe, peak_learning_rate=0.05),
    ),
    "full": PRESETS["full"],
}
"""Presets to compare batch norm with none, at a rate that suits both."""
