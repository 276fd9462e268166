"""Train a small network, or train a wide one and compress it?

    dse reproduce small_or_compressed --dataset path/to/fashion_mnist

The cells of figure 3 at an eighth, a sixteenth and a thirty-second of the paper's
widths. All are trained for 5 epochs. Then the wide ones are compressed in three ways,
the middle ones in one, with 3 more epochs at most. What they are compared with is the
same networks, trained on for 3 epochs: nothing wins by training longer. The rates of
the retraining were chosen on one network, by validation.
"""

from dse import (
    AddUp,
    Code,
    Experiment,
    LosesLittle,
    MovesFront,
    Preset,
    Prune,
    Quantise,
    Recipe,
    SqueezeNet,
    Staged,
)

RATIOS = (0.125, 0.25, 0.5, 0.75, 1.0)
SHARES = (0.01, 0.25, 0.75, 0.99)
TRAINED_ON = (Prune(1.0, prune_epochs=3, prune_rate=0.3),)
THIRD = (Prune(0.33, prune_epochs=2, prune_rate=0.3),)
EIGHT_BITS = (Quantise(8, quantise_epochs=3, quantise_rate=0.1), Code())
BOTH = (*THIRD, Quantise(6, quantise_epochs=1, quantise_rate=0.1), Code())


def cells(base_e: int, *stages: Prune | Quantise | Code) -> list[Staged]:
    """The cells of figures 3(a) and 3(b) at a width, with stages."""
    shapes = [(ratio, 0.5) for ratio in RATIOS] + [(0.5, share) for share in SHARES]
    return [
        Staged(
            SqueezeNet(
                base_e=base_e, incr_e=base_e, sr=ratio, pct_3x3=share, norm="batch"
            ),
            stages,
        )
        for ratio, share in shapes
    ]


WIDE, MIDDLE, SMALL = "width 1/8", "width 1/16", "width 1/32"
WIDE_BOTH, MIDDLE_BOTH = f"{WIDE}, 33 % and 6 bits", f"{MIDDLE}, 33 % and 6 bits"

EXPERIMENT = Experiment(
    title="Small, or wide and compressed?",
    points={
        WIDE: cells(16, *TRAINED_ON),
        MIDDLE: cells(8, *TRAINED_ON),
        SMALL: cells(4, *TRAINED_ON),
        f"{WIDE}, 8 bits": cells(16, *EIGHT_BITS),
        f"{WIDE}, 33 % kept": cells(16, *THIRD),
        WIDE_BOTH: cells(16, *BOTH),
        MIDDLE_BOTH: cells(8, *BOTH),
    },
    presets={
        "narrow": Preset(
            width=1,
            replicates=3,
            recipe=Recipe(
                epochs=5,
                peak_learning_rate=0.05,
                schedule="cosine",
                batch_size=32,
                warmup_share=0.1,
                crop_padding=2,
                clip_norm=None,
                dropout=0.0,
            ),
            train_images=25_000,
        )
    },
    claims=(
        MovesFront(
            "at equal bytes compressed networks are a point better than small ones",
            "ours",
            series=(WIDE_BOTH, MIDDLE_BOTH),
            over=(WIDE, MIDDLE, SMALL),
            margin=0.01,
        ),
        LosesLittle(
            "8 bits lose nothing (half a point at most)",
            "ours",
            series=f"{WIDE}, 8 bits",
            of=WIDE,
            margin=0.005,
        ),
        LosesLittle(
            "keeping 33 % of the weights loses nothing (half a point at most)",
            "ours",
            series=f"{WIDE}, 33 % kept",
            of=WIDE,
            margin=0.005,
        ),
        AddUp(
            "width and compression add up: compression loses the same at both widths "
            "(within half a point)",
            "ours",
            first=(WIDE_BOTH, WIDE),
            second=(MIDDLE_BOTH, MIDDLE),
            margin=0.005,
        ),
    ),
)
