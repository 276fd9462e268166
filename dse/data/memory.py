"""Decode a small set into arrays of one image size."""

import os
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import blake2b
from io import BytesIO
from itertools import islice
from typing import Any

import numpy as np
from jaxtyping import UInt8

from dse.data.contents import (
    Contents,
    PartContents,
    pixels_as_before,
    seen_in,
)
from dse.data.dataset import Images, split_off
from dse.data.names import PartName
from dse.data.pixels import decode, look, pixels_of
from dse.data.source import PARTS, Record, Source
from dse.data.traits import Traits
from dse.errors import DseError

TEST_SHARE = 1 / 6
"""Share held out for test from a set without a test part."""

MOST_BYTES = 2**32
"""Most bytes of pixels in memory."""
MOST_SIDE = 1024
"""Longest side of an image in memory, in pixels."""
AT_ONCE = 64
"""Number of images that a thread decodes in one batch."""

Watch = Callable[[int, int], None]
"""Callback with the numbers of images done and of all images."""


@dataclass(frozen=True)
class Decoded:
    """A decoded set in memory.

    Attributes:
        train: ends with the set's own validation part.
        test: the set's own test part, or held out.
        validating: number of images in that validation part.
        contents: summary of what was read.
        as_before: True if the first version of decoding gave the same pixels.
    """

    train: Images
    test: Images
    validating: int
    contents: Contents
    as_before: bool


def decode_source(source: Source, watch: Watch = lambda done, of: None) -> Decoded:
    """Decode all images of a set.

    Raises:
        DseError: an image cannot be decoded, they differ in size or are too large, the
            set changed meanwhile, or another part holds all test images.
    """
    arrays: deque[np.ndarray] = deque()
    traits: list[Traits] = []
    images = sum(len(part.records) for part in source.parts.values())
    for part in source.parts.values():
        before = len(arrays)
        for pixels, trait in _all_decoded(part.records, source.called):
            traits.append(trait)
            arrays.append(pixels)
            if pixels.shape[:2] != arrays[0].shape[:2]:
                _refuse_sizes(source)
            if len(arrays) % AT_ONCE == 1:
                _refuse_large(source, pixels, images)
                watch(len(arrays), images)
        if len(arrays) - before != len(part.labels):
            raise DseError(f"dataset {source.called} changed while it was read")
    watch(images, images)
    channels = 3 if any(pixels.ndim == 3 for pixels in arrays) else 1
    shape = (*arrays[0].shape[:2], channels)
    decoded: dict[PartName, Images] = {}
    for name, part in source.parts.items():
        stack = np.empty((len(part.labels), *shape), np.uint8)
        for row in range(len(stack)):
            pixels = arrays.popleft()
            stack[row] = pixels if pixels.ndim == 3 else pixels[..., None]
        decoded[name] = Images(stack, part.labels)
    return _parted(source, decoded, traits, channels)


def _all_decoded(
    records: Iterable[Record], called: str
) -> Iterator[tuple[UInt8[np.ndarray, "h w *c"], Traits]]:
    """Decode all images in order, in threads that work a little ahead."""
    threads = min(8, os.cpu_count() or 1)
    ahead: deque[Future[list[tuple[np.ndarray, Traits]]]] = deque()
    waiting = iter(records)
    with ThreadPoolExecutor(threads, "decode") as pool:
        while True:
            while len(ahead) < 2 * threads:
                batch = list(islice(waiting, AT_ONCE))
                if not batch:
                    break
                ahead.append(pool.submit(_decode_all, batch, called))
            if not ahead:
                return
            yield from ahead.popleft().result()


def _decode_all(
    records: Sequence[Record], called: str
) -> list[tuple[np.ndarray, Traits]]:
    decoded = []
    for content, place, extension in records:
        image, traits = decode(content, f"dataset {called}: {place}", extension)
        if max(image.size) > MOST_SIDE:
            width, height = image.size
            raise DseError(
                f"dataset {called}: {place} is {width}x{height}; expected at most "
                f"{MOST_SIDE} pixels a side in memory: bring the images to a smaller "
                "size, or stream them with --preset imagenet"
            )
        decoded.append((pixels_of(image), traits))
    return decoded


