"""Decode a small image set into arrays of one size."""

import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from dse.data.dataset import Dataset, Images, split_off
from dse.data.opening import (
    TEST_SHARE,
    UNDECODABLE,
    OpenedSet,
    open_image,
    open_images,
    undecodable,
)
from dse.errors import DseError

LARGEST_BYTES = 8 * 2**30


def decode_folder(folder: Path, fingerprint: str) -> Dataset:
    """The set in `folder`.

    Raises:
        DseError: it holds no image set, or one that is not small and whole.
    """
    name, called = folder.resolve().name, str(folder)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        opened = open_images(called, name, called, cache_dir=scratch)
        return _decode(opened, name, called, fingerprint)


def decode_hub(name: str) -> Dataset:
    """The set that the hub calls `name`.

    Raises:
        DseError: it cannot be had, or is not a small and whole image set.
    """
    called = f"{name} (no such folder here, so the hub was asked)"
    opened = open_images(name, name, called)
    return _decode(opened, name.replace("/", "--"), name, opened.fingerprint)


def read_image(file: Path, channels: int) -> UInt8[np.ndarray, "h w c"]:
    """An image file's pixels, grey for one channel, else RGB.

    Raises:
        DseError: there is no such file, or it is no image.
    """
    if not file.is_file():
        raise DseError(f"there is no image file {file}")
    image = _image({"bytes": None, "path": file}, "image", "of files")
    pixels = np.asarray(image.convert("L" if channels == 1 else "RGB"))
    return pixels.reshape(*pixels.shape[:2], channels)


def _decode(opened: OpenedSet, name: str, called: str, fingerprint: str) -> Dataset:
    images = {
        part: [
            _image(record, f"{part} image {row}", called)
            for row, record in enumerate(records)
        ]
        for part, records in opened.records.items()
    }
    formats = {image.format for part in images.values() for image in part}
    encoding = "JPEG" if "JPEG" in formats else "/".join(sorted(filter(None, formats)))
    pixels = _pixels(images, called)
    decoded = {part: Images(pixels[part], opened.labels[part]) for part in pixels}
    whole = decoded["train"]
    if "test" not in decoded:
        split = split_off(whole.labels, TEST_SHARE, (0,))
        decoded = {
            "train": Images(whole.pixels[split.train], whole.labels[split.train]),
            "test": Images(
                whole.pixels[split.validation], whole.labels[split.validation]
            ),
        }
    return Dataset(
        name,
        fingerprint,
        opened.class_names,
        decoded["train"],
        decoded["test"],
        encoding,
    )


def _pixels(
    images: Mapping[str, Sequence[Image.Image]], called: str
) -> dict[str, UInt8[np.ndarray, "n h w c"]]:
    """Every part's pixels: grey if all images are, else RGB."""
    together = [image for part in images.values() for image in part]
    sizes = Counter(image.size for image in together)
    if len(sizes) > 1:
        counted = ", ".join(f"{n} of {w}x{h}" for (w, h), n in sizes.most_common(3))
        raise DseError(
            f"dataset {called} has images of {len(sizes)} sizes ({counted}); expected "
            "one size: resize or crop them first"
        )
    mode = "L" if all(image.mode in ("L", "1") for image in together) else "RGB"
    depth = 1 if mode == "L" else 3
    (width, height), count = next(iter(sizes.items()), ((1, 1), 0))
    if count * width * height * depth > LARGEST_BYTES:
        raise DseError(
            f"dataset {called} has {count:,} images of {width}x{height}: more than "
            f"{LARGEST_BYTES // 2**30} GiB of pixels; take fewer or smaller images"
        )
    return {
        part: np.stack([np.asarray(x.convert(mode)) for x in listed]).reshape(
            len(listed), height, width, depth
        )
        if listed
        else np.zeros((0, height, width, depth), np.uint8)
        for part, listed in images.items()
    }


def _image(record: dict[str, Any] | None, place: str, called: str) -> Image.Image:
    with open_image(record, place, called) as image:
        try:
            image.load()
        except UNDECODABLE as error:
            path = record["path"] if record else None
            raise undecodable(place, path, called) from error
    return image
