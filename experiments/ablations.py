"""Recipes for 32x32 images: what they need beyond the paper's, one change at a time.

    dse reproduce ablations --preset narrow --dataset path/to/cifar10

Two networks, the narrowest squeeze layers and SR 0.5, are trained with each recipe on
the same images for equally many epochs. Differences are paired over networks and
replicates. Recipes are chosen on validation accuracy alone.
"""

from dse import Experiment, Preset, Recipe, SqueezeNet

FIRST = Recipe(
    epochs=8,
    peak_learning_rate=0.05,
    batch_size=32,
    warmup_share=0.1,
    crop_padding=4,
    mirror=True,
)

CHOSEN = {
    "peak_learning_rate": 0.025,
    "warmup_share": 0.3,
    "dropout": 0.0,
    "crop_padding": 0,
    "mirror": False,
}

EXPERIMENT = Experiment(
    title="Recipes for 32x32 images",
    anchor=SqueezeNet(),
    varied="sr",
    values=(0.125, 0.5),
    presets={
        "narrow": Preset(width=1 / 8, replicates=3, recipe=FIRST, train_images=20_000),
    },
    arms={
        "first": {},
        # The released solver: 0.04, batches of 512, no warm-up, no clipping.
        "paper": {
            "initializer": "released",
            "peak_learning_rate": 0.04,
            "batch_size": 512,
            "warmup_share": 0.0,
            "clip_norm": None,
        },
        "no-warmup": {"warmup_share": 0.0},
        "longer-warmup": {"warmup_share": 0.3},
        "no-clipping": {"clip_norm": None},
        "xavier": {"initializer": "xavier"},
        "cosine": {"schedule": "cosine"},
        "label-smoothing": {"label_smoothing": 0.1},
        "no-dropout": {"dropout": 0.0},
        "no-augmentation": {"crop_padding": 0, "mirror": False},
        "twice-the-rate": {"peak_learning_rate": 0.1},
        "half-the-rate": {"peak_learning_rate": 0.025},
        "batches-of-128": {"batch_size": 128},
        "decay-5e-4": {"weight_decay": 5e-4},
        # All changes that helped, together; then with further changes.
        "chosen": CHOSEN,
        "chosen-with-mirror": {**CHOSEN, "mirror": True},
        "chosen-with-smoothing": {**CHOSEN, "label_smoothing": 0.1},
        "chosen-with-decay-5e-4": {**CHOSEN, "weight_decay": 5e-4},
        "chosen-at-0.05": {**CHOSEN, "peak_learning_rate": 0.05},
    },
)
