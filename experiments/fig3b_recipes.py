"""Recipes for Figure 3(b) with batch norm, trained longer: one change at a time.

    dse reproduce fig3b_recipes --preset narrow --dataset path/to/cifar10

The network with 50 % of 3x3 filters is trained with each recipe for as long as
experiments/fig3b_trained.py trains it. Recipes are chosen on validation accuracy alone.
"""

from dse import Experiment, Preset, Recipe, SqueezeNet

FIRST = Recipe(
    epochs=8,
    peak_learning_rate=0.1,
    batch_size=32,
    warmup_share=0.1,
    clip_norm=None,
    dropout=0.0,
)

EXPERIMENT = Experiment(
    title="Recipes for networks with batch norm",
    anchor=SqueezeNet(sr=0.5, norm="batch"),
    varied="pct_3x3",
    values=(0.5,),
    presets={"narrow": Preset(width=1 / 4, replicates=1, recipe=FIRST)},
    arms={
        "first": {},
        "cosine": {"schedule": "cosine"},
        "half-the-rate": {"peak_learning_rate": 0.05},
        "crop-of-2": {"crop_padding": 2},
        # Both changes that helped, and the schedule that ends flat.
        "chosen": {
            "peak_learning_rate": 0.05,
            "crop_padding": 2,
            "schedule": "cosine",
        },
    },
)
