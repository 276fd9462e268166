"""Import the network that SqueezeNet's authors published, as a run."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dse.compress.container import Coding, read_network, write_network
from dse.compress.networks import network_shapes, to_arrays
from dse.compress.published import read_published
from dse.compress.tensors import Dense, Shared
from dse.data.class_names import read_class_names
from dse.data.walk import read_regular
from dse.errors import DseError
from dse.families import DEFAULT, family_called
from dse.files import short_digest
from dse.runs.cell import Cell
from dse.runs.events import Done
from dse.runs.records import Point, StudyRecord
from dse.store import DEFAULT_STORAGE
from dse.store.database import open_store
from dse.store.elsewhere import ELSEWHERE, enter_elsewhere
from dse.study.presets import PRESETS

PRESET = "imagenet"
"""Preset whose recipe has the size, the crop and the mean of the images."""
AS_PUBLISHED = Coding(codes=False, gaps=False)
"""It has no Huffman codes."""
MOST_BYTES = 2**26


@dataclass(frozen=True)
class Published:
    """A published network that was imported.

    Attributes:
        run: its `run_id`.
        weights: weights that are not 0, biases aside.
        published_bytes: bytes of the published file.
        bytes: bytes of the file in which it is kept here.
        new: whether it was not there before; else its class names stay.
    """

    run: int
    weights: int
    published_bytes: int
    bytes: int
    new: bool


def import_published(
    file: Path, classes: Path | None = None, storage: str = DEFAULT_STORAGE
) -> Published:
    """Import the compressed SqueezeNet that its authors published.

    It becomes a run of SqueezeNet v1.0 for ImageNet, which was trained elsewhere: it
    has no score. Images are resized to 256 pixels, cropped to 227, and have the mean
    subtracted, all as its authors did; channels are red, green, blue here.

    Args:
        file: the file, `compressed_SqueezeNet.net`.
        classes: the names of its classes (`dse.data.class_names`); numbers without.
        storage: database URL.

    Raises:
        DseError: it is another file, or is damaged.
    """
    content = read_regular(file, MOST_BYTES)
    point = family_called(DEFAULT)()
    architecture = point.published_network()
    shapes = network_shapes(architecture)
    kernels = {layer: shapes[layer]["kernel"] for layer in architecture.kernels}
    try:
        read = read_published(content, kernels)
    except DseError as error:
        raise DseError(
            f"{file} is not the network that SqueezeNet's authors published, or is "
            f"damaged: {error}"
        ) from error
    count = architecture.classes
    names = tuple(map(str, range(count)))
    if classes is not None:
        names = read_class_names(classes, count)
    recipe = PRESETS[PRESET].recipe
    mean = np.asarray(recipe.pixel_mean, np.float32)
    pixels = {"mean": Dense(mean), "deviation": Dense(np.ones_like(mean))}
    written = write_network({**read, "input": pixels}, AS_PUBLISHED)
    weights = to_arrays(read_network(written, shapes))
    fingerprint = f"{ELSEWHERE}{short_digest(content.hex(), 16)}"
    cell = Cell(architecture, recipe, "imagenet", fingerprint, names)
    study = StudyRecord(
        f"published/imagenet-{PRESET}",
        "published",
        PRESET,
        cell.dataset,
        cell.dataset_fingerprint,
        recipe,
        1,
    )
    done = Done(
        cell.id, 0, {}, 0.0, 0.0, 0.0, weights, network=written, size=len(written)
    )
    store = open_store(storage)
    with store.sweeping([study.trains]) as held:
        run, new = enter_elsewhere(held, study, Point(point, cell), done)
    kept = [x["kernel"] for x in read.values() if isinstance(x["kernel"], Shared)]
    nonzero = sum(int(np.count_nonzero(x.codebook[x.codes])) for x in kept)
    return Published(run, nonzero, len(content), len(written), new)
