"""Load an image set by its name, folder or hub id."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from dse.data import pixelcache
from dse.data.before import Known, known
from dse.data.contents import Contents, grouped
from dse.data.dataset import Dataset, Images
from dse.data.folders import open_source
from dse.data.identity import (
    content_digest,
    identify,
    moment_of,
    refuse_too_large,
)
from dse.data.layout import Named
from dse.data.memory import TEST_SHARE, Decoded, Watch, decode_source
from dse.data.names import as_text
from dse.data.source import Source
from dse.errors import DseError

EMBEDDED = "fashion_mnist_small"
"""The default set, inside the package: 10,000 + 2,000 images of Fashion-MNIST."""

EXPECTED = (
    f"expected {EMBEDDED}, a folder of Parquet files or of images in one folder per "
    "class, or a hub id owner/name"
)


def load(
    name: str = EMBEDDED,
    named: Named | None = None,
    watch: Watch = lambda done, of: None,
) -> Dataset:
    """Load the image set called `name`.

    A folder is decoded once; its pixels are then kept in the user's cache folder (or
    `DSE_CACHE`) under a hash of all that decides what is read.

    Args:
        name: the embedded set's name, a folder (Parquet in the Hugging Face image
            layout, or images in one folder per class), or a hub id `owner/name`.
        named: columns and folders named by the user.
        watch: called with the numbers of decoded images and of all images.

    Raises:
        DseError: there is no such set, or it is no small image set.
    """
    folder, named = folder_of(name), named or Named()
    if folder is None:
        return _of_hub(name, named, watch)
    source = open_source(folder, as_text(name), named)
    refuse_too_large(source)
    moment = moment_of(source)
    identity = identify(source, TEST_SHARE, content_digest)
    decoded = _read(identity.key)
    if decoded is None:
        decoded = decode_source(source, watch)
        if moment_of(source) != moment:
            raise DseError(f"dataset {source.called} changed while it was read")
        _write(identity.key, decoded)
    contents = replace(
        decoded.contents,  # the rest is not cached with the pixels
        left_out=grouped(source.left_out),
        candidates=source.candidates,
        notes=source.notes,
    )
    decoded = replace(decoded, contents=contents)
    before = decoded.as_before
    as_known = known(source, identity, content_digest, decoded_as_before=before)
    return _dataset(source, as_known, decoded)


def _of_hub(name: str, named: Named, watch: Watch) -> Dataset:
    from dse.data.hub import hub_source

    source, names = hub_source(name, named)
    decoded = decode_source(source, watch)
    as_known = names.known(decoded_as_before=decoded.as_before)
    return _dataset(source, as_known, decoded)


def folder_of(name: str) -> Path | None:
    """Find the folder that `name` means; None for what can only be a hub id.

    Raises:
        DseError: there is no such folder.
    """
    if not name.strip():
        raise DseError(f"the dataset is called {name!r}; {EXPECTED}")
    if name == EMBEDDED:
        return Path(__file__).parent / "embedded" / EMBEDDED
    try:
        path = Path(name).expanduser()
        if path.is_dir():
            return path
        there = path.exists()
    except (OSError, ValueError, RuntimeError) as error:  # too long, NUL, unknown ~user
        raise DseError(
            f"there is no dataset folder {as_text(name)}: {error}"
        ) from error
    if there:
        raise DseError(f"{as_text(name)} is no folder; {EXPECTED}")
    if name.count("/") != 1 or name[0] in "./~":
        raise DseError(f"there is no dataset folder {as_text(name)}; {EXPECTED}")
    return None


def _dataset(source: Source, as_known: Known, decoded: Decoded) -> Dataset:
    first = len(decoded.train) - decoded.validating
    own = first + np.arange(decoded.validating) if decoded.validating else None
    return Dataset(
        source.name,
        as_known.fingerprint,
        source.class_names,
        decoded.train,
        decoded.test,
        own,
        decoded.contents,
        as_known.formerly,
        as_known.misread,
    )


def _read(key: str) -> Decoded | None:
    kept = pixelcache.read(key)
    if kept is None:
        return None
    arrays, metadata = kept
    return Decoded(
        Images(arrays["train_pixels"], arrays["train_labels"]),
        Images(arrays["test_pixels"], arrays["test_labels"]),
        metadata["validating"],
        Contents.from_json(metadata["contents"]),
        metadata["as_before"],
    )


def _write(key: str, decoded: Decoded) -> None:
    arrays = {
        "train_pixels": decoded.train.pixels,
        "train_labels": decoded.train.labels,
        "test_pixels": decoded.test.pixels,
        "test_labels": decoded.test.labels,
    }
    metadata = {
        "validating": decoded.validating,
        "contents": decoded.contents.to_json(),
        "as_before": decoded.as_before,
    }
    pixelcache.write(key, pixelcache.Kept(arrays, metadata))
