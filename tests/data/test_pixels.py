"""Every kind of pixels in every format that can hold it, against stated references."""

from io import BytesIO
from zlib import crc32

import numpy as np
import pytest
from PIL import Image

from dse.data import pixels as module
from dse.data.pixels import decode, look, pixels_of, read_image, square
from dse.errors import DseError

HEIGHT, WIDTH = 24, 40
SAVED = {
    "PNG": ("png", {}),
    "JPEG": ("jpg", {"quality": 95}),
    "WEBP": ("webp", {"lossless": True}),
    "GIF": ("gif", {}),
    "BMP": ("bmp", {}),
    "TIFF": ("tif", {}),
    "AVIF": ("avif", {"quality": 100, "subsampling": "4:4:4"}),
    "JPEG2000": ("jp2", {}),
}
MODES = [
    *("1", "L", "LA", "P", "P and transparency", "RGB", "RGBA", "CMYK", "YCbCr"),
    *("I;16", "I;16B", "I", "F", "HSV", "LAB"),
]


def colours() -> np.ndarray:
    """An array in which every place has a colour of its own, smooth enough for JPEG."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return np.stack([10 * y, 6 * x, 128 + 2 * y], -1).astype(np.uint8)


def grey() -> np.ndarray:
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return (5 * y + 3 * x).astype(np.uint8)


def picture(mode: str) -> Image.Image:
    """An image of a mode, made without the code under test."""
    if mode == "1":
        return Image.fromarray((grey() > 100) * np.uint8(255)).convert("1")
    if mode == "L":
        return Image.fromarray(grey())
    if mode == "LA":
        return Image.fromarray(np.stack([grey(), grey()[::-1]], -1), "LA")
    if mode.startswith("P"):
        image = Image.fromarray(colours()).quantize(16)
        if mode != "P":
            image.info["transparency"] = 3
        return image
    if mode == "RGBA":
        return Image.fromarray(np.dstack([colours(), grey()]))
    if mode.startswith("I;16"):
        values = grey().astype(np.uint16) * 257
        image = Image.fromarray(values)
        return image if mode == "I;16" else image.convert("I").convert("I;16B")
    if mode == "I":
        return Image.fromarray(grey().astype(np.int32) * 1000)
    if mode == "F":
        return Image.fromarray(grey().astype(np.float32) / 255)
    if mode == "LAB":
        return Image.frombytes("LAB", (WIDTH, HEIGHT), colours().tobytes())
    return Image.fromarray(colours()).convert(mode)


def on_white(colour: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Laid on white, in floating point."""
    share = alpha[..., None].astype(float) / 255
    return np.floor(colour * share + 255 * (1 - share) + 0.5)


