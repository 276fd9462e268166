"""From the bytes of an image to pixels, the same way in training and in prediction.

| stored image | pixels |
|---|---|
| 1 bit, 8-bit grey | unchanged, one channel |
| 8-bit colour, palette, CMYK, YCbCr | RGB, as Pillow converts it |
| 16-bit grey | value // 257: 0 to 65,535 becomes 0 to 255 |
| 16-bit colour, or grey with transparency | the upper 8 bits, as Pillow reads them |
| with transparency | laid on white |
| 32-bit BMP | its 4th byte is transparency if the header says so, else ignored |
| turned or mirrored by an EXIF orientation | turned as the tag says |
| several pictures (animation, pages) | the first |
| 32-bit or floating-point grey, LAB, HSV, 12-bit | refused by name |

A set is grey if all of its images are, else RGB. Colour profiles are not applied.
"""

import math
import threading
from contextlib import nullcontext
from dataclasses import replace
from io import BufferedIOBase, BytesIO
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps

from dse.data.formats import clear_decoding, opened_image
from dse.data.names import as_text
from dse.data.traits import (
    GREY,
    SIXTEEN_BITS,
    UPRIGHT,
    Traits,
    orientation_of,
    tells_late,
    traits_by_header,
)
from dse.data.walk import read_regular
from dse.errors import DseError

DECODING_VERSION = 2
"""Version of the decoder: raise it by hand if any image gets other pixels. Version 1
ignored orientation and transparency, and clipped 16 bits at 255."""

BACKGROUND = 255
"""Value behind transparent pixels: white."""

MOST_FILE_BYTES = 2**28
MOST_PIXELS = 2**26
"""Largest image, 8,192 x 8,192. A JPEG that is decoded smaller counts as decoded."""
LARGE_PIXELS = 2**24
"""Size above which a process decodes one image at a time, to limit its memory."""

HEADER_BYTES = 2**15
"""Bytes that are read at once before Pillow reads a header."""
REDUCED = 257
"""Divisor from 16 bits to 8: 65,535 over 255."""

_one_large_image = threading.Lock()


def decode(
    content: bytes, place: str, extension: str = "", side: int | None = None
) -> tuple[Image.Image, Traits]:
    """Decode an image to mode `L` or `RGB`.

    Args:
        content: a file's bytes.
        place: name of the image in messages.
        extension: extension of its file, for formats without a signature.
        side: pixels of the shorter side that suffice; a JPEG is decoded at the smallest
            scale that has as many.

    Raises:
        DseError: it is no image of a known format, it is damaged or too large, or its
            kind of pixels has no scale.
    """
    with opened_image(BytesIO(content), place, extension) as image:
        traits = traits_by_header(image, place)
        if side is not None:
            image.draft("RGB", (side, side))
        return _decoded(image, traits, place)


def look(
    file: BufferedIOBase, place: str, extension: str = "", side: int | None = None
) -> Traits:
    """Find out what an image is, from its header if that is enough.

    `decode` refuses at least the same images. An image is decoded here if it may be
    translucent, or is a PNG that may store its orientation after its pixels.

    Raises:
        DseError: as in `decode`, if the header shows it.
    """
    file.read(HEADER_BYTES)  # a slow disk does not hold up other threads
    file.seek(0)
    with opened_image(file, place, extension) as image:
        traits = traits_by_header(image, place)
        if traits.translucent or (traits.kind == "PNG" and tells_late(file)):
            return _decoded(image, traits, place)[1]
        if side is not None:
            image.draft("RGB", (side, side))
        _check_size(image, place)
        return traits


def pixels_of(image: Image.Image) -> UInt8[np.ndarray, "h w *c"]:
    """Return a decoded image's pixels; a grey one has no channel axis."""
    return np.asarray(image)


def square(image: Image.Image, side: int) -> UInt8[np.ndarray, "side side 3"]:
    """Convert a decoded image to RGB and resize it to a square, whatever its shape.

    The paper's authors prepare their images this way.
    """
    sides = (side, side)
    return np.asarray(image.convert("RGB").resize(sides, Image.Resampling.BILINEAR))


def read_image(file: Path, side: int | None = None) -> tuple[Image.Image, Traits]:
    """Decode the image in a file; see `decode`.

    Raises:
        DseError: there is no such file, or its content cannot be decoded.
    """
    called = as_text(file)
    if not file.exists():
        raise DseError(f"there is no image file {called}")
    content = read_regular(file, MOST_FILE_BYTES)
    return decode(content, f"image {called}", file.suffix.lower(), side)


def _check_size(image: Image.Image, place: str) -> None:
    width, height = image.size
    if not 0 < width * height <= MOST_PIXELS:
        raise DseError(
            f"{place} is {width}x{height}; expected at most {MOST_PIXELS:,} pixels: "
            "make it smaller"
        )


def _decoded(
    image: Image.Image, traits: Traits, place: str
) -> tuple[Image.Image, Traits]:
    _check_size(image, place)
    large = math.prod(image.size) > LARGE_PIXELS
    with _one_large_image if large else nullcontext(), clear_decoding(place):
        image.load()
        upright = image
        # Pillow turns a TIFF when it loads it.
        if orientation_of(image) != UPRIGHT:
            upright = ImageOps.exif_transpose(image)
            traits = replace(traits, turned=True, size=upright.size)
        if traits.mode in SIXTEEN_BITS:
            values = np.asarray(upright)
            reduced = Image.fromarray((values // REDUCED).astype(np.uint8))
            return reduced, replace(traits, largest=int(values.max()))
        if traits.translucent:
            return _on_background(upright, traits)
        mode = "L" if upright.mode in GREY else "RGB"
        return upright if upright.mode == mode else upright.convert(mode), traits


def _on_background(image: Image.Image, traits: Traits) -> tuple[Image.Image, Traits]:
    """Blend with the background: c·α + background·(1 - α), rounded, with α of 255."""
    layers = "LA" if image.mode in ("1", "L", "LA", "La") else "RGBA"
    values = np.asarray(image.convert(layers)).astype(np.uint32)
    colours, alpha = values[..., :-1], values[..., -1:]
    laid = (colours * alpha + BACKGROUND * (255 - alpha) + 127) // 255
    flat = laid.astype(np.uint8)
    image = Image.fromarray(flat[..., 0] if layers == "LA" else flat)
    return image, replace(traits, translucent=bool((alpha < 255).any()))
