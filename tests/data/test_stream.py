"""Streamed sets: parts, order, decoding, and what cannot be decoded."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from samples import write_photos

from dse.data.dataset import validation_split
from dse.data.stream import decode_square, stream
from dse.errors import DseError

SAMPLES = Path(os.environ.get("DSE_TEST_DATA", "no such")) / "imagenet_samples"


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return write_photos(tmp_path_factory.mktemp("sets") / "photos")


def test_the_parts_of_a_folder(photos):
    opened = stream(str(photos), 64, 48)
    assert (opened.name, opened.image_shape, opened.classes) == (
        "photos",
        (48, 48, 3),
        4,
    )
    assert (len(opened.train), len(opened.test)) == (24, 8)
    assert np.bincount(opened.train.labels).tolist() == [6] * 4
    split = validation_split(opened, 0, 0)
    # At least one of each class validates.
    assert np.bincount(opened.train.labels[split.validation]).tolist() == [1] * 4


def test_images_come_in_the_order_that_is_asked_for(photos):
    opened = stream(str(photos), 64, 48)
    positions = np.array([23, 0, 7, 7, 12])
    batches = list(opened.batches(opened.train, positions, 2))
    assert [len(labels) for _, labels in batches] == [2, 2, 1]
    labels = np.concatenate([labels for _, labels in batches])
    np.testing.assert_array_equal(labels, opened.train.labels[positions])
    pixels = np.concatenate([pixels for pixels, _ in batches])
    assert pixels.shape == (5, 64, 64, 3)
    assert pixels.dtype == np.uint8
    # Its class is a colour, its place within the class a shade: 3 is class_3/5.
    np.testing.assert_array_equal(pixels[0, 0, 0], [170, 70, 70])
    np.testing.assert_array_equal(pixels[1, 9, 9], [200, 20, 20])
    np.testing.assert_array_equal(pixels[2], pixels[3])


def test_without_a_test_part_a_sixth_is_held_out(tmp_path):
    folder = write_photos(tmp_path / "flat", test=0)
    (folder / "train").rename(tmp_path / "photos")
    opened = stream(str(tmp_path / "photos"), 64, 48)
    assert (len(opened.train), len(opened.test)) == (20, 4)
    rows = set(opened.train.rows.tolist()) | set(opened.test.rows.tolist())
    assert rows == set(range(24))


def test_the_fingerprint_follows_names_and_sizes(tmp_path):
    folder = write_photos(tmp_path / "photos")
    before = stream(str(folder), 64, 48).fingerprint
    assert stream(str(folder), 64, 48).fingerprint == before
    extra = folder / "train" / "class_0" / "more.png"
    Image.new("RGB", (50, 50)).save(extra)
    assert len(stream(str(folder), 64, 48).train) == 25
    assert stream(str(folder), 64, 48).fingerprint != before


def test_a_test_part_without_labels_is_passed_over(tmp_path):
    import datasets

    folder = write_photos(tmp_path / "photos")
    whole = datasets.load_dataset(str(folder), cache_dir=str(tmp_path / "arrow"))
    withheld = whole["validation"].map(lambda row: {"label": -1})
    parts = {**whole, "test": withheld}
    for name, rows in parts.items():
        rows.to_parquet(tmp_path / "parquet" / f"{name}-00000-of-00001.parquet")
    opened = stream(str(tmp_path / "parquet"), 64, 48)
    assert opened.test.labels.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


def test_any_shape_and_mode_becomes_a_square(tmp_path):
    grey = tmp_path / "grey.png"
    Image.new("L", (30, 90), 77).save(grey)
    record = {"bytes": None, "path": str(grey)}
    square = decode_square(record, 32, "train image 0", "mine")
    assert square.shape == (32, 32, 3)
    assert (square == 77).all()
    # Half black, half white, twice as wide as high: the middle stays the middle.
    halves = np.zeros((40, 80, 3), np.uint8)
    halves[:, 40:] = 255
    wide = tmp_path / "wide.png"
    Image.fromarray(halves).save(wide)
    squeezed = decode_square({"bytes": None, "path": str(wide)}, 20, "", "mine")
    assert (squeezed[:, :9] == 0).all()
    assert (squeezed[:, 11:] == 255).all()


def test_what_cannot_be_decoded_is_named(tmp_path):
    folder = write_photos(tmp_path / "photos")
    broken = folder / "train" / "class_2" / "3.png"
    broken.write_bytes(broken.read_bytes()[:60])
    opened = stream(str(folder), 64, 48)
    with pytest.raises(
        DseError, match=r"photos: train image 15 \(.*3\.png\) cannot be"
    ):
        list(opened.batches(opened.train, np.arange(24), 8))
    with pytest.raises(DseError, match="image 0 cannot be decoded"):
        decode_square({"bytes": b"GIF89a", "path": None}, 8, "train image 0", "mine")


@pytest.mark.skipif(
    not SAMPLES.is_dir(), reason="DSE_TEST_DATA names no ImageNet samples"
)
def test_imagenet_samples_are_256_pixels():
    opened = stream(str(SAMPLES), 256, 227)
    assert (opened.classes, opened.image_shape) == (1000, (227, 227, 3))
    # One of each class: none can be held out, so all are train.
    [(pixels, labels)] = opened.batches(opened.train, np.arange(16), 16)
    assert pixels.shape == (16, 256, 256, 3)
    assert labels.tolist()[:3] == [37, 99, 161]
    deviations = pixels.reshape(16, -1).std(axis=1)
    assert (deviations > 20).all()  # photos, not blanks
    whole = [np.asarray(image) for image in _pictures()]
    for decoded, original in zip(pixels, whole, strict=True):
        # Scaled by another filter, on the whole the same picture.
        coarse = decoded.reshape(8, 32, 8, 32, 3).mean((1, 3))
        np.testing.assert_allclose(coarse, original, atol=12)


def _pictures():
    import datasets

    for row in datasets.load_dataset(str(SAMPLES), split="test"):
        yield row["image"].convert("RGB").resize((8, 8), Image.Resampling.BOX)
