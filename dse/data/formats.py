"""The formats of image files that are read, and how a file is opened as one of them."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from io import BufferedIOBase
from pathlib import Path
from typing import IO, cast

from PIL import Image, UnidentifiedImageError

from dse.data.foreign import refused
from dse.errors import DseError

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
"""Pillow's names of the formats that are read, with their files' extensions."""

FORMAT_OF = {ext: kind for kind, exts in EXTENSIONS.items() for ext in exts.split()}

WITHOUT_MAGIC = ("TGA", "PCX")
"""Formats without a signature: only a file's extension tells them."""

BY_CONTENT = (*(x for x in EXTENSIONS if x not in WITHOUT_MAGIC), "DIB")

OTHER_FORMATS = (
    ".ai .arw .blp .cdr .cr2 .cr3 .cur .dcm .dcx .dds .djvu .dng .emf .eps .exr .fit "
    ".fits .flif .hdr .heic .heif .icns .ico .jxl .jxr .nef .nii .orf .pdf .ps .psd "
    ".raf .raw .rw2 .svg .svgz .wmf .xbm .xcf .xpm "
)
"""Extensions of formats that are not read."""


_filters = threading.Lock()


def is_image(file: Path, extension: str) -> bool | None:
    """Check that a file is an image of a known format; None for another format.

    A known extension decides; else the file's first bytes do.
    """
    if extension in FORMAT_OF:
        return True
    if f"{extension} " in OTHER_FORMATS and extension:
        return None
    try:
        with file.open("rb") as opened, opened_image(opened, "", extension):
            return True
    except (DseError, OSError):
        return False


@contextmanager
def opened_image(
    file: BufferedIOBase, place: str, extension: str
) -> Iterator[Image.Image]:
    """Open an image of a listed format; Pillow may start programs for other formats."""
    own = FORMAT_OF.get(extension, "")
    formats = (*BY_CONTENT, *((own,) if own in WITHOUT_MAGIC else ()))
    with clear_decoding(place), quiet():
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
def quiet() -> Iterator[None]:
    """Silence Pillow's warnings of large images and odd metadata.

    A filter applies to the whole process, so one thread at a time sets it.
    """
    with _filters, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def clear_decoding(place: str) -> AbstractContextManager[None]:
    """Turn any error of a decoder into a line that names the image."""
    return refused(f"{place} cannot be decoded", "remove or replace it")
