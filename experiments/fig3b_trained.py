"""Figure 3(b) with batch norm, trained longer.

    dse reproduce fig3b_trained --preset narrow --dataset path/to/cifar10

`narrow` is a quarter of the paper's widths and all train images with augmentation:
three hours of two cores for its 27 runs. `full` is the paper's width, for a GPU; it was
not run yet. The recipe was chosen with experiments/fig3b_recipes.py.
"""

from dataclasses import replace

from dse import Beats, Experiment, GainsLittle, Preset, Recipe, SqueezeNet

RECIPE = Recipe(
    epochs=8,
    peak_learning_rate=0.05,
    schedule="cosine",
    batch_size=32,
    warmup_share=0.1,
    crop_padding=2,
    clip_norm=None,
    dropout=0.0,
)

EXPERIMENT = Experiment(
    title="Share of 3x3 filters with batch norm, trained longer",
    anchor=SqueezeNet(sr=0.5, norm="batch"),
    varied="pct_3x3",
    values=(0.01, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 0.99),
    presets={
        "narrow": Preset(width=1 / 4, replicates=3, recipe=RECIPE),
        "full": Preset(width=1, replicates=3, recipe=replace(RECIPE, epochs=60)),
    },
    claims=(
        Beats("3x3 filters up to 50 % add accuracy", "5.3", better=0.5, worse=0.01),
        GainsLittle(
            "past 50 % of 3x3 filters accuracy does not improve",
            "5.3",
            start=0.5,
            end=0.99,
            margin=0.01,
        ),
    ),
)
