"""Images that a network learns in seconds, and an experiment that trains on them."""

from pathlib import Path

import numpy as np
from PIL import Image

from dse.data.dataset import Images

SMALL_EXPERIMENT = '''"""Two narrow cells, seconds each."""
from dse.families.squeezenet import SqueezeNet
from dse.runs.recipe import Recipe
from dse.study.claim import Beats
from dse.study.experiment import Experiment
from dse.study.preset import Preset

EXPERIMENT = Experiment(
    title="Small",
    anchor=SqueezeNet(sr=0.5),
    varied="pct_3x3",
    values=(0.25, 0.75),
    published="figure 3(b)",
    claims=[Beats("3x3 filters add accuracy", "5.3", better=0.75, worse=0.25)],
    presets={
        "quick": Preset(
            width=8 / 128,
            replicates=2,
            recipe=Recipe(
                epochs=4, peak_learning_rate=0.05, batch_size=16, warmup_share=0.3
            ),
            dataset="DATASET",
        )
    },
)
'''

READ = (
    "stripes: 400 images of 4 classes (100 each); validation: a tenth of each class of "
    "train; test: its own part, 60 images"
)
"""What every command says of the small experiment's set."""


def striped(count: int, classes: int, seed: int, size: int = 28):
    """Noisy images whose class is the place of a bright stripe."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.int32) % classes
    pixels = generator.integers(0, 60, (count, size, size, 1), dtype=np.uint8)
    band = size // classes
    for row, label in enumerate(labels):
        pixels[row, label * band : (label + 1) * band] += 150
    return Images(pixels, labels)


def write_image_folder(folder: Path, images: Images) -> None:
    """Images as PNG files in one folder per class."""
    for row, (pixels, label) in enumerate(
        zip(images.pixels, images.labels, strict=True)
    ):
        file = folder / f"class_{label}" / f"{row:04}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels[:, :, 0]).save(file)


def write_photos(folder, classes=4, train=6, test=2):
    """Photos of several sizes and modes; each class is a colour, each image a shade."""
    generator = np.random.default_rng(0)
    for part, count in (("train", train), ("test", test)):
        for label in range(classes):
            for index in range(count):
                size = generator.integers(40, 90, 2)
                pixels = np.full((*size, 3), 20 + 10 * index, np.uint8)
                pixels[..., label % 3] = 200 - 30 * (label // 3)
                file = folder / part / f"class_{label}" / f"{index}.png"
                file.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(file)
    return folder
