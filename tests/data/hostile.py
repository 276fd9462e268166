"""Read what strangers made on purpose, under watch; count what goes wrong.

    python tests/data/hostile.py FOLDER [SEED]

500 damaged or hostile images in 14 formats, 200 Parquet files, 300 damaged caches and
100 hostile folders. Every program that is started and every file that is opened outside
FOLDER is heard by an audit hook. What is read has to be what an independent reading by
Pillow gives; everything else has to be a refusal of one line.
"""

import contextlib
import json
import os
import random
import resource
import signal
import socket
import struct
import sys
import time
import warnings
import zlib
from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

PLACE, SEED = Path(sys.argv[1]).resolve(), int(sys.argv[2]) if sys.argv[2:] else 0
os.environ["DSE_CACHE"] = str(PLACE / "cache")

from dse.data import pixelcache  # noqa: E402
from dse.data.load import load  # noqa: E402
from dse.data.pixels import decode  # noqa: E402
from dse.errors import DseError  # noqa: E402

IMAGES, TABLES, CACHES, FOLDERS = 500, 200, 300, 100
MOST_SECONDS = 20
"""Of one reading."""
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 28 28\n%%EndComments\nshowpage\n"

draw = random.Random(SEED)
generator = np.random.default_rng(SEED)
found = dict.fromkeys(["programs", "outside", "wrong", "tracebacks", "hangs"], 0)
told: list[str] = []
watched = False


def listen(event: str, details: tuple) -> None:
    """Programs that are started, and files outside that are opened by Python."""
    if not watched:
        return
    if event in ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn"):
        note("programs", f"{event} {details}")
    if event == "open" and isinstance(details[0], str | bytes):
        file = os.path.realpath(os.fsdecode(details[0]))
        libraries = (sys.prefix, sys.base_prefix, str(Path(__file__).parents[2]))
        if not file.startswith((str(PLACE), *libraries)):
            note("outside", file)


def note(kind: str, what: str) -> None:
    found[kind] += 1
    told.append(f"{kind}: {what}"[:300])


def late(*_: object) -> None:
    raise TimeoutError


def attempt(what: str, read):
    """What `read` gives; None for a refusal or a fault, which is counted."""
    global watched
    signal.alarm(MOST_SECONDS)
    watched = True
    try:
        return read()
    except DseError as error:
        if len(str(error).splitlines()) != 1:
            note("tracebacks", f"{what}: several lines")
    except TimeoutError:
        note("hangs", what)
    except Exception as error:  # noqa: BLE001 - counted, which is what this is for
        note("tracebacks", f"{what}: {type(error).__name__}: {error}")
    finally:
        watched = False
        signal.alarm(0)
    return None


def picture() -> np.ndarray:
    return generator.integers(0, 256, (28, 28, 3), np.uint8)


def encoded(kind: str) -> bytes:
    file = BytesIO()
    image = Image.fromarray(picture())
    if kind == "MPO":
        image.save(file, "MPO", save_all=True, append_images=[image.rotate(90)])
    else:
        image.save(file, kind)
    return file.getvalue()


KINDS = {
    "PNG": ".png", "JPEG": ".jpg", "WEBP": ".webp", "GIF": ".gif", "BMP": ".bmp",
    "TIFF": ".tif", "AVIF": ".avif", "JPEG2000": ".jp2", "PPM": ".ppm", "TGA": ".tga",
    "PCX": ".pcx", "SGI": ".sgi", "MPO": ".mpo", "QOI": ".qoi",
}  # fmt: skip


def damaged(content: bytes) -> bytes:
    """Some bytes changed, cut off, doubled, or of another file."""
    changed = bytearray(content)
    match draw.randrange(6):
        case 0:
            for _ in range(draw.randint(1, 8)):
                changed[draw.randrange(len(changed))] = draw.randrange(256)
        case 1:
            del changed[draw.randrange(len(changed)) :]
        case 2:
            at = draw.randrange(min(64, len(changed)))
            changed[at : at + 4] = draw.choice(
                [b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\0", b"\0\0\xff\xff"]
            )
        case 3:
            at = draw.randrange(len(changed))
            changed[at:at] = bytes(draw.randrange(256) for _ in range(50))
        case 4:
            other = encoded(draw.choice(["PNG", "JPEG", "GIF", "TIFF"]))
            changed[len(changed) // 2 :] = other[len(other) // 2 :]
        case 5:
            changed[: draw.randint(1, 12)] = EPS[: draw.randint(1, 12)]
    return bytes(changed)


def png_chunk(kind: bytes, content: bytes) -> bytes:
    crc = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc)


def bomb(width: int, height: int) -> bytes:
    """A PNG that says to be large, with few bytes."""
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    packed = zlib.compress(bytes(1000))
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", head)
        + png_chunk(b"IDAT", packed)
        + png_chunk(b"IEND", b"")
    )


