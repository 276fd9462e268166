"""Decode an image set that Hugging Face `datasets` opens into arrays of one size."""

import hashlib
import io
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import datasets
import numpy as np
from datasets.exceptions import DatasetGenerationError
from jaxtyping import Int, UInt8
from PIL import Image, UnidentifiedImageError

from dse.data.dataset import Dataset, Images, check_labels, split_off
from dse.errors import DseError

TEST_SHARE = 1 / 6
"""Held out of a set that has no test part of its own."""

TEST_NAMES = ("test", "validation", "valid", "val")
LABEL_NAMES = ("label", "fine_label", "labels", "class")
LARGEST_BYTES = 8 * 2**30
MOST_CLASSES = 100_000

CANNOT_OPEN = (
    OSError,
    ValueError,
    DatasetGenerationError,
    datasets.exceptions.DatasetNotFoundError,
)


def decode_folder(folder: Path, fingerprint: str) -> Dataset:
    """The set in `folder`.

    Raises:
        DseError: it holds no image set, or one that is not small and whole.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        opened = _open(str(folder), str(folder), cache_dir=scratch)
        return _decode(opened, folder.resolve().name, str(folder), fingerprint)


def decode_hub(name: str) -> Dataset:
    """The set that the hub calls `name`.

    Raises:
        DseError: it cannot be had, or is not a small and whole image set.
    """
    opened = _open(name, f"{name} (no such folder here, so the hub was asked)")
    content = "".join(part._fingerprint for part in opened.values())
    fingerprint = hashlib.sha256(content.encode()).hexdigest()[:16]
    return _decode(opened, name.replace("/", "--"), name, fingerprint)


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


def _open(source: str, called: str, **options: Any) -> Mapping[str, datasets.Dataset]:
    datasets.disable_progress_bars()
    try:
        opened: Mapping[str, datasets.Dataset] = datasets.load_dataset(
            source, **options
        )
        return opened
    except CANNOT_OPEN as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DseError(
            f"dataset {called} could not be opened: {reason[:200]}"
        ) from error


def _decode(
    opened: Mapping[str, datasets.Dataset], name: str, called: str, fingerprint: str
) -> Dataset:
    train_name = "train" if "train" in opened else next(iter(opened))
    train = opened[train_name]
    image_column, label_column = _columns(train.features, called)
    parts = {"train": train}
    test_name = next((n for n in TEST_NAMES if n in opened and n != train_name), None)
    if test_name is not None:
        parts["test"] = opened[test_name]
    raw_labels = {part: rows[label_column] for part, rows in parts.items()}
    class_names = _class_names(train.features[label_column], raw_labels["train"])
    encode = {label: i for i, label in enumerate(class_names)}
    images = {
        part: [
            _image(record, f"{part} image {row}", called)
            for row, record in enumerate(
                rows.cast_column(image_column, datasets.Image(decode=False))[
                    image_column
                ]
            )
        ]
        for part, rows in parts.items()
    }
    pixels = _pixels(images, called)
    formats = {image.format for part in images.values() for image in part}
    encoding = "JPEG" if "JPEG" in formats else "/".join(sorted(filter(None, formats)))
    decoded = {
        part: Images(pixels[part], _labels(raw_labels[part], encode)) for part in parts
    }
    whole = decoded["train"]
    check_labels(whole, "train", name, len(class_names))
    if "test" not in decoded:
        split = split_off(whole.labels, TEST_SHARE, (0,))
        decoded = {
            "train": Images(whole.pixels[split.train], whole.labels[split.train]),
            "test": Images(
                whole.pixels[split.validation], whole.labels[split.validation]
            ),
        }
    return Dataset(
        name, fingerprint, class_names, decoded["train"], decoded["test"], encoding
    )


def _columns(features: datasets.Features, called: str) -> tuple[str, str]:
    images = [n for n, kind in features.items() if isinstance(kind, datasets.Image)]
    labels = [n for n in LABEL_NAMES if n in features]
    labels += [
        n for n, kind in features.items() if isinstance(kind, datasets.ClassLabel)
    ]
    if not images or not labels:
        raise DseError(
            f"dataset {called} has the columns {', '.join(features)}; expected an "
            "image column and a label column (or images in one folder per class)"
        )
    return images[0], labels[0]


def _class_names(kind: object, train_labels: Sequence[Any]) -> tuple[str, ...]:
    """The declared class list; else the words, or the numbers up to the largest."""
    if isinstance(kind, datasets.ClassLabel):
        return tuple(kind.names)
    present = [label for label in train_labels if label is not None]
    if present and all(isinstance(label, str) for label in present):
        return tuple(sorted(set(present)))
    odd = [x for x in present if not isinstance(x, int) or x >= MOST_CLASSES]
    if odd:
        raise DseError(
            f"label {odd[0]!r} is no class; expected words, or whole numbers from 0 "
            f"to {MOST_CLASSES - 1:,}"
        )
    return tuple(str(i) for i in range(max(present, default=-1) + 1))


def _labels(raw: Iterable[Any], encode: dict[str, int]) -> Int[np.ndarray, " n"]:
    """Whole numbers; -1 for what the class list does not hold."""
    encoded = [
        encode.get(label, -1) if isinstance(label, str) else label for label in raw
    ]
    return np.array([-1 if x is None else x for x in encoded], np.int32)


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
    content, path = (record["bytes"], record["path"]) if record else (None, "")
    try:
        source = io.BytesIO(content) if content is not None else Path(path)
        with Image.open(source) as image:
            image.load()
    except (UnidentifiedImageError, OSError, SyntaxError, TypeError) as error:
        raise DseError(
            f"dataset {called}: {place}{f' ({path})' if path else ''} cannot be "
            "decoded; remove or replace it"
        ) from error
    return image
