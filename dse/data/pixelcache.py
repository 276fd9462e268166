"""Decoded sets in the user's cache folder, each checked by a digest when read."""

import hashlib
import json
import tempfile
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dse.data.cache import cache_folder

DIGEST_BYTES = 32
CHUNK = 2**22


class Kept(NamedTuple):
    """Arrays by name, and plain data that is kept with them."""

    arrays: Mapping[str, np.ndarray]
    told: Mapping[str, Any]


def cache_file(key: str) -> Path:
    """Path of the cache file with this key."""
    return cache_folder("pixels") / f"{key}.npz"


def read(key: str) -> Kept | None:
    """Read what was kept; None if it is missing or damaged."""
    try:
        with cache_file(key).open("rb") as file:
            digest = file.read(DIGEST_BYTES)
            if _digest_of_rest(file, key) != digest:
                return None
            file.seek(DIGEST_BYTES)
            with np.load(file) as arrays:
                kept = {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    metadata = json.loads(str(kept.pop("told")))
    return Kept(kept, metadata)


def write(key: str, kept: Kept) -> None:
    """Write to the cache folder; do nothing if it cannot be written."""
    file = cache_file(key)
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as partial:
            try:
                partial.write(bytes(DIGEST_BYTES))
                encoded = np.array(json.dumps(kept.told))
                arrays: dict[str, Any] = {**kept.arrays, "told": encoded}
                np.savez(partial, **arrays)
                partial.seek(DIGEST_BYTES)
                digest = _digest_of_rest(partial, key)
                partial.seek(0)
                partial.write(digest)
                partial.close()
                Path(partial.name).replace(file)
            except BaseException:
                Path(partial.name).unlink()
                raise


def _digest_of_rest(file: Any, key: str) -> bytes:
    """Digest of a key and the rest of a file; under another key the file is invalid."""
    digest = hashlib.sha256(key.encode())
    while chunk := file.read(CHUNK):
        digest.update(chunk)
    return digest.digest()
