"""From the bytes of an image to pixels: the one way, in training and in prediction.

| what it is | what becomes of it |
|---|---|
| 1 bit, 8-bit grey | as it is, one channel |
| 8-bit colour, palette, CMYK, YCbCr | RGB, as Pillow converts it |
| 16-bit grey | value // 257: 0 to 65,535 becomes 0 to 255 |
| 16-bit colour, or grey with transparency | the upper 8 bits, as Pillow reads them |
| with transparency, as its format has it | laid on white |
| 32-bit BMP | its 4th byte is transparency where the header says so, else nothing |
| turned or mirrored by an EXIF orientation | turned as the tag says |
| several pictures (animation, pages) | the first |
| 32-bit or floating-point grey, LAB, HSV, 12-bit | refused by name |

A set is grey where all of its images are, else RGB. Colour profiles are not applied.
"""

import math
import struct
import threading
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from io import BufferedIOBase, BytesIO
from pathlib import Path
from typing import IO, cast

import numpy as np
from jaxtyping import UInt8
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from dse.data.foreign import refused
from dse.data.names import as_text
from dse.data.walk import read_regular
from dse.errors import DseError

DECODING_VERSION = 2
"""Raised by hand with any change that gives some image other pixels. Version 1 passed
over orientation and transparency and cut 16 bits off at 255."""

BACKGROUND = 255
"""What transparent images are laid on: white."""

EXTENSIONS = {
    "AVIF": ".avif .avifs",
    "BMP": ".bmp .dib",
    "GIF": ".gif",
    "JPEG": ".jpg .jpeg .jpe .jfif .mpo",
    "JPEG2000": ".jp2 .j2k .jpc .jpf .jpx .j2c",
    "PCX": ".pcx",
    "PNG": ".png .apng",
    "PPM": ".ppm .pgm .pbm .pnm .pfm",
    "QOI": ".qoi",
    "SGI": ".sgi .rgb .rgba .bw",
    "TGA": ".tga .icb .vda .vst",
    "TIFF": ".tif .tiff",
    "WEBP": ".webp",
}
"""The formats that are read, as Pillow calls them, and their files' extensions."""

FORMAT_OF = {ext: kind for kind, told in EXTENSIONS.items() for ext in told.split()}

WITHOUT_MAGIC = ("TGA", "PCX")
"""Formats that cannot be told by how a file begins; its extension has to say so."""

BY_CONTENT = (*(x for x in EXTENSIONS if x not in WITHOUT_MAGIC), "DIB")

OTHER_FORMATS = (
    ".ai .arw .blp .cdr .cr2 .cr3 .cur .dcm .dcx .dds .djvu .dng .emf .eps .exr .fit "
    ".fits .flif .hdr .heic .heif .icns .ico .jxl .jxr .nef .nii .orf .pdf .ps .psd "
    ".raf .raw .rw2 .svg .svgz .wmf .xbm .xcf .xpm "
)
"""Extensions of images, or the like, that are not read."""

MOST_FILE_BYTES = 2**28
MOST_PIXELS = 2**26
"""Of an image: 8,192 x 8,192. Reduced JPEGs count as decoded."""
LARGE_PIXELS = 2**24
"""Images beyond are decoded one at a time in a process, for the sake of its memory."""

_one_large_image = threading.Lock()
_filters = threading.Lock()

GREY = ("1", "L")
COLOUR = ("RGB", "RGBX", "P", "CMYK", "YCbCr")
TRANSLUCENT = {"LA": "LA", "La": "LA", "PA": "RGBA", "RGBA": "RGBA", "RGBa": "RGBA"}
SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N")
ODD = (";16", "L;2", "L;4")
"""In Pillow's names of stored pixels: it compares their transparent value unscaled."""
REDUCED = 257
"""65,535 over 255."""
UPRIGHT, SIDEWAYS = 1, range(5, 9)
"""Orientations in EXIF."""
HEADER_BYTES = 2**15
PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
TOLD_IN_TEXT = ("XML:com.adobe.xmp", "Raw profile type exif")
"""Names of a PNG's texts that may tell its orientation."""
TEXT_CHUNKS = (b"tEXt", b"zTXt", b"iTXt")
BITS_OF_TIFF = 258
"""The tag of a TIFF's bits a sample."""


