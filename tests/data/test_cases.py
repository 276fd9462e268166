"""Inputs that users of other tools reported, as a script beside the data makes them."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from dse.data.load import load
from dse.errors import DseError

SCRIPT = Path(os.environ.get("DSE_TEST_DATA", "no such")).parent / "cases" / "make.py"

pytestmark = pytest.mark.skipif(
    not SCRIPT.is_file(), reason="DSE_TEST_DATA names no folder with cases beside it"
)


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cases")
    words = [sys.executable, SCRIPT, folder]
    subprocess.run([*map(str, words)], check=True, capture_output=True)
    return folder


READ = {
    # By name: images to train on, images to test, and classes.
    "file_names": (56, 12, ("cat", "dog")),
    "capital_parts": (120, 40, ("hor", "ver")),
    "linked_class": (30, 6, ("cat", "dog", "fox")),
    "mixed_extensions": (40, 8, ("a", "b")),
    "dunder_class": (30, 6, ("__background__", "cat", "dog")),
    "metadata_lists_half": (20, 4, ("a", "b")),
    "sixteen_bits": (120, 40, ("hor", "ver")),
    "turned_by_exif": (120, 40, ("hor", "ver")),
    "labels_from_one": (20, 4, ("1", "2")),
    "mask_before_image": (20, 4, ("hor", "ver")),
    "not_utf8": (20, 4, (r"caf\xe9", "dog")),
    **{
        f"odd_folder_names/{name}": (20, 4, ("cat", "dog"))
        for name in (
            *("images [v2]", "images (1)", "images*"),
            *("imagefolder", "webdataset", "shapes"),
        )
    },
}


@pytest.mark.parametrize("name", READ)
def test_what_is_right_is_read(cases, name):
    dataset = load(str(cases / name))
    assert (len(dataset.train), len(dataset.test), dataset.class_names) == READ[name]
    assert dataset.image_shape == (28, 28, 1)
    # Not blank, nor cut off at white: pictures.
    deviations = dataset.train.pixels.reshape(len(dataset.train), -1).std(axis=1)
    assert deviations.min() > 30
    assert (dataset.train.pixels == 255).mean() < 0.01


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("dummy_test_folder", r"a class that train lacks \('images'\)"),
        ("case_of_test_classes", "'Hor', which differs from 'hor' in capitals alone"),
        ("words_of_other_case", "'Cat', which differs from 'cat' in capitals alone"),
        ("odd_folder_names", "hold the same classes"),
    ],
)
def test_what_would_mislead_is_refused(cases, name, complaint):
    with pytest.raises(DseError, match=complaint):
        load(str(cases / name))


def test_turned_pictures_are_upright(cases):
    dataset = load(str(cases / "turned_by_exif"))
    files = sorted((cases / "turned_by_exif" / "train").rglob("*.jpg"), key=str)
    assert dataset.contents.turned == 80
    for file, pixels in zip(files, dataset.train.pixels, strict=True):
        with Image.open(file) as image:
            upright = np.asarray(ImageOps.exif_transpose(image))
        np.testing.assert_array_equal(pixels[..., 0], upright)


def test_sixteen_bits_keep_their_pictures(cases):
    dataset = load(str(cases / "sixteen_bits"))
    file = min((cases / "sixteen_bits" / "train" / "hor").iterdir(), key=str)
    with Image.open(file) as image:
        stored = np.asarray(image)
    np.testing.assert_array_equal(dataset.train.pixels[0, :, :, 0], stored // 257)
