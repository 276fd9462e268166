"""Size against accuracy of every network that SqueezeNet was compared with.

    dse reproduce systems --preset narrow --dataset path/to/cifar10

Each network at an eighth, a quarter and half of its published width under one recipe,
in the form that it has for small images, and below them the accuracies published for
ImageNet at exact sizes and full width. ResNet and the small Inception have batch norm
as published; VGG, NIN and a third SqueezeNet are trained with it, since short trainings
leave narrow networks without it behind; AlexNet has its own local norm. `full` trains
the same networks on all images, and longer.
"""

from dataclasses import replace

from dse import (
    AlexNet,
    Experiment,
    Family,
    GoogLeNet,
    Nin,
    Preset,
    Recipe,
    ResNet,
    SqueezeNet,
    TimesFewer,
    Vgg,
)

WIDTHS = (1 / 8, 1 / 4, 1 / 2)


def at_widths(point: Family) -> list[Family]:
    """A network at each width; SqueezeNet's widths are its numbers of filters."""
    if isinstance(point, SqueezeNet):
        filters = [round(128 * width) for width in WIDTHS]
        return [replace(point, base_e=n, incr_e=n) for n in filters]
    return [replace(point, width=width) for width in WIDTHS]  # type: ignore[call-arg]


NETWORKS: dict[str, Family] = {
    "SqueezeNet": SqueezeNet(sr=0.5),
    "SqueezeNet, simple bypass": SqueezeNet(sr=0.5, bypass="simple"),
    "SqueezeNet, batch norm": SqueezeNet(sr=0.5, norm="batch"),
    "AlexNet": AlexNet(),
    "VGG-11, batch norm": Vgg(depth=11, norm="batch"),
    "NIN, batch norm": Nin(norm="batch"),
    "Inception": GoogLeNet(),
    "ResNet-20": ResNet(depth=20),
}
RECIPE = Recipe(
    epochs=8,
    peak_learning_rate=0.05,
    batch_size=32,
    warmup_share=0.3,
    crop_padding=0,
    mirror=False,
    dropout=0.0,
    initializer="he",
)

EXPERIMENT = Experiment(
    title="Every system in one figure",
    points={name: at_widths(point) for name, point in NETWORKS.items()},
    published="single crop",
    claims=(
        TimesFewer(
            "SqueezeNet has 50 times fewer parameters than AlexNet",
            "abstract",
            factor=50,
            smaller=SqueezeNet(),
            larger=AlexNet(),
        ),
    ),
    presets={
        "narrow": Preset(width=1, replicates=3, recipe=RECIPE, train_images=10_000),
        "full": Preset(width=1, replicates=3, recipe=replace(RECIPE, epochs=60)),
    },
)