@dataclass(frozen=True)
class Traits:
    """What an image was, before it became pixels.

    Attributes:
        size: width and height, upright.
        mode: Pillow's name of its kind of pixels.
        kind: Pillow's name of its format.
        turned: whether an orientation tag moved its pixels.
        translucent: whether transparency was laid on the background.
        several: whether the file holds further pictures.
        largest: value before 16 bits became 8; 0 for other images.
    """

    size: tuple[int, int]
    mode: str
    kind: str
    turned: bool = False
    translucent: bool = False
    several: bool = False
    largest: int = 0

    @property
    def as_before(self) -> bool:
        """Whether decoding of version 1 gave the same pixels, as RGB."""
        known = self.mode in GREY or self.mode in COLOUR or self.mode in TRANSLUCENT
        return known and not (self.turned or self.translucent)


def decode(
    content: bytes, place: str, extension: str = "", side: int | None = None
) -> tuple[Image.Image, Traits]:
    """The image in `content`, of mode `L` or `RGB`.

    Args:
        content: a file's bytes.
        place: what messages call it.
        extension: of its file's name, for formats that cannot be told by content.
        side: pixels of the shorter side that suffice; a JPEG is decoded at the least
            scale that has as many.

    Raises:
        DseError: it is no image of a format that is read, it is damaged or too large,
            or its pixels are of a kind without a scale.
    """
    with _opened(BytesIO(content), place, extension) as image:
        traits = _told_by_header(image, place)
        if side is not None:
            image.draft("RGB", (side, side))
        return _decoded(image, traits, place)


def look(
    file: BufferedIOBase, place: str, extension: str = "", side: int | None = None
) -> Traits:
    """What an image is, by its header alone where that tells it.

    What it refuses `decode` would refuse, of the same arguments. An image that may be
    translucent is decoded, and a PNG that may tell its orientation after its pixels.

    Raises:
        DseError: as `decode`, as far as the header tells.
    """
    file.read(HEADER_BYTES)  # from a slow disk while other threads go on
    file.seek(0)
    with _opened(file, place, extension) as image:
        traits = _told_by_header(image, place)
        if traits.translucent or (traits.kind == "PNG" and _tells_late(file)):
            return _decoded(image, traits, place)[1]
        if side is not None:
            image.draft("RGB", (side, side))
        _check_size(image, place)
        return traits


def _tells_late(file: BufferedIOBase) -> bool:
    """Whether a PNG may tell its orientation after its pixels."""
    names = tuple(f"{name}\0".encode() for name in TOLD_IN_TEXT)
    before, pixels, late = file.tell(), False, False
    end = file.seek(len(PNG_MAGIC))
    while not late and len(head := file.read(8)) == 8:
        size, kind = struct.unpack(">I4s", head)
        end += len(head) + size + 4
        pixels |= kind == b"IDAT"
        if pixels and kind in TEXT_CHUNKS:
            late = file.read(max(map(len, names))).startswith(names)
        late |= pixels and kind == b"eXIf"
        file.seek(end)
    file.seek(before)
    return late


def pixels_of(image: Image.Image) -> UInt8[np.ndarray, "h w *c"]:
    """A decoded image's pixels; without a channel axis where it is grey."""
    return np.asarray(image)


def square(image: Image.Image, side: int) -> UInt8[np.ndarray, "side side 3"]:
    """A decoded image as RGB, brought to a square whatever its shape.

    So the paper's authors prepare theirs.
    """
    sides = (side, side)
    return np.asarray(image.convert("RGB").resize(sides, Image.Resampling.BILINEAR))


def read_image(file: Path, side: int | None = None) -> tuple[Image.Image, Traits]:
    """The image in a file; see `decode`.

    Raises:
        DseError: there is no such file, or no image that can be decoded in it.
    """
    called = as_text(file)
    if not file.exists():
        raise DseError(f"there is no image file {called}")
    content = read_regular(file, MOST_FILE_BYTES)
    return decode(content, f"image {called}", file.suffix.lower(), side)


