"""Functions on networks: describe one, load and use a trained one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dse.arch.describe import as_json
from dse.arch.layer import Shape
from dse.errors import DseError
from dse.families import DEFAULT, family_called
from dse.store import DEFAULT_STORAGE

if TYPE_CHECKING:
    from dse.models.trained import TrainedModel


def describe(
    input_shape: Shape | None = None,
    classes: int = 1000,
    family: str = DEFAULT,
    **metaparameters: Any,
) -> dict[str, Any]:
    """Identity and exact cost of one point, per layer and in total.

    Args:
        input_shape: height, width, channels of one image; by default those that the
            family is published for.
        classes: number of classes.
        family: a shipped name, or `path/mine.py:Class`.
        metaparameters: metaparameters of the family.

    Raises:
        DseError: there is no such family or metaparameter, or a value is out of range.
    """
    point = family_called(family).of(metaparameters)
    side = point.side
    shape = (side, side, 3) if input_shape is None else input_shape
    return as_json(point.network(shape, classes))


def load_model(run: int, storage: str = DEFAULT_STORAGE) -> "TrainedModel":
    """Load the trained network of a completed run; its family is not needed.

    Args:
        run: its `run_id` in the view `runs`.
        storage: database URL.
    """
    # Imported here: describing needs neither JAX nor the database.
    from dse.machine import check_platforms
    from dse.models.trained import TrainedModel
    from dse.store.database import open_store
    from dse.store.query import load_network

    check_platforms()
    stored = load_network(open_store(storage, create=False), run)
    return TrainedModel(
        stored.architecture, stored.class_names, stored.weights, stored.recipe.resize
    )


MOST_TOLD = 5
"""Most classes of an image that are told, as in top-5 accuracy."""


@dataclass(frozen=True)
class Answer:
    """Classes that a network predicts for an image file.

    Attributes:
        file: the image.
        name: the most likely class; empty where the file was refused.
        probability: its probability.
        refusal: why the file was not classified; else empty.
        best: the five most likely classes with their probabilities, the first first.
    """

    file: Path
    name: str = ""
    probability: float = 0.0
    refusal: str = ""
    best: tuple[tuple[str, float], ...] = ()


def predict(
    run: int, files: Sequence[Path], storage: str = DEFAULT_STORAGE
) -> Iterator[Answer]:
    """Predict the most likely classes of each image file, one by one.

    Args:
        run: the `run_id` of a completed run.
        files: images of the size that it was trained on; of any size where it was
            trained on crops.
        storage: database URL.

    Raises:
        DseError: there is no such network. A file that cannot be classified gives
            an answer with a refusal.
    """
    from dse.data.names import as_text
    from dse.data.pixels import pixels_of, read_image, square

    model = load_model(run, storage)
    side, _, channels = model.takes
    cropped = model.takes != model.network.architecture.input_shape
    for file in files:
        try:
            image, _ = read_image(file, side if cropped else None)
            if cropped:
                pixels = square(image, side)
            else:
                pixels = pixels_of(image.convert("L" if channels == 1 else "RGB"))
            shape = *pixels.shape[:2], channels
            [probabilities] = model.probabilities(pixels.reshape(1, *shape))
        except DseError as error:
            message, called = str(error), as_text(file)
            refusal = message if called in message else f"image {called}: {message}"
            yield Answer(file, refusal=refusal)
            continue
        order = (-probabilities).argsort(kind="stable")[:MOST_TOLD]
        best = tuple((model.class_names[x], float(probabilities[x])) for x in order)
        yield Answer(file, *best[0], best=best)
