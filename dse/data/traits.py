"""Traits of an image: size, kind of pixels, orientation, transparency."""

import struct
from dataclasses import dataclass
from io import BufferedIOBase

from PIL import ExifTags, Image

from dse.data.formats import clear_decoding, quiet
from dse.errors import DseError

GREY = ("1", "L")
COLOUR = ("RGB", "RGBX", "P", "CMYK", "YCbCr")
TRANSLUCENT = {"LA": "LA", "La": "LA", "PA": "RGBA", "RGBA": "RGBA", "RGBa": "RGBA"}
SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N")
ODD = (";16", "L;2", "L;4")
"""Parts of Pillow's names of pixels whose transparent value it compares unscaled."""
UPRIGHT, SIDEWAYS = 1, range(5, 9)
"""Values of EXIF's orientation: none, and those that swap width and height."""
PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
ORIENTATION_TEXTS = ("XML:com.adobe.xmp", "Raw profile type exif")
"""Keywords of PNG text chunks that may hold the orientation."""
TEXT_CHUNKS = (b"tEXt", b"zTXt", b"iTXt")
BITS_OF_TIFF = 258
"""TIFF's tag for bits per sample."""


@dataclass(frozen=True)
class Traits:
    """Properties of an image before it was decoded.

    Attributes:
        size: width and height, upright.
        mode: Pillow's name of its kind of pixels.
        kind: Pillow's name of its format.
        turned: True if an orientation tag moved its pixels.
        translucent: True if it was laid on the background.
        several: True if the file holds more pictures.
        largest: largest value of a 16-bit image; 0 for others.
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
        """True if version 1 of the decoder gave the same RGB pixels."""
        known = self.mode in GREY or self.mode in COLOUR or self.mode in TRANSLUCENT
        return known and not (self.turned or self.translucent)


def traits_by_header(image: Image.Image, place: str) -> Traits:
    """Read the traits that a header shows.

    Raises:
        DseError: its kind of pixels has no scale to 0..255.
    """
    with clear_decoding(place), quiet():
        # Pillow would decode a whole PNG to look for an orientation after the pixels.
        holders = {"exif", *ORIENTATION_TEXTS}
        early = image.format != "PNG" or bool(holders & set(image.info))
        orientation = orientation_of(image) if early else UPRIGHT
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


def orientation_of(image: Image.Image) -> int:
    """The EXIF orientation from 2 to 8, else `UPRIGHT`."""
    tag = image.getexif().get(ExifTags.Base.Orientation)
    return int(tag or 0) if tag in range(2, 9) else UPRIGHT


def _no_scale(place: str, kind: str) -> DseError:
    return DseError(
        f"{place} has pixels of kind {kind}, which have no scale to 0..255 here; "
        "expected 8 bits, or grey of 16: convert it"
    )


def tells_late(file: BufferedIOBase) -> bool:
    """True if a PNG may store its orientation after its pixels."""
    names = tuple(f"{name}\0".encode() for name in ORIENTATION_TEXTS)
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