def made_to_harm() -> bytes:
    return draw.choice(
        [
            EPS,
            b"\xc5\xd0\xd3\xc6" + struct.pack("<II", 32, len(EPS)) + bytes(20) + EPS,
            bomb(60_000, 60_000),
            bomb(2**31 - 1, 2**31 - 1),
            b"P6\n99999 99999\n255\n",
            b"GIF89a" + b"\xff" * 40,
            b"<svg xmlns='http://www.w3.org/2000/svg'/>",
            b"%PDF-1.4\n",
            b"8BPS" + bytes(40),
            b"",
        ]
    )


def by_pillow(content: bytes) -> np.ndarray | None:
    """What Pillow alone makes of 8-bit images, as RGB."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image = Image.open(BytesIO(content), formats=[x for x in KINDS if x != "MPO"])
        image.load()
    if image.mode.startswith("I;16"):
        flat = np.asarray(image).astype(int) // 257
        return np.stack([flat] * 3, -1)
    orientation = image.getexif().get(0x0112, 1)
    if orientation in range(2, 9):
        return None  # what is turned is tested by itself
    if image.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in image.info:
        layers = np.asarray(image.convert("RGBA")).astype(int)
        share = layers[..., 3:] / 255
        return np.floor(layers[..., :3] * share + 255 * (1 - share) + 0.5)
    return np.asarray(image.convert("RGB"))


def read_images() -> int:
    read = 0
    for number in range(IMAGES):
        kind = list(KINDS)[number % len(KINDS)]
        content = made_to_harm() if draw.random() < 0.1 else damaged(encoded(kind))
        decoded = attempt(
            f"image {number} of {kind}", partial(decode, content, "x", KINDS[kind])
        )
        if decoded is None:
            continue
        read += 1
        expected = by_pillow(content)
        if expected is not None:
            ours = np.asarray(decoded[0].convert("RGB"))
            if ours.shape != expected.shape or (ours != expected).any():
                note("wrong", f"image {number} of {kind}")
    return read


def table(file: Path) -> tuple[list[bytes], list[object]]:
    """A Parquet file, whole or not; the images and labels that it is made from."""
    images: list[object] = [encoded("PNG") for _ in range(12)]
    labels: list[object] = [i % 2 for i in range(12)]
    odd = draw.randrange(14)
    at = draw.randrange(12)
    if odd == 0:
        images[at] = None
    elif odd == 1:
        labels[at] = draw.choice([-1, None, 7, 2**40])
    elif odd == 2:
        labels = [draw.choice(["a", "b", "\x1b[2J", "é"]) for _ in labels]
    elif odd == 3:
        labels = [draw.random() for _ in labels]
    elif odd == 4:
        images[at] = made_to_harm()
    elif odd == 5:
        labels = [[x] for x in labels]
    path = str(PLACE / "secret.png")
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    told = json.dumps({"info": {"features": {"image": {"_type": "Image"}}}})
    if odd == 6:
        told = draw.choice(["{", "[]", '{"info": 3}', '{"info": {"features": [1]}}'])
    if odd == 7:
        told = '{"info": {"features": {"label": {"_type": "ClassLabel", "names": 3}}}}'
    rows = pa.table(
        {
            "image": pa.array([{"bytes": x, "path": path} for x in images], kind),
            "label": labels,
        }
    ).replace_schema_metadata({"huggingface": told})
    pq.write_table(rows, file)
    if odd > 9:
        content = bytearray(file.read_bytes())
        for _ in range(draw.randint(1, 6)):
            content[draw.randrange(len(content))] = draw.randrange(256)
        if draw.random() < 0.3:
            del content[draw.randrange(len(content)) :]
        file.write_bytes(content)
    return images, labels


def read_tables() -> int:
    read = 0
    Image.fromarray(picture()).save(PLACE / "secret.png")
    for number in range(TABLES):
        folder = PLACE / f"table{number}"
        folder.mkdir()
        images, labels = table(folder / "train.parquet")
        dataset = attempt(f"table {number}", partial(load, str(folder)))
        if dataset is None:
            continue
        read += 1
        classes = sorted(set(labels))
        expected = {
            (by_pillow(content).tobytes(), str(label))
            for content, label in zip(images, labels, strict=True)
        }
        for part in (dataset.train, dataset.test):
            for pixels, label in zip(part.pixels, part.labels, strict=True):
                if (pixels.tobytes(), dataset.class_names[label]) not in expected:
                    note("wrong", f"table {number}")
        if len(dataset.train) + len(dataset.test) != 12 or len(classes) < 2:
            note("wrong", f"table {number} has other images")
    return read


def whole_folder(folder: Path) -> None:
    for name in ("cat", "dog"):
        (folder / name).mkdir(parents=True)
        for index in range(12):
            Image.fromarray(picture()).save(folder / name / f"{index}.png")


def read_caches() -> int:
    folder = PLACE / "cached"
    whole_folder(folder)
    os.environ["DSE_CACHE"] = str(PLACE / "damaged")
    whole = load(str(folder))
    [file] = (PLACE / "damaged" / "pixels").glob("*.npz")
    content = file.read_bytes()
    for number in range(CACHES):
        changed = bytearray(content)
        for _ in range(draw.randint(1, 3)):
            # Most of it is pixels: half of the changes are made where headers are.
            near = draw.choice([200, len(changed)])
            changed[draw.randrange(near)] ^= 1 << draw.randrange(8)
        if draw.random() < 0.1:
            del changed[draw.randrange(len(changed)) :]
        file.write_bytes(changed)
        again = attempt(f"cache {number}", partial(load, str(folder)))
        if (
            again is None
            or again.train.pixels.tobytes() != whole.train.pixels.tobytes()
        ):
            note("wrong", f"cache {number}")
    file.write_bytes(content)
    assert pixelcache.read(file.stem) is not None
    return CACHES


def harm(folder: Path) -> None:
    """Put something into a folder that is meant to lead the reader astray."""
    inside = folder / draw.choice(["", "cat", "dog"])
    name = draw.choice(["x", "x.png", "a\nb.png", "\x1b[31m.png", "..png", "é.png"])
    place = inside / name
    match draw.randrange(16):
        case 0:
            os.mkfifo(place)
        case 1:
            with socket.socket(socket.AF_UNIX) as server:
                before = Path.cwd()
                os.chdir(inside)
                server.bind(name)
                os.chdir(before)
        case 2:
            target = draw.choice(["/dev/zero", "/proc/self", "/dev/null", "/proc/kmsg"])
            place.symlink_to(target)
        case 3:
            place.symlink_to(draw.choice([folder, "/nowhere", ".", "x/../x"]))
        case 4:
            text = "---\nconfigs:\n- config_name: default\n  data_files: ../secret/**\n"
            (folder / "README.md").write_text(f"{text}---\n")
        case 5:
            (folder / "dataset_infos.json").write_text(draw.choice(["[]", "{", "3"]))
        case 6:
            (folder / f"{folder.name}.py").write_text("import os\nos.system('id')\n")
        case 7:
            with (inside / "large.png").open("wb") as file:
                file.write(encoded("PNG"))
                file.truncate(40 * 2**30)
        case 8:
            place.with_suffix(".png").write_bytes(made_to_harm())
        case 9:
            deep = folder / "cat"
            for _ in range(40):
                deep = deep / "d"
            deep.mkdir(parents=True)
            (deep / "x.png").write_bytes(encoded("PNG"))
        case 10:
            names = f"file_name,label\n{PLACE}/secret.png,cat\n"
            (inside / "metadata.csv").write_text(names)
        case 11:
            first, second = folder / "one", folder / "two"
            first.mkdir()
            second.mkdir()
            (first / "on").symlink_to(second)
            (second / "back").symlink_to(first)
        case 12:
            kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
            rows = [{"bytes": None, "path": str(PLACE / "secret.png")}]
            pq.write_table(
                pa.table({"image": pa.array(rows, kind), "label": [0]}),
                folder / "train.parquet",
            )
        case 13:
            (folder / "train.parquet").write_bytes(b"PAR1" + bytes(40) + b"PAR1")
        case 14:
            for index in range(60):
                (inside / f"b{index}.png").write_bytes(bomb(9000, 9000))
        case 15:
            odd = os.fsencode(inside) + b"/caf\xe9.png"
            Path(os.fsdecode(odd)).write_bytes(encoded("PNG"))


def read_folders() -> int:
    read = 0
    for number in range(FOLDERS):
        folder = PLACE / f"folder{number}"
        whole_folder(folder)
        for _ in range(draw.randint(1, 2)):
            try:
                harm(folder)
            except FileExistsError:
                continue
        dataset = attempt(f"folder {number}", partial(load, str(folder)))
        if dataset is not None:
            read += 1
            count = len(dataset.train) + len(dataset.test)
            there = len(list(folder.glob("[cd][ao][tg]/**/*")))
            if not 24 <= count <= there + 2:
                note("wrong", f"folder {number}: {count} images")
    return read


def peak_bytes():
    """Of this program: `ru_maxrss` is also of the process that it was forked from."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return 1024 * int(line.split()[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    sys.addaudithook(listen)
    signal.signal(signal.SIGALRM, late)
    began = time.monotonic()
    read = {
        "images": read_images(),
        "tables": read_tables(),
        "caches": read_caches(),
        "folders": read_folders(),
    }
    peak = peak_bytes()
    seconds = round(time.monotonic() - began, 1)
    print(json.dumps({**found, "read": read, "peak_bytes": peak, "seconds": seconds}))
    print("\n".join(told[:40]), file=sys.stderr)
