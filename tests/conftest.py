"""Fixtures: an image set that a network learns in seconds, and clean surroundings."""

import os
from pathlib import Path

# Before JAX starts: one thread as in a worker, and no accelerator.
os.environ.update(NPROC="1", PJRT_NPROC="1", JAX_PLATFORMS="cpu")

import numpy as np
import pytest
from PIL import Image

from dse.data.dataset import Dataset, Images


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory):
    """Keep the user's cache folder out of it, and compile a network once a session."""
    os.environ["DSE_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(shared / "compiled")


def striped(count: int, classes: int, seed: int, size: int = 28):
    """Noisy images whose class is the place of a bright stripe."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.int32) % classes
    pixels = generator.integers(0, 60, (count, size, size, 1), dtype=np.uint8)
    band = size // classes
    for row, label in enumerate(labels):
        pixels[row, label * band : (label + 1) * band] += 150
    return Images(pixels, labels)


@pytest.fixture(scope="session")
def tiny() -> Dataset:
    """400 + 60 images of four classes."""
    return Dataset(
        "tiny",
        "tiny-fingerprint",
        ("a", "b", "c", "d"),
        striped(400, 4, seed=0),
        striped(60, 4, seed=1),
    )


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
    for part, count in (("train", train), ("val", test)):
        for label in range(classes):
            for index in range(count):
                size = generator.integers(40, 90, 2)
                pixels = np.full((*size, 3), 20 + 10 * index, np.uint8)
                pixels[..., label % 3] = 200 - 30 * (label // 3)
                file = folder / part / f"class_{label}" / f"{index}.png"
                file.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(file)
    return folder


@pytest.fixture(scope="session")
def tiny_folder(tiny, tmp_path_factory) -> Path:
    """The tiny set as a folder of images with a train and a test part."""
    folder = tmp_path_factory.mktemp("sets") / "stripes"
    write_image_folder(folder / "train", tiny.train)
    write_image_folder(folder / "test", tiny.test)
    return folder


@pytest.fixture
def workplace(tmp_path, monkeypatch) -> Path:
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


SMALL_EXPERIMENT = '''"""Two narrow cells, seconds each."""
from dse.arch.squeezenet import Metaparameters
from dse.study.claim import Beats
from dse.study.experiment import Experiment, Preset
from dse.train.recipe import Recipe

EXPERIMENT = Experiment(
    title="Small",
    anchor=Metaparameters(sr=0.5),
    varied="pct_3x3",
    values=(0.25, 0.75),
    published="figure 3(b)",
    claims=[Beats("3x3 filters add accuracy", "5.3", better=0.75, worse=0.25)],
    presets={
        "quick": Preset(
            base_e=8,
            replicates=2,
            recipe=Recipe(
                epochs=4, peak_learning_rate=0.05, batch_size=16, warmup_share=0.3
            ),
            dataset="DATASET",
        )
    },
)
'''


@pytest.fixture
def small_experiment(workplace, tiny_folder) -> Path:
    """A file of an experiment of two narrow cells on the tiny set, two replicates."""
    file = workplace / "small.py"
    file.write_text(SMALL_EXPERIMENT.replace("DATASET", str(tiny_folder)))
    return file
