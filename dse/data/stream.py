"""A large image set that is decoded on access and never held whole in memory.

Grain decodes images in parallel, in the caller's order, so a training's position is the
number of its step. Images in folders stay where they are. Parquet files do not allow
random access; a copy of the same size is made in the cache folder when they are first
opened.
"""

import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Int, UInt8

from dse.arch.layer import Shape
from dse.data.before import known
from dse.data.contents import (
    Contents,
    PartContents,
    grouped,
)
from dse.data.dataset import split_off
from dse.data.identity import size
from dse.data.layout import Named
from dse.data.load import folder_of
from dse.data.memory import TEST_SHARE, Watch
from dse.data.names import PartName
from dse.data.opened import headers, open_at_random, records_of
from dse.data.pixels import (
    decode,
    square,
)
from dse.data.source import PARTS, Record, Source, same_files

DECODING_THREADS = 16
DECODED_AHEAD = 1024
"""Number of images that are decoded ahead."""


@dataclass(frozen=True)
class StreamedPart:
    """Some images of a set.

    Attributes:
        rows: positions among all images of the set, its parts one after the other.
        labels: their labels.
    """

    rows: Int[np.ndarray, " n"]
    labels: Int[np.ndarray, " n"]

    def __len__(self) -> int:
        return len(self.rows)

    def chosen(self, positions: Int[np.ndarray, " n"]) -> "StreamedPart":
        """Select some of these images."""
        return StreamedPart(self.rows[positions], self.labels[positions])

    def and_then(self, other: "StreamedPart") -> "StreamedPart":
        """Append the images of another part."""
        return StreamedPart(
            np.concatenate([self.rows, other.rows]),
            np.concatenate([self.labels, other.labels]),
        )


@dataclass(frozen=True)
class StreamedDataset:
    """A train and a test part over the same classes; the pixels stay in their files.

    Attributes:
        name: short name for folders and captions.
        source: the folder or hub id.
        named: columns and folders named by the user.
        fingerprint: identity of the files, by name and size.
        class_names: one name per label.
        train: images to train and validate on.
        test: the part scored once, at the end of a run.
        side: side of the square that images are resized to.
        crop: side of the network's input, a crop of the square.
        own_validation: see `dse.data.dataset.ImageData`.
        contents: summary of what was read; of pixels only what headers tell.
        formerly: see `ImageData`.
        misread: see `ImageData`.
        key: digest of all that decides what is read; a changed set has another.
        host: the machine on which it was opened.
        moment: digest that changes there when one of its files does.
    """

    name: str
    source: str
    named: Named
    fingerprint: str
    class_names: tuple[str, ...]
    train: StreamedPart
    test: StreamedPart
    side: int
    crop: int
    own_validation: Int[np.ndarray, " v"] | None = None
    contents: Contents | None = field(default=None, repr=False)
    formerly: tuple[str, ...] = ()
    misread: str = ""
    validation_share: ClassVar[float] = 0.01

    key: str = ""
    host: str = ""
    moment: str = ""

    @property
    def image_shape(self) -> Shape:
        """Height, width and channels of the network's input."""
        return self.crop, self.crop, 3

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    def batches(
        self, part: StreamedPart, positions: Int[np.ndarray, " n"], size: int
    ) -> Iterator[tuple[UInt8[np.ndarray, "b s s 3"], Int[np.ndarray, " b"]]]:
        """Yield batches of the images of `part` at `positions`, with their labels.

        Args:
            part: train or test.
            positions: positions in the part, in the order of the images.
            size: images in a batch; the last may have fewer.

        Raises:
            DseError: an image cannot be decoded.
        """
        import grain

        # Before the threads start: two of them would open it at once.
        records = records_of(self.source, self.named, self.key, self.host, self.moment)

        def read(position: np.integer[Any]) -> tuple[np.ndarray, np.int32]:
            record = records[int(part.rows[position])]
            pixels = decode_square(record, self.side, self.name)
            return pixels, np.int32(part.labels[position])

        options = grain.ReadOptions(DECODING_THREADS, DECODED_AHEAD)
        images = grain.MapDataset.source(positions).map(read).to_iter_dataset(options)
        yield from images.batch(size)


def decode_square(
    record: Record, side: int, called: str
) -> UInt8[np.ndarray, "side side 3"]:
    """Decode an image as RGB and resize it to a square, whatever its shape.

    A JPEG is decoded at the smallest scale with at least `side` pixels a side.

    Raises:
        DseError: it cannot be decoded.
    """
    content, place, extension = record
    image, _ = decode(content, f"dataset {called}: {place}", extension, side)
    return square(image, side)


def stream(
    name: str,
    side: int,
    crop: int,
    named: Named | None = None,
    watch: Watch = lambda done, of: None,
) -> StreamedDataset:
    """Open the set in a folder (Parquet, or images in class folders) or on the hub.

    Args:
        name: the folder or hub id.
        side: side of the square that images are resized to.
        crop: side of the network's input, a crop of the square.
        named: columns and folders named by the user.
        watch: called with the numbers of headers read and of all headers.

    Raises:
        DseError: it cannot be opened, holds no images with labels, or a header shows
            that an image cannot be decoded.
    """
    folder = folder_of(name)
    place = name if folder is None else os.fspath(folder.resolve())
    named = named or Named()
    opened = open_at_random(place, named)
    source, identity = opened.source, opened.identity
    seen, before = headers(opened, side, watch)
    if opened.names is not None:
        as_known = opened.names.known(decoded_as_before=before)
    else:
        as_known = known(source, identity, size, decoded_as_before=before, joined=True)
    parts = _parts(source)
    train, tested = parts["train"], "its own part"
    if "test" not in parts:
        split = split_off(train.labels, TEST_SHARE, (0,))
        parts["train"] = train.chosen(split.train)
        parts["test"] = train.chosen(split.validation)
        tested = "a sixth of each class of train, held out"
    doubles, contrary = same_files(source)
    contents = Contents(
        {
            part: PartContents.of(parts[part].labels, source.class_names)
            for part in PARTS
            if part in parts
        },
        "its own part"
        if "validation" in parts
        else "a hundredth of each class of train",
        tested,
        channels=3,
        left_out=grouped(source.left_out),
        candidates=source.candidates,
        examined=False,
        doubles=doubles,
        contrary=contrary,
        notes=source.notes,
        **seen,
    )
    train, own = parts["train"], parts.get("validation")
    return StreamedDataset(
        source.name,
        place,
        named,
        as_known.fingerprint,
        source.class_names,
        train if own is None else train.and_then(own),
        parts["test"],
        side,
        crop,
        None if own is None else len(train) + np.arange(len(own)),
        contents,
        as_known.formerly,
        as_known.misread,
        identity.key,
        socket.gethostname(),
        opened.moment,
    )


def _parts(source: Source) -> dict[PartName, StreamedPart]:
    parts, first = dict[PartName, StreamedPart](), 0
    for part, own in source.parts.items():
        parts[part] = StreamedPart(first + np.arange(len(own.labels)), own.labels)
        first += len(own.labels)
    return parts
