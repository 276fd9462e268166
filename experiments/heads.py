"""Global average or dense layers as the head of a network (Lin et al. 2013, 3.2).

    dse reproduce heads --preset narrow --dataset path/to/cifar10

Network in Network argues that averaged maps in place of dense layers have fewer
parameters and overfit less. Two networks are trained with either head: Network in
Network itself, and the first three stages of VGG, where the dense head holds four
fifths of the parameters. Nothing else works against overfitting: no dropout, no
augmentation, and few images.
"""

from dataclasses import dataclass

from dse import (
    Beats,
    Build,
    Experiment,
    Family,
    Nin,
    OverfitsLess,
    Preset,
    Recipe,
    choice,
    share,
)
from dse.arch.build import Architecture, Shape, scaled


@dataclass(frozen=True)
class VggLike(Family, name="vgg-like"):
    """Three stages of two 3x3 convolutions as in VGG, for small images."""

    width: float = share(1, "share of published", most=4, cost="rises", scales=True)
    head: str = choice(
        "dense", ("dense", "average"), "hidden dense layers, or a mean of the maps"
    )

    def architecture(self, input_shape: Shape, classes: int) -> Architecture:
        """Build the network; of 32 pixels a map of 4x4 reaches the head."""
        net = Build(input_shape, classes)
        for stage, filters in enumerate((64, 128, 256), start=1):
            for place in (1, 2):
                net.conv(f"conv{stage}_{place}", scaled(filters, self.width), padding=1)
            net.max_pool(f"pool{stage}", 2, 2)
        if self.head == "average":
            net.average("average")
        else:
            for number in (4, 5):
                net.dense(f"fc{number}", scaled(1024, self.width), relu=True)
                net.dropout(f"drop{number}")
        net.dense("scores", classes)
        return net.done()


RECIPE = Recipe(
    epochs=25,
    peak_learning_rate=0.025,
    batch_size=32,
    warmup_share=0.3,
    crop_padding=0,
    mirror=False,
    dropout=0.0,
    initializer="he",
)

EXPERIMENT = Experiment(
    title="Global average or dense layers as the head",
    points={
        "NIN, average": Nin(),
        "NIN, dense": Nin(head="dense"),
        "VGG-like, average": VggLike(head="average"),
        "VGG-like, dense": VggLike(),
    },
    shows="gap",
    claims=(
        Beats(
            "global average is more accurate than dense layers, in NIN",
            "NIN 4.6",
            better="NIN, average",
            worse="NIN, dense",
        ),
        Beats(
            "so it is in a conventional network",
            "NIN 4.6",
            better="VGG-like, average",
            worse="VGG-like, dense",
        ),
        OverfitsLess(
            "global average overfits less than dense layers, in NIN",
            "NIN 3.2",
            less="NIN, average",
            more="NIN, dense",
        ),
        OverfitsLess(
            "so it does in a conventional network",
            "NIN 3.2",
            less="VGG-like, average",
            more="VGG-like, dense",
        ),
    ),
    presets={
        "narrow": Preset(width=1 / 4, replicates=5, recipe=RECIPE, train_images=10_000),
        "full": Preset(width=1, replicates=5, recipe=RECIPE),
    },
)
