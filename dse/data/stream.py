"""A large image set: decoded as it is asked for, never held whole.

Grain decodes images in parallel, in the caller's order, so a training's position is the
number of its step. Images in folders stay where they are; of Parquet files, which
cannot be read at random, a copy as large is made in the cache folder when they are
first opened.
"""

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from jaxtyping import Int, UInt8

from dse.arch.graph import Shape
from dse.data import pixelcache
from dse.data.atrandom import Joined, records_at_random
from dse.data.before import known
from dse.data.contents import (
    Contents,
    PartContents,
    grouped,
    pixels_as_before,
    seen_in,
)
from dse.data.dataset import split_off
from dse.data.identity import Identity, files_of, identify, size
from dse.data.layout import Named
from dse.data.load import folder_of
from dse.data.memory import TEST_SHARE, Watch
from dse.data.names import PartName, as_text
from dse.data.pixels import (
    DECODING_VERSION,
    Traits,
    decode,
    look,
    read_image,
    square,
)
from dse.data.source import PARTS, Record, Source, open_source
from dse.errors import DseError

if TYPE_CHECKING:
    from dse.data.hub import HubNames

DECODING_THREADS = 16
DECODED_AHEAD = 1024
"""Images."""
LOOKED_AT_ONCE = 256
"""Headers that a thread reads in one go."""


@dataclass(frozen=True)
class StreamedPart:
    """Some images of a set, each in one of its own parts.

    Attributes:
        rows: positions among all images of the set, its parts one after the other.
        labels: of those.
    """

    rows: Int[np.ndarray, " n"]
    labels: Int[np.ndarray, " n"]

    def __len__(self) -> int:
        return len(self.rows)

    def chosen(self, positions: Int[np.ndarray, " n"]) -> "StreamedPart":
        """Some of these images."""
        return StreamedPart(self.rows[positions], self.labels[positions])

    def and_then(self, other: "StreamedPart") -> "StreamedPart":
        """These images, then those of another part."""
        return StreamedPart(
            np.concatenate([self.rows, other.rows]),
            np.concatenate([self.labels, other.labels]),
        )


@dataclass(frozen=True)
class StreamedDataset:
    """A train and a test part over the same classes; its pixels stay in their files.

    Attributes:
        name: short name for folders and captions.
        source: the folder or hub id.
        named: what a person named where guessing would be needed.
        fingerprint: identity of the files, by name and size.
        class_names: one name per label.
        train: what to train and validate on.
        test: the part scored once, at the end of a run.
        side: of the square that images are brought to.
        crop: side of what a network sees of it.
        own_validation: see `dse.data.dataset.ImageData`, as what follows.
        contents: what was read; of pixels only what headers tell.
        formerly: other fingerprints of the same images.
        misread: the fingerprint of a set that was read otherwise.
        key: of all that decides what is read; a set in which it changes is another.
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
    encoding: ClassVar[str] = ""
    validation_share: ClassVar[float] = 0.01

    key: str = ""

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
        records = _records(self.source, self.named, self.key)

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
    """An image as RGB, brought to a square of `side` pixels whatever its shape.

    A JPEG is decoded at the least scale that has as many pixels.

    Raises:
        DseError: it cannot be decoded.
    """
    content, place, extension = record
    image, _ = decode(content, f"dataset {called}: {place}", extension, side)
    return square(image, side)


def read_square(file: Path, side: int) -> UInt8[np.ndarray, "side side 3"]:
    """An image file as training sees it before the crop.

    Raises:
        DseError: there is no such file, or it is no image.
    """
    return square(read_image(file, side)[0], side)


def stream(
    name: str,
    side: int,
    crop: int,
    named: Named | None = None,
    watch: Watch = lambda done, of: None,
) -> StreamedDataset:
    """The set in a folder (Parquet, or images in one folder per class) or on the hub.

    Args:
        name: the folder or hub id.
        side: of the square that images are brought to.
        crop: side of what a network sees of it.
        named: what a person named where guessing would be needed.
        watch: hears how many headers are read, of how many.

    Raises:
        DseError: it cannot be had, holds no images with labels, or some that cannot be
            decoded, as far as their headers tell.
    """
    folder = folder_of(name)
    place = name if folder is None else os.fspath(folder.resolve())
    named = named or Named()
    opened = _open(place, named)
    source, identity = opened.source, opened.identity
    seen, before = _headers(opened, side, watch)
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
    )


@dataclass(frozen=True)
class _Opened:
    source: Source
    identity: Identity
    records: Joined
    names: "HubNames | None" = None


@lru_cache(maxsize=1)
def _records(place: str, named: Named, key: str) -> Joined:
    """A set's images, opened once a process.

    Raises:
        DseError: it is not what it was when the command began.
    """
    opened = _open(place, named)
    if opened.identity.key != key:
        raise DseError(
            f"dataset {place} is not what it was when the command began; leave its "
            "files alone, then repeat the command"
        )
    return opened.records


def _open(place: str, named: Named) -> _Opened:
    folder = folder_of(place)
    if folder is None:
        from dse.data.hub import hub_source

        source, names = hub_source(place, named)
        return _Opened(
            source, Identity(names.now), records_at_random(source, ""), names
        )
    source = open_source(folder, as_text(place), named)
    identity = identify(source, TEST_SHARE, size)
    return _Opened(
        source, identity, records_at_random(source, _moment(source, identity))
    )


def _moment(source: Source, identity: Identity) -> str:
    """What changes when a file does, also where its size stays."""
    digest = hashlib.sha256(identity.key.encode())
    for file in files_of(source):
        digest.update(f" {(source.folder / file.place).stat().st_mtime_ns}".encode())
    return digest.hexdigest()


def _parts(source: Source) -> dict[PartName, StreamedPart]:
    parts, first = dict[PartName, StreamedPart](), 0
    for part, own in source.parts.items():
        parts[part] = StreamedPart(first + np.arange(len(own.labels)), own.labels)
        first += len(own.labels)
    return parts


def _headers(opened: _Opened, side: int, watch: Watch) -> tuple[dict[str, Any], bool]:
    """What all headers tell, and whether version 1 made the same pixels of them.

    It is kept in the cache folder until a file changes.
    """
    source, records = opened.source, opened.records
    key = f"headers-{DECODING_VERSION}-{side}-{_moment(source, opened.identity)}"
    kept = pixelcache.read(key)
    if kept is None:
        traits = _looked_at(records, source.called, side, watch)
        told = {"seen": seen_in(traits), "as_before": pixels_as_before(traits)}
        kept = pixelcache.Kept({}, told)
        pixelcache.write(key, kept)
    seen = kept.told["seen"]
    return {**seen, "sixteen_bits": tuple(seen["sixteen_bits"])}, kept.told["as_before"]


def _looked_at(records: Joined, called: str, side: int, watch: Watch) -> list[Traits]:
    def look_at(first: int) -> list[Traits]:
        last = min(first + LOOKED_AT_ONCE, len(records))
        return [_look(records, index, called, side) for index in range(first, last)]

    traits: list[Traits] = []
    with ThreadPoolExecutor(DECODING_THREADS, "headers") as pool:
        for some in pool.map(look_at, range(0, len(records), LOOKED_AT_ONCE)):
            traits += some
            watch(len(traits), len(records))
    return traits


def _look(records: Joined, index: int, called: str, side: int) -> Traits:
    with records.opened(index) as (file, place, extension):
        return look(file, f"dataset {called}: {place}", extension, side)