def _refuse_sizes(source: Source) -> None:
    """Raise an error that lists the sizes in the headers of all images."""
    sizes: Counter[tuple[int, int]] = Counter()
    for part in source.parts.values():
        for content, place, extension in part.records:
            called = f"dataset {source.called}: {place}"
            sizes[look(BytesIO(content), called, extension).size] += 1
    counted = ", ".join(f"{n} of {w}x{h}" for (w, h), n in sizes.most_common(3))
    raise DseError(
        f"dataset {source.called} has images of {len(sizes)} sizes ({counted}); "
        "expected one size: resize or crop them first, or stream them with --preset "
        "imagenet"
    )


def _refuse_large(source: Source, pixels: np.ndarray, images: int) -> None:
    if images * pixels.size > MOST_BYTES:
        height, width = pixels.shape[:2]
        raise DseError(
            f"dataset {source.called} has {images:,} images of {width}x{height}: more "
            f"than {MOST_BYTES // 2**30} GiB of pixels; take fewer or smaller images, "
            "or stream them with --preset imagenet"
        )


def _parted(
    source: Source,
    decoded: dict[PartName, Images],
    traits: Sequence[Traits],
    channels: int,
) -> Decoded:
    """Make the parts as they are trained on, and the summary."""
    train = decoded["train"]
    tested = "its own part"
    if "test" not in decoded:
        split = split_off(train.labels, TEST_SHARE, (0,))
        decoded = {
            **decoded,
            "train": Images(train.pixels[split.train], train.labels[split.train]),
            "test": Images(
                train.pixels[split.validation], train.labels[split.validation]
            ),
        }
        tested = "a sixth of each class of train, held out"
    own = decoded.get("validation")
    parts = {
        p: PartContents.of(x.labels, source.class_names) for p, x in decoded.items()
    }
    contents = Contents(
        {p: parts[p] for p in PARTS if p in parts},
        "a tenth of each class of train" if own is None else "its own part",
        tested,
        channels=channels,
        blank=sum(_is_blank(x) for part in decoded.values() for x in part.pixels),
        **_doubles(decoded, source.called),
        **seen_in(traits),
    )
    train, validating = decoded["train"], 0
    if own is not None:
        validating = len(own)
        train = Images(
            np.concatenate([train.pixels, own.pixels]),
            np.concatenate([train.labels, own.labels]),
        )
    as_before = pixels_as_before(traits, channels)
    return Decoded(train, decoded["test"], validating, contents, as_before)


def _is_blank(pixels: UInt8[np.ndarray, "h w c"]) -> bool:
    return bool((pixels == pixels[0, 0]).all())


def _doubles(decoded: dict[PartName, Images], called: str) -> dict[str, Any]:
    """Compute the fields of `Contents` on images with the same pixels.

    Raises:
        DseError: all test images are also in train, or also in validation.
    """
    digests = {part: list(map(_digest, x.pixels)) for part, x in decoded.items()}
    labels: dict[bytes, set[int]] = {}
    for digest, label in zip(
        digests["train"], decoded["train"].labels.tolist(), strict=True
    ):
        labels.setdefault(digest, set()).add(label)
    doubles = {
        part: sum(digest in labels for digest in found)
        for part, found in digests.items()
        if part != "train"
    }
    tested = doubles.get("test", 0)
    if tested and tested == len(digests["test"]):
        raise DseError(
            f"dataset {called}: all of its {tested:,} test images are in train, too, "
            "pixel by pixel, so a test would say nothing; bring images of their own"
        )
    if "validation" in digests:
        known = set(digests["validation"])
        again = sum(digest in known for digest in digests["test"])
        if again and again == len(digests["test"]):
            raise DseError(
                f"dataset {called}: all of its test images are in its validation part, "
                "too; bring images of their own for one of them"
            )
        doubles["test"] += sum(
            digest in known and digest not in labels for digest in digests["test"]
        )
    contrary = sum(len(labels[digest]) > 1 for digest in digests["train"])
    return {"doubles": {p: n for p, n in doubles.items() if n}, "contrary": contrary}


def _digest(pixels: UInt8[np.ndarray, "h w c"]) -> bytes:
    return blake2b(pixels.tobytes(), digest_size=16).digest()