def reference(content: bytes) -> np.ndarray | None:
    """What the pixels are to be, by Pillow's own conversions; None for a refusal."""
    image = Image.open(BytesIO(content))
    image.load()
    if image.mode.startswith("I;16"):
        return (np.asarray(image).astype(float) // 257)[..., None]
    if image.mode in ("LA", "PA", "RGBA") or "transparency" in image.info:
        layers = np.asarray(image.convert("RGBA")).astype(int)
        flat = on_white(layers[..., :3], layers[..., 3])
        return flat[..., :1] if image.mode in ("L", "LA") else flat
    if image.mode in ("1", "L"):
        return np.asarray(image.convert("L")).astype(float)[..., None]
    if image.mode in ("RGB", "P", "CMYK", "YCbCr"):
        return np.asarray(image.convert("RGB")).astype(float)
    return None


@pytest.mark.parametrize("kind", SAVED)
@pytest.mark.parametrize("mode", MODES)
def test_every_mode_in_every_format(mode, kind):
    extension, options = SAVED[kind]
    image, file = picture(mode), BytesIO()
    try:
        image.save(file, kind, **options)
    except (OSError, ValueError, KeyError, TypeError):
        pytest.skip(f"{kind} cannot hold {mode}")
    content = file.getvalue()
    expected = reference(content)
    if expected is None:
        with pytest.raises(DseError, match=r"x has pixels of kind .*; expected 8 bits"):
            decode(content, "x", f".{extension}")
        return
    decoded, traits = decode(content, "x", f".{extension}")
    pixels = pixels_of(decoded)
    channels = 1 if pixels.ndim == 2 else 3
    assert traits.size == (WIDTH, HEIGHT)
    assert channels == expected.shape[-1]
    np.testing.assert_array_equal(pixels.reshape(expected.shape), expected)
    header = look(BytesIO(content), "x", f".{extension}")
    assert (header.mode, header.size, header.kind) == (
        traits.mode,
        traits.size,
        traits.kind,
    )


def test_transparency_is_laid_on_white():
    layers = np.zeros((1, 3, 4), np.uint8)
    layers[0] = [[200, 0, 100, 255], [200, 0, 100, 0], [200, 0, 100, 51]]
    decoded, traits = decode(encoded(Image.fromarray(layers)), "x")
    # A fifth of the colour and four fifths of white.
    expected = [[200, 0, 100], [255, 255, 255], [244, 204, 224]]
    assert pixels_of(decoded)[0].tolist() == expected
    assert traits.translucent
    layers[..., 3] = 255
    opaque, traits = decode(encoded(Image.fromarray(layers)), "x")
    assert look(BytesIO(encoded(Image.fromarray(layers))), "x") == traits
    assert not traits.translucent
    assert traits.as_before
    assert pixels_of(opaque)[0].tolist() == [[200, 0, 100]] * 3


@pytest.mark.parametrize(("maximum", "factor"), [(65_535, 257), (1_000, 1000 / 255)])
def test_a_pgm_beyond_8_bits_has_its_scale_in_its_header(maximum, factor):
    values = np.round(np.arange(0, 256, 5) * factor).astype(np.uint16)
    header = f"P5 {len(values)} 1 {maximum}\n".encode()
    content = header + values.astype(">u2").tobytes()
    decoded, traits = decode(content, "x", ".pgm")
    exact = values / maximum * 255
    assert np.abs(pixels_of(decoded)[0] - exact).max() < 1
    assert traits.mode == look(BytesIO(content), "x", ".pgm").mode == "I;16"
    assert traits.largest == 65_535


def test_no_place_in_memory_is_told():
    with pytest.raises(DseError) as refusal:
        decode(b"no image", "x", ".png")
    assert "0x" not in str(refusal.value)
    assert "no image of a format that is read; remove or" in str(refusal.value)


def test_a_png_that_tells_its_orientation_after_its_pixels():
    exif = Image.Exif()
    exif[0x0112] = 6
    early = encoded(Image.fromarray(grey()), exif=exif)
    chunk = early.index(b"eXIf") - 4
    length = int.from_bytes(early[chunk : chunk + 4], "big") + 12
    end = early.index(b"IEND") - 4
    told, rest = early[chunk : chunk + length], early[chunk + length : end]
    late = early[:chunk] + rest + told + early[end:]
    assert late != early
    for content in (early, late):
        decoded, traits = decode(content, "x")
        np.testing.assert_array_equal(pixels_of(decoded), np.rot90(grey(), -1))
        assert look(BytesIO(content), "x") == traits
        assert traits.turned
        assert traits.size == (HEIGHT, WIDTH)


def test_what_else_a_png_says_after_its_pixels_costs_no_decoding(monkeypatch):
    """As the dates that ImageMagick writes there."""
    plain = encoded(Image.fromarray(grey()))
    text = b"date:create\x002026-11-25"
    chunk = len(text).to_bytes(4, "big") + b"tEXt" + text
    chunk += crc32(chunk[4:]).to_bytes(4, "big")
    end = plain.index(b"IEND") - 4
    content = plain[:end] + chunk + plain[end:]
    _, traits = decode(content, "x")
    monkeypatch.setattr(module, "_decoded", None)
    assert look(BytesIO(content), "x") == traits


def test_16_bits_become_8():
    values = np.array([[0, 256, 257, 65_535, 32_896]], np.uint16)
    decoded, traits = decode(encoded(Image.fromarray(values)), "x")
    assert pixels_of(decoded).tolist() == [[0, 0, 1, 255, 128]]
    assert traits.largest == 65_535
    assert not traits.as_before


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_orientation_tag_turns(kind, orientation):
    # The brightest quarter of the upright picture is at the top left, where the tag
    # says that the stored picture's corner belongs.
    upright = np.full((32, 48), 40, np.uint8)
    upright[:16, :24] = 220
    moves = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: upright.T[::-1],
        7: upright.T[::-1, ::-1],
        8: upright.T[:, ::-1],
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = BytesIO()
    stored = Image.fromarray(np.ascontiguousarray(moves[orientation]))
    stored.save(file, kind, exif=exif, **SAVED[kind][1])
    decoded, traits = decode(file.getvalue(), "x")
    shown = np.asarray(decoded.convert("L")).astype(int)
    assert shown.shape == (32, 48)
    assert (abs(shown - upright) < 12).all()
    assert traits.size == (48, 32)
    # A square, too, is of the upright picture.
    corner = square(decoded, 16)[:7, :7].astype(int)
    assert (abs(corner - 220) < 12).all()


def test_of_an_animation_the_first_picture_is_taken_and_that_is_said():
    frames = [Image.new("L", (28, 28), 30 * i) for i in range(4)]
    for kind in ("GIF", "PNG", "WEBP", "TIFF"):
        file = BytesIO()
        options = {"lossless": True} if kind == "WEBP" else {}
        frames[1].save(file, kind, save_all=True, append_images=frames[2:], **options)
        decoded, traits = decode(file.getvalue(), "x")
        assert traits.several, kind
        assert (np.asarray(decoded.convert("L")) == 30).all(), kind


def test_twelve_bits_have_no_scale():
    # A TIFF says how many bits its samples have; Pillow would hand out 0 to 4,095.
    file = BytesIO()
    Image.fromarray(np.zeros((4, 4), np.uint16)).save(file, "TIFF")
    content = bytearray(file.getvalue())
    tag = content.index(b"\x02\x01\x03\x00\x01\x00\x00\x00\x10\x00")
    content[tag + 8] = 12
    with pytest.raises(DseError, match=r"x (has pixels of kind|cannot be decoded)"):
        decode(bytes(content), "x", ".tif")


def test_a_bomb_is_refused_by_its_header():
    with pytest.raises(DseError, match=r"x is 9000x9000; expected at most"):
        decode(encoded(Image.new("1", (9000, 9000))), "x")


def test_what_starts_programs_is_not_opened(tmp_path):
    for name in ("a.eps", "b.png"):
        file = tmp_path / name
        file.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 28 28\n")
        with pytest.raises(DseError, match="cannot be decoded"):
            read_image(file)


def test_a_jpeg_is_reduced_for_a_square_but_not_too_far():
    y, x = np.mgrid[:800, :1200]
    pixels = ((y // 4 + x // 6) % 256).astype(np.uint8)
    content = encoded(Image.fromarray(pixels), "JPEG", quality=95)
    decoded, _ = decode(content, "x", ".jpg", side=64)
    assert min(decoded.size) >= 64
    assert max(decoded.size) < 1200


def test_no_file(tmp_path):
    with pytest.raises(DseError, match=r"there is no image file .*none\.png"):
        read_image(tmp_path / "none.png")


def encoded(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def test_a_transparent_value_of_few_bits_is_refused():
    # Pillow scales such pixels to 0..255, and compares the value as it is stored.
    image = Image.fromarray(np.full((4, 4), 85, np.uint8))
    content = bytearray(encoded(image, bits=2))
    with pytest.raises(DseError, match="transparent value of other bits"):
        decode(with_transparent(bytes(content), 1), "x")


def with_transparent(content: bytes, value: int) -> bytes:
    """A grey PNG with a chunk that calls a value transparent."""
    chunk = b"tRNS" + value.to_bytes(2, "big")
    framed = (2).to_bytes(4, "big") + chunk + crc32(chunk).to_bytes(4, "big")
    at = content.index(b"IDAT") - 4
    return content[:at] + framed + content[at:]
