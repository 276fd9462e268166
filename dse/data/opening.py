"""Image sets as Hugging Face `datasets` opens them: parts, columns, labels, classes."""

import hashlib
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import numpy as np
from datasets.exceptions import DatasetGenerationError
from jaxtyping import Int
from PIL import Image, UnidentifiedImageError

from dse.data.dataset import check_labels
from dse.errors import DseError

TEST_SHARE = 1 / 6
"""Held out of a set that has no test part of its own."""

TEST_NAMES = ("test", "validation", "valid", "val")
LABEL_NAMES = ("label", "fine_label", "labels", "class")
MOST_CLASSES = 100_000

CANNOT_OPEN = (
    OSError,
    ValueError,
    DatasetGenerationError,
    datasets.exceptions.DatasetNotFoundError,
)


@dataclass(frozen=True)
class OpenedSet:
    """A set's parts, `train` and where it has one `test`, with nothing decoded.

    Attributes:
        records: by part, one mapping of `bytes` and `path` a row.
        labels: by part, whole numbers from 0.
        class_names: one name per label.
        fingerprint: the library's own identity of the content.
    """

    records: Mapping[str, Any]
    labels: Mapping[str, Int[np.ndarray, " n"]]
    class_names: tuple[str, ...]
    fingerprint: str


def open_images(source: str, name: str, called: str, **options: Any) -> OpenedSet:
    """Open the set at `source`, a folder or a hub id.

    Args:
        source: what `datasets.load_dataset` takes.
        name: short name for messages about labels.
        called: what messages call the set.
        options: more of what `datasets.load_dataset` takes.

    Raises:
        DseError: it cannot be had, holds no images with labels, or has odd labels.
    """
    opened = _open(source, called, **options)
    first = "train" if "train" in opened else next(iter(opened))
    image_column, label_column = _columns(opened[first].features, called)
    raw = opened[first][label_column]
    class_names = _class_names(opened[first].features[label_column], raw)
    splits, labels = {"train": first}, {"train": _labels(raw, class_names)}
    for split in TEST_NAMES:
        if split not in opened or split == first:
            continue
        tested = _labels(opened[split][label_column], class_names)
        if (tested >= 0).any():  # a benchmark's own test part may keep its labels back
            splits["test"], labels["test"] = split, tested
            break
    for part, listed in labels.items():
        check_labels(listed, part, name, len(class_names))
    undecoded = datasets.Image(decode=False)
    records = {
        part: opened[split].cast_column(image_column, undecoded)[image_column]
        for part, split in splits.items()
    }
    content = "".join(opened[split]._fingerprint for split in splits.values())
    return OpenedSet(
        records, labels, class_names, hashlib.sha256(content.encode()).hexdigest()[:16]
    )


def open_image(record: dict[str, Any] | None, place: str, called: str) -> Image.Image:
    """The image in a row's `bytes` or at its `path`, not yet decoded.

    Raises:
        DseError: there is none.
    """
    content, path = (record["bytes"], record["path"]) if record else (None, "")
    try:
        return Image.open(io.BytesIO(content) if content is not None else Path(path))
    except UNDECODABLE as error:
        raise undecodable(place, path, called) from error


UNDECODABLE = (UnidentifiedImageError, OSError, SyntaxError, TypeError)
"""What Pillow raises of what is no image."""


def undecodable(place: str, path: object, called: str) -> DseError:
    """What to say of an image that cannot be decoded."""
    return DseError(
        f"dataset {called}: {place}{f' ({path})' if path else ''} cannot be decoded; "
        "remove or replace it"
    )


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


def _labels(raw: Iterable[Any], class_names: Sequence[str]) -> Int[np.ndarray, " n"]:
    """Whole numbers; -1 for what the class list does not hold."""
    encode = {label: i for i, label in enumerate(class_names)}
    encoded = [
        encode.get(label, -1) if isinstance(label, str) else label for label in raw
    ]
    return np.array([-1 if x is None else x for x in encoded], np.int32)
