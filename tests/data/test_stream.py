"""Streamed sets: parts, order, decoding, and what cannot be decoded."""

import os
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from samples import write_photos

from dse.data.dataset import validation_split
from dse.data.layout import Named
from dse.data.source import Record
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


def test_a_test_part_without_labels_is_left_out_and_said(tmp_path):
    folder = write_photos(tmp_path / "photos")
    table_of(folder / "train", tmp_path / "set" / "train-00000-of-00001.parquet")
    table_of(folder / "test", tmp_path / "set" / "validation-00000-of-00001.parquet")
    whole = pq.read_table(tmp_path / "set" / "validation-00000-of-00001.parquet")
    kept_back = pa.array([-1] * len(whole))
    withheld = whole.set_column(1, "label", kept_back)
    pq.write_table(withheld, tmp_path / "set" / "test-00000-of-00001.parquet")
    opened = stream(str(tmp_path / "set"), 64, 48)
    assert (len(opened.train), len(opened.test)) == (28, 4)
    assert opened.own_validation.tolist() == list(range(20, 28))
    split = validation_split(opened, 0, 3)
    assert split.validation.tolist() == list(range(20, 28))
    assert split.train.tolist() == list(range(20))
    assert "its test part keeps its labels back" in opened.contents.warnings()[0]
    # Who reports on the validation part, as is usual then, says so.
    named = Named(test_folder="validation")
    tested = stream(str(tmp_path / "set"), 64, 48, named)
    assert (len(tested.train), len(tested.test)) == (24, 8)
    assert tested.own_validation is None
    assert tested.test.labels.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


def table_of(part, file):
    """A part of class folders as a Parquet file of bytes and numbers."""
    images = sorted(part.rglob("*.png"))
    rows = {
        "image": [{"bytes": x.read_bytes(), "path": x.name} for x in images],
        "label": [int(x.parent.name[-1]) for x in images],
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(rows), file)


def test_parquet_comes_in_any_order_from_a_copy(tmp_path):
    folder = write_photos(tmp_path / "photos", train=20)
    table_of(folder / "train", tmp_path / "set" / "train.parquet")
    opened = stream(str(tmp_path / "set"), 64, 48)
    files = stream(str(folder / "train"), 64, 48)
    order = np.random.default_rng(0).permutation(60)
    assert opened.train.labels.tolist() == files.train.labels.tolist()
    copied = list(opened.batches(opened.train, order, 50))
    as_files = list(files.batches(files.train, order, 50))
    for (ours, _), (theirs, _) in zip(copied, as_files, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_damaged_copy_is_not_trained_on(tmp_path, monkeypatch):
    monkeypatch.setenv("DSE_CACHE", str(tmp_path / "cache"))
    folder = write_photos(tmp_path / "photos")
    table_of(folder / "train", tmp_path / "set" / "train.parquet")
    opened = stream(str(tmp_path / "set"), 64, 48)
    [copy] = (tmp_path / "cache" / "records").iterdir()
    content = bytearray(copy.read_bytes())
    content[content.index(b"IDAT") + 8] ^= 1
    copy.write_bytes(content)
    with pytest.raises(DseError, match=r"the copy of the images in .* is damaged"):
        list(opened.batches(opened.train, np.arange(20), 5))


def test_a_set_that_changes_meanwhile_is_refused(tmp_path):
    folder = write_photos(tmp_path / "photos")
    opened = stream(str(folder), 64, 48)
    (folder / "train" / "class_0" / "0.png").unlink()
    with pytest.raises(DseError, match="is not what it was when the command began"):
        list(opened.batches(opened.train, np.arange(3), 3))


def test_any_shape_and_mode_becomes_a_square():
    grey = BytesIO()
    Image.new("L", (30, 90), 77).save(grey, "PNG")
    square = decode_square(Record(grey.getvalue(), "0.png", ".png"), 32, "mine")
    assert square.shape == (32, 32, 3)
    assert (square == 77).all()
    # Half black, half white, twice as wide as high: the middle stays the middle.
    halves = np.zeros((40, 80, 3), np.uint8)
    halves[:, 40:] = 255
    wide = BytesIO()
    Image.fromarray(halves).save(wide, "PNG")
    squeezed = decode_square(Record(wide.getvalue(), "wide.png", ".png"), 20, "mine")
    assert (squeezed[:, :9] == 0).all()
    assert (squeezed[:, 11:] == 255).all()


def test_what_cannot_be_decoded_is_named(tmp_path):
    folder = write_photos(tmp_path / "photos")
    broken = folder / "train" / "class_2" / "3.png"
    broken.write_bytes(broken.read_bytes()[:60])
    opened = stream(str(folder), 64, 48)
    with pytest.raises(DseError, match=r"photos: train/class_2/3\.png cannot be"):
        list(opened.batches(opened.train, np.arange(20), 8))
    with pytest.raises(DseError, match="here cannot be decoded"):
        decode_square(Record(b"GIF89a", "here", ""), 8, "mine")
    # What the header tells is refused at once, not after hours of training.
    Image.fromarray(np.zeros((50, 50), np.float32)).save(broken.with_suffix(".tif"))
    with pytest.raises(DseError, match=r"3\.tif has pixels of kind F, which"):
        stream(str(folder), 64, 48)


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


def test_a_file_of_the_same_size_is_another_set_meanwhile(tmp_path):
    folder = write_photos(tmp_path / "photos")
    table_of(folder / "train", tmp_path / "set" / "train.parquet")
    opened = stream(str(tmp_path / "set"), 64, 48)
    file = tmp_path / "set" / "train.parquet"
    content = file.read_bytes()
    file.write_bytes(content[:-1] + content[-1:])
    with pytest.raises(DseError, match="is not what it was when the command began"):
        list(opened.batches(opened.train, np.arange(3), 3))


def test_the_same_files_in_train_and_test_are_found(tmp_path):
    folder = write_photos(tmp_path / "photos")
    first = folder / "train" / "class_0" / "0.png"
    (folder / "test" / "class_0" / "again.png").symlink_to(first)
    (folder / "train" / "class_1" / "again.png").symlink_to(first)
    contents = stream(str(folder), 64, 48).contents
    assert (contents.doubles, contents.contrary) == ({"test": 1}, 2)
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "train").symlink_to(folder / "train")
    (tmp_path / "set" / "test").mkdir()
    for index in range(4):
        name = f"class_{index}"
        (tmp_path / "set" / "test" / name).symlink_to(folder / "train" / name)
    with pytest.raises(DseError, match="all of its test images are files of train"):
        stream(str(tmp_path / "set"), 64, 48)


def test_streamed_images_of_16_bits_are_not_called_dark(tmp_path):
    for label in ("a", "b"):
        for index in range(8):
            file = tmp_path / label / f"{index}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((40, 40), 60_000, np.uint16)).save(file)
    contents = stream(str(tmp_path), 64, 48).contents
    assert contents.warnings() == []
    assert "16 of 16 bits, brought to 8;" in contents.lines()[4]