def is_image(file: Path, extension: str) -> bool | None:
    """Whether a file is an image of a format that is read; None for one of another.

    By its extension where that is known, else by how it begins.
    """
    if extension in FORMAT_OF:
        return True
    if f"{extension} " in OTHER_FORMATS and extension:
        return None
    try:
        with file.open("rb") as opened, _opened(opened, "", extension):
            return True
    except (DseError, OSError):
        return False


@contextmanager
def _opened(file: BufferedIOBase, place: str, extension: str) -> Iterator[Image.Image]:
    """Pillow's image, of an explicit list of formats: others may start programs."""
    own = FORMAT_OF.get(extension, "")
    formats = (*BY_CONTENT, *((own,) if own in WITHOUT_MAGIC else ()))
    with _clear(place), _quiet():
        try:
            image = Image.open(cast(IO[bytes], file), formats=formats)
        except UnidentifiedImageError as error:
            raise DseError(
                f"{place} cannot be decoded: it is damaged, or no image of a format "
                "that is read; remove or replace it"
            ) from error
    with image:
        yield image


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Pillow's warnings: beyond its own bound of pixels, or of odd metadata.

    A filter is the whole process's, so one thread at a time sets it.
    """
    with _filters, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _clear(place: str) -> AbstractContextManager[None]:
    return refused(f"{place} cannot be decoded", "remove or replace it")


def _told_by_header(image: Image.Image, place: str) -> Traits:
    with _clear(place), _quiet():
        # A PNG may tell it after its pixels, so Pillow would decode it for that.
        told = {"exif", *TOLD_IN_TEXT}
        early = image.format != "PNG" or bool(told & set(image.info))
        orientation = _orientation(image) if early else UPRIGHT
        several = bool(getattr(image, "is_animated", False))
        stored = [str(tile.args) for tile in getattr(image, "tile", ())]
        bits = int(getattr(image, "tag_v2", {}).get(BITS_OF_TIFF, (8,))[0])
    mode, one_is_clear = image.mode, "transparency" in image.info
    if (mode, image.format) == ("I", "PPM"):
        mode = "I;16"  # Pillow brings its greys beyond 8 bits to 0 to 65,535
    if mode not in (*GREY, *COLOUR, *TRANSLUCENT, *SIXTEEN_BITS):
        raise _no_scale(place, mode)
    if 8 < bits < 16:
        raise _no_scale(place, f"{mode} of {bits} bits")
    if one_is_clear and (
        mode == "1" or any(x in y for x in ODD for y in (mode, *stored))
    ):
        raise _no_scale(place, f"{mode} with a transparent value of other bits")
    width, height = image.size
    sideways = orientation in SIDEWAYS and image.format != "TIFF"
    return Traits(
        (height, width) if sideways else (width, height),
        mode,
        image.format or "",
        turned=orientation != UPRIGHT,
        translucent=mode in TRANSLUCENT or one_is_clear,
        several=several,
    )


def _orientation(image: Image.Image) -> int:
    """The EXIF tag, where it asks for a move."""
    told = image.getexif().get(ExifTags.Base.Orientation)
    return int(told or 0) if told in range(2, 9) else UPRIGHT


def _no_scale(place: str, kind: str) -> DseError:
    return DseError(
        f"{place} has pixels of kind {kind}, which have no scale to 0..255 here; "
        "expected 8 bits, or grey of 16: convert it"
    )


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
    with _one_large_image if large else nullcontext(), _clear(place):
        image.load()
        upright = image
        # Pillow turns a TIFF when it loads it.
        if _orientation(image) != UPRIGHT:
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
    """c·α + background·(1 - α), rounded; α of 0..255 as a share."""
    layers = "LA" if image.mode in ("1", "L", "LA", "La") else "RGBA"
    values = np.asarray(image.convert(layers)).astype(np.uint32)
    colours, alpha = values[..., :-1], values[..., -1:]
    laid = (colours * alpha + BACKGROUND * (255 - alpha) + 127) // 255
    flat = laid.astype(np.uint8)
    image = Image.fromarray(flat[..., 0] if layers == "LA" else flat)
    return image, replace(traits, translucent=bool((alpha < 255).any()))
