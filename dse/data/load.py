"""Load an image set by its name, folder or hub id, through Hugging Face `datasets`."""

import hashlib
import os
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from dse.data.cache import cache_folder
from dse.data.dataset import Dataset, Images
from dse.errors import DseError

EMBEDDED = "fashion_mnist_small"
"""The default: 10,000 + 2,000 images of Fashion-MNIST inside the package."""


def load(name: str = EMBEDDED) -> Dataset:
    """The image set called `name`.

    A folder is decoded once; its pixels are then kept in the user's cache folder (or
    `DSE_CACHE`) under a hash of the folder's bytes.

    Args:
        name: the embedded set's name, a folder (Parquet in the Hugging Face image
            layout, or images in one folder per class), or a hub id `owner/name`.

    Raises:
        DseError: nothing is there, or what is there is no small image set.
    """
    folder = folder_of(name)
    if folder is None:
        from dse.data.decode import decode_hub

        return decode_hub(name)
    fingerprint = _fingerprint(folder)
    cached = _cache_file(fingerprint)
    dataset = _read(cached, folder.resolve().name, fingerprint)
    if dataset is None:
        from dse.data.decode import decode_folder

        dataset = decode_folder(folder, fingerprint)
        _write(cached, dataset)
    return dataset


def folder_of(name: str) -> Path | None:
    """The folder that `name` means, or None for what can only be a hub id.

    Raises:
        DseError: there is no such folder, or nothing in it.
    """
    if name == EMBEDDED:
        return Path(__file__).parent / "embedded" / EMBEDDED
    path = Path(name).expanduser()
    if path.is_dir():
        if not files_of(path):
            raise DseError(f"dataset folder {name} is empty; {_WHAT_IS_EXPECTED}")
        return path
    if path.exists() or name.count("/") != 1 or name[0] in "./~":
        raise DseError(f"there is no dataset folder {name}; {_WHAT_IS_EXPECTED}")
    return None


def files_of(folder: Path) -> list[Path]:
    """All files in a folder, in order, also where its parts are links."""
    walked = os.walk(folder, followlinks=True)
    return sorted(Path(place) / name for place, _, names in walked for name in names)


_WHAT_IS_EXPECTED = (
    f"expected {EMBEDDED}, a folder of Parquet files or of images in one folder per "
    "class, or a hub id owner/name"
)


def _fingerprint(folder: Path) -> str:
    """Sixteen hexadecimal digits over the names and bytes of all files."""
    digest = hashlib.sha256()
    for file in files_of(folder):
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        digest.update(f"{file.relative_to(folder).as_posix()}:{content}\n".encode())
    return digest.hexdigest()[:16]


def _cache_file(fingerprint: str) -> Path:
    return cache_folder("datasets") / f"{fingerprint}.npz"


def _read(file: Path, name: str, fingerprint: str) -> Dataset | None:
    try:
        with file.open("rb") as opened, np.load(opened) as arrays:
            return Dataset(
                name,
                fingerprint,
                tuple(arrays["class_names"].tolist()),
                Images(arrays["train_pixels"], arrays["train_labels"]),
                Images(arrays["test_pixels"], arrays["test_labels"]),
                str(arrays["encoding"]),
            )
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return None


def _write(file: Path, dataset: Dataset) -> None:
    """Keep the pixels if the cache folder can be written; else do without."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as partial:
            try:
                np.savez(
                    partial,
                    class_names=np.array(dataset.class_names),
                    train_pixels=dataset.train.pixels,
                    train_labels=dataset.train.labels,
                    test_pixels=dataset.test.pixels,
                    test_labels=dataset.test.labels,
                    encoding=np.array(dataset.encoding),
                )
                partial.close()
                Path(partial.name).replace(file)
            except OSError:
                Path(partial.name).unlink()
                raise
    except OSError:
        return
