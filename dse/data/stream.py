"""A large image set: decoded as it is asked for, never held whole.

Hugging Face `datasets` finds the images at random, Grain decodes them in parallel. The
order is the caller's, so a training's position is the number of its step. Images in
folders stay where they are; of Parquet files, which cannot be read at random, a copy as
large is made in the cache folder when they are first opened.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Int, UInt8
from PIL import Image

from dse.arch.graph import Shape
from dse.data.cache import cache_folder
from dse.data.dataset import split_off
from dse.data.load import files_of, folder_of
from dse.data.opening import (
    TEST_SHARE,
    UNDECODABLE,
    OpenedSet,
    open_image,
    open_images,
    undecodable,
)
from dse.errors import DseError

DECODING_THREADS = 16
DECODED_AHEAD = 1024
"""Images."""


@dataclass(frozen=True)
class StreamedPart:
    """Some rows of one of the set's own parts.

    Attributes:
        part: `train` or `test` of `dse.data.opening.OpenedSet`.
        rows: positions within it.
        labels: of those rows.
    """

    part: str
    rows: Int[np.ndarray, " n"]
    labels: Int[np.ndarray, " n"]

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True)
class StreamedDataset:
    """A train and a test part over the same classes; its pixels stay in their files.

    Attributes:
        name: short name for folders and captions.
        source: the folder or hub id.
        fingerprint: identity of the files, by name and size.
        class_names: one name per label.
        train: the part to train and validate on.
        test: the part scored once, at the end of a run.
        side: of the square that images are brought to.
        crop: side of what a network sees of it.
    """

    name: str
    source: str
    fingerprint: str
    class_names: tuple[str, ...]
    train: StreamedPart
    test: StreamedPart
    side: int
    crop: int
    encoding: ClassVar[str] = ""
    validation_share: ClassVar[float] = 0.01

    @property
    def image_shape(self) -> Shape:
        """Height, width, channels of what a network sees."""
        return self.crop, self.crop, 3

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    def batches(
        self, part: StreamedPart, positions: Int[np.ndarray, " n"], size: int
    ) -> Iterator[tuple[UInt8[np.ndarray, "b s s 3"], Int[np.ndarray, " b"]]]:
        """Images of `part` at `positions`, in that order, with their labels.

        Args:
            part: train or test.
            positions: within the part.
            size: images of a batch; the last may have fewer.

        Raises:
            DseError: an image cannot be decoded.
        """
        import grain

        # Before there are threads: two would open it at once.
        records = _opened(self.source, self.fingerprint).records[part.part]

        def read(position: np.integer[Any]) -> tuple[np.ndarray, np.int32]:
            row = int(part.rows[position])
            place = f"{part.part} image {row}"
            pixels = decode_square(records[row], self.side, place, self.name)
            return pixels, np.int32(part.labels[position])

        options = grain.ReadOptions(DECODING_THREADS, DECODED_AHEAD)
        images = grain.MapDataset.source(positions).map(read).to_iter_dataset(options)
        yield from images.batch(size)


def decode_square(
    record: dict[str, Any], side: int, place: str, called: str
) -> UInt8[np.ndarray, "side side 3"]:
    """An image as RGB, brought to a square of `side` pixels whatever its shape.

    So the paper's authors prepare theirs. A JPEG is decoded at the least scale that
    has as many pixels.

    Raises:
        DseError: it cannot be decoded.
    """
    with open_image(record, place, called) as image:
        try:
            image.draft("RGB", (side, side))
            colours = image.convert("RGB")
        except UNDECODABLE as error:
            raise undecodable(place, record["path"], called) from error
    return np.asarray(colours.resize((side, side), Image.Resampling.BILINEAR))


def read_square(file: Path, side: int) -> UInt8[np.ndarray, "side side 3"]:
    """An image file as training sees it before the crop.

    Raises:
        DseError: there is no such file, or it is no image.
    """
    if not file.is_file():
        raise DseError(f"there is no image file {file}")
    record = {"bytes": None, "path": file}
    return decode_square(record, side, "image", "of files")


def stream(source: str, side: int, crop: int) -> StreamedDataset:
    """The set in a folder (Parquet, or images in one folder per class) or on the hub.

    Args:
        source: the folder or hub id.
        side: of the square that images are brought to.
        crop: side of what a network sees of it.

    Raises:
        DseError: it cannot be had, holds no images with labels, or has odd labels.
    """
    folder = folder_of(source)
    source = source if folder is None else str(folder.resolve())
    fingerprint = "" if folder is None else _fingerprint(folder)
    opened = _opened(source, fingerprint)
    labels = opened.labels["train"]
    if "test" in opened.labels:
        rows, held_out = np.arange(len(labels)), np.arange(len(opened.labels["test"]))
        test = StreamedPart("test", held_out, opened.labels["test"])
    else:
        split = split_off(labels, TEST_SHARE, (0,))
        rows = split.train
        test = StreamedPart("train", split.validation, labels[split.validation])
    return StreamedDataset(
        _short_name(source),
        source,
        fingerprint or opened.fingerprint,
        opened.class_names,
        StreamedPart("train", rows, labels[rows]),
        test,
        side,
        crop,
    )


@lru_cache(maxsize=1)
def _opened(source: str, fingerprint: str) -> OpenedSet:
    """Opened once a process while its files stay; `datasets` maps them into memory."""
    folder = str(cache_folder("arrow"))
    return open_images(source, _short_name(source), source, cache_dir=folder)


def _short_name(source: str) -> str:
    folder = Path(source)
    return folder.name if folder.is_dir() else source.replace("/", "--")


def _fingerprint(folder: Path) -> str:
    """Sixteen hexadecimal digits over the files' names and sizes."""
    told = [
        f"{file.relative_to(folder).as_posix()}:{file.stat().st_size}"
        for file in files_of(folder)
    ]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]
