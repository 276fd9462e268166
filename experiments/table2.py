"""Table 2: what compression makes of AlexNet and of SqueezeNet (section 4).

    dse reproduce table2

Each network as it is trained, with truncated singular values (Denton et al. 2014),
pruned (Han et al. 2015), pruned and quantised, and with Huffman codes too (Deep
Compression), with the paper's numbers beside. Bytes are those of files that were
written and read back. AlexNet is in its form for small images, where it is not 50 times
as large as SqueezeNet, and SqueezeNet has a squeeze ratio of 0.5, since an eighth of
0.125 leaves two filters. What has truncated singular values is not trained again, as
Denton et al. do. `quick` takes two minutes on two cores; networks so narrow have little
to spare, and their codebooks count. `narrow`, at a quarter of the widths, is for an
hour on another set, and `full` for a GPU.
"""

from dataclasses import replace

from dse import (
    PRESETS,
    AlexNet,
    Code,
    Experiment,
    Factor,
    Preset,
    Prune,
    Quantise,
    Recipe,
    SqueezeNet,
    Staged,
    TimesSmaller,
)

ALEXNET, SQUEEZENET = AlexNet(), SqueezeNet(sr=0.5)
TENTH = Prune(0.11, prune_rate=0.3)
THIRD = Prune(0.33, prune_rate=0.3)
FIFTH = Prune(0.2, prune_rounds=3, prune_rate=0.3)
SEVENTH = Prune(0.15, prune_rounds=3, prune_rate=0.3)
EIGHT = Quantise(8, quantise_rate=0.1)
EIGHT_AND_FIVE = Quantise(8, bits_dense=5, quantise_rate=0.1)
SIX, FIVE, FOUR = (Quantise(bits, quantise_rate=0.1) for bits in (6, 5, 4))

RECIPE = replace(PRESETS["quick"].recipe, initializer="he", dropout=0.0)
LONGER = Recipe(
    epochs=5,
    peak_learning_rate=0.05,
    schedule="cosine",
    batch_size=32,
    warmup_share=0.1,
    crop_padding=2,
    clip_norm=1.0,
    dropout=0.0,
    initializer="he",
)


def paper(megabytes: float, times: int, top1: float, top5: float) -> dict[str, float]:
    """A row of the paper's table."""
    return {
        "paper, MB": megabytes,
        "paper, times": times,
        "paper, top-1": top1,
        "paper, top-5": top5,
    }


EXPERIMENT = Experiment(
    title="Compression of AlexNet and of SqueezeNet (table 2)",
    points={
        "AlexNet": ALEXNET,
        "AlexNet, SVD": Staged(ALEXNET, (Factor(0.2),)),
        "AlexNet, pruned": Staged(ALEXNET, (TENTH,)),
        "AlexNet, pruned and quantised": Staged(ALEXNET, (TENTH, EIGHT_AND_FIVE)),
        "AlexNet, Deep Compression": Staged(ALEXNET, (TENTH, EIGHT_AND_FIVE, Code())),
        "SqueezeNet": SQUEEZENET,
        "SqueezeNet, SVD": Staged(SQUEEZENET, (Factor(0.5),)),
        "SqueezeNet, pruned": Staged(SQUEEZENET, (THIRD,)),
        "SqueezeNet, pruned and quantised": Staged(SQUEEZENET, (THIRD, EIGHT)),
        "SqueezeNet, 8 bits": Staged(SQUEEZENET, (THIRD, EIGHT, Code())),
        "SqueezeNet, 6 bits": Staged(SQUEEZENET, (THIRD, SIX, Code())),
        "SqueezeNet, 20 %, 5 bits": Staged(SQUEEZENET, (FIFTH, FIVE, Code())),
        "SqueezeNet, 15 %, 4 bits": Staged(SQUEEZENET, (SEVENTH, FOUR, Code())),
    },
    beside={
        "AlexNet": paper(240, 1, 57.2, 80.3),
        "AlexNet, SVD": paper(48, 5, 56.0, 79.4),
        "AlexNet, pruned": paper(27, 9, 57.2, 80.3),
        "AlexNet, Deep Compression": paper(6.9, 35, 57.2, 80.3),
        "SqueezeNet": paper(4.8, 50, 57.5, 80.3),
        "SqueezeNet, 8 bits": paper(0.66, 363, 57.5, 80.3),
        "SqueezeNet, 6 bits": paper(0.47, 510, 57.5, 80.3),
    },
    presets={
        "quick": replace(PRESETS["quick"], recipe=RECIPE),
        "narrow": Preset(width=1 / 4, replicates=3, recipe=LONGER, train_images=25_000),
        "full": Preset(width=1, replicates=3, recipe=replace(LONGER, epochs=60)),
    },
    claims=(
        TimesSmaller(
            "Deep Compression shrinks SqueezeNet 10 times without loss (half a point)",
            "4",
            smaller="SqueezeNet, 6 bits",
            larger="SqueezeNet",
            factor=10,
            margin=0.005,
        ),
        TimesSmaller(
            "at 8 bits 7 times without loss (half a point)",
            "4",
            smaller="SqueezeNet, 8 bits",
            larger="SqueezeNet",
            factor=7,
            margin=0.005,
        ),
        TimesSmaller(
            "AlexNet 35 times without loss (half a point)",
            "4",
            smaller="AlexNet, Deep Compression",
            larger="AlexNet",
            factor=35,
            margin=0.005,
        ),
        TimesSmaller(
            "SqueezeNet shrinks 10 times without loss at 20 % and 5 bits",
            "ours",
            smaller="SqueezeNet, 20 %, 5 bits",
            larger="SqueezeNet",
            factor=10,
            margin=0.005,
        ),
        TimesSmaller(
            "and 20 times at 15 % and 4 bits, at a loss of a point",
            "ours",
            smaller="SqueezeNet, 15 %, 4 bits",
            larger="SqueezeNet",
            factor=20,
            margin=0.01,
        ),
    ),
)
