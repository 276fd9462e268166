"""Time to open a folder of images for the first and the second time.

    python experiments/benchmarks/reading.py [--images 20000] [--side 32]

Makes random PNG files in ten class folders of a temporary folder, and opens the set
twice, first with an empty cache folder. Takes under a minute.
"""

import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from PIL import Image

CLASSES = 10


@dataclass(frozen=True)
class Reading:
    """Time the opening of a folder.

    Attributes:
        images: number of images.
        side: height and width of each, in pixels.
    """

    images: int = 20_000
    side: int = 32

    def __call__(self) -> None:
        """Make the folder, open it twice, and print the seconds."""
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / "set"
            os.environ["DSE_CACHE"] = str(Path(scratch) / "cache")
            write_images(folder, self.images, self.side)
            first, second = seconds(folder), seconds(folder)
        print(
            f"{self.images:,} images of {self.side}x{self.side}: {first:.1f} s the "
            f"first time, {second:.1f} s the second"
        )


def write_images(folder: Path, images: int, side: int) -> None:
    """Write random colour images of all classes in turn."""
    generator = np.random.default_rng(0)
    for number in range(images):
        file = folder / f"class_{number % CLASSES}" / f"{number:06}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        pixels = generator.integers(0, 256, (side, side, 3), np.uint8)
        Image.fromarray(pixels).save(file)


def seconds(folder: Path) -> float:
    """Seconds to open a folder."""
    from dse.data.load import load

    began = time.perf_counter()
    load(str(folder))
    return time.perf_counter() - began


if __name__ == "__main__":
    tyro.cli(Reading)()
