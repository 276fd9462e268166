"""A small image set in memory, its checks, and its validation split."""

from dataclasses import dataclass, replace
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int, UInt8

from dse.arch.layer import Shape
from dse.data.contents import Contents, PartContents
from dse.errors import DseError


@runtime_checkable
class LabelledPart(Protocol):
    """Images with labels; the pixels may be in memory or in files."""

    @property
    def labels(self) -> Int[np.ndarray, " n"]:
        """One label per image."""

    def __len__(self) -> int: ...


@runtime_checkable
class ImageData(Protocol):
    """An image set as plans and reports see it, in memory or streamed."""

    @property
    def name(self) -> str:
        """Short name for folders and captions."""

    @property
    def fingerprint(self) -> str:
        """Identity of the content."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """One name per label."""

    @property
    def train(self) -> LabelledPart:
        """Images to train and validate on, with the set's own validation part."""

    @property
    def test(self) -> LabelledPart:
        """The part scored once, at the end of a run."""

    @property
    def validation_share(self) -> float:
        """Share of train held out for validation if the set has no part for it."""

    @property
    def own_validation(self) -> Int[np.ndarray, " v"] | None:
        """Positions in train of the set's own validation part, if it has one."""

    @property
    def contents(self) -> Contents | None:
        """Summary of what was read; None for a set that was made in memory."""

    @property
    def formerly(self) -> tuple[str, ...]:
        """Fingerprints that earlier versions gave to exactly the same images."""

    @property
    def misread(self) -> str:
        """Fingerprint of an earlier version that read the set differently, or empty."""

    @property
    def image_shape(self) -> Shape:
        """Height, width and channels of the network's input."""

    @property
    def classes(self) -> int:
        """Number of classes."""


@dataclass(frozen=True)
class Images:
    """Images of one size with their labels."""

    pixels: UInt8[np.ndarray, "n h w c"]
    labels: Int[np.ndarray, " n"]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Dataset:
    """A train and a test part over the same classes.

    Attributes:
        name: short name for folders and captions.
        fingerprint: identity of the content.
        class_names: one name per label.
        train: images to train and validate on.
        test: the part scored once, at the end of a run.
        own_validation: positions in train of the set's own validation part; None if
            each replicate draws one.
        contents: summary of what was read.
        formerly: see `ImageData`.
        misread: see `ImageData`.

    Raises:
        DseError: image sizes of the parts differ, or `check_parts` refuses the set.
    """

    name: str
    fingerprint: str
    class_names: tuple[str, ...]
    train: Images
    test: Images
    own_validation: Int[np.ndarray, " v"] | None = None
    contents: Contents | None = None
    formerly: tuple[str, ...] = ()
    misread: str = ""
    validation_share: ClassVar[float] = 0.1

    def __post_init__(self) -> None:
        check_parts(self)
        if self.test.pixels.shape[1:] != self.image_shape:
            raise DseError(
                f"dataset {self.name}: train images are {self.image_shape}, test "
                f"images {self.test.pixels.shape[1:]}; bring them to one size"
            )

    @property
    def image_shape(self) -> Shape:
        """Height, width, channels."""
        height, width, channels = self.train.pixels.shape[1:]
        return height, width, channels

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)


def balanced_part(dataset: Dataset, images: int) -> Dataset:
    """Take about `images` train images of a dataset, the same share of each class.

    The choice is the same each time. A set with no more images is returned unchanged.
    The set's own validation part stays whole. The result has another fingerprint.
    """
    train = dataset.train
    own = dataset.own_validation
    rows = np.arange(len(train))
    if own is not None:
        rows = np.setdiff1d(rows, own)
    if images >= len(rows):
        return dataset
    labels = train.labels[rows]
    chosen = split_off(labels, images / len(rows), (0,)).validation
    alone = np.isin(labels, np.setdiff1d(labels, labels[chosen]))  # one image a class
    kept = rows[np.union1d(chosen, np.flatnonzero(alone))]
    count = len(kept)
    contents = dataset.contents
    if contents is not None:
        taken = PartContents.of(train.labels[kept], dataset.class_names)
        contents = replace(contents, taken=taken)
    if own is not None:
        kept = np.concatenate([kept, own])
    return replace(
        dataset,
        fingerprint=f"{dataset.fingerprint}-{count}",
        formerly=tuple(f"{name}-{count}" for name in dataset.formerly),
        misread=dataset.misread and f"{dataset.misread}-{count}",
        train=Images(train.pixels[kept], train.labels[kept]),
        own_validation=None if own is None else count + np.arange(len(own)),
        contents=contents,
    )


def check_labels(
    labels: Int[np.ndarray, " n"], part: str, name: str, classes: int
) -> None:
    """Refuse a label outside 0..classes - 1.

    Raises:
        DseError: there is one; the message names the first such image.
    """
    outside = np.flatnonzero((labels < 0) | (labels >= classes))
    if len(outside):
        row = int(outside[0])
        raise DseError(
            f"dataset {name}: {part} image {row} has label {labels[row]}, "
            f"outside its class list of {classes} (0 to {classes - 1}); correct the "
            "label or the list"
        )


def check_parts(dataset: ImageData) -> None:
    """Refuse a set that cannot be trained on, validated and tested.

    Raises:
        DseError: a part has no images or a label that is no class, train has a single
            class, or nothing can be held out for validation.
    """
    for part, images in (("train", dataset.train), ("test", dataset.test)):
        if not len(images):
            raise DseError(f"dataset {dataset.name}: its {part} part has no images")
        check_labels(images.labels, part, dataset.name, dataset.classes)
    if len(np.unique(dataset.train.labels)) < 2:
        raise DseError(
            f"dataset {dataset.name}: its train images are all of one class; expected "
            "two classes or more"
        )
    if dataset.own_validation is None and np.bincount(dataset.train.labels).max() < 2:
        raise DseError(
            f"dataset {dataset.name}: no class has two train images, so none is left "
            "for validation; add images"
        )


@dataclass(frozen=True)
class Split:
    """Positions of the train and the validation images within a train part."""

    train: Int[np.ndarray, " t"]
    validation: Int[np.ndarray, " v"]


def split_off(
    labels: Int[np.ndarray, " n"], share: float, seed: tuple[int, ...]
) -> Split:
    """Hold out a share of each class, at least one image, drawn by `seed`.

    A class of a single image stays in train.

    Args:
        labels: the labels to balance over.
        share: in (0, 1).
        seed: whole numbers; the same seed draws the same images.
    """
    generator = np.random.default_rng(seed)
    held_out = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        members = generator.permutation(np.flatnonzero(labels == label))
        held_out[members[: _held_out(len(members), share)]] = True
    return Split(np.flatnonzero(~held_out), np.flatnonzero(held_out))


def _held_out(count: int, share: float) -> int:
    """How many of `count` images of a class are held out."""
    return max(1, round(share * count)) if count > 1 else 0


def validation_split(dataset: ImageData, seed: int, replicate: int) -> Split:
    """Split train into training and validation images, for a replicate of every cell.

    Validation is the set's own part, the same in every replicate, if it has one;
    otherwise a random part of train with the same share of each class.
    """
    labels, own = dataset.train.labels, dataset.own_validation
    if own is None:
        return split_off(labels, dataset.validation_share, (seed, replicate))
    return Split(np.setdiff1d(np.arange(len(labels)), own), own)


def train_size(dataset: ImageData) -> int:
    """Number of images that a replicate trains on, the same in all."""
    labels, own = dataset.train.labels, dataset.own_validation
    if own is not None:
        return len(labels) - len(own)
    counts, share = np.bincount(labels).tolist(), dataset.validation_share
    return sum(count - _held_out(count, share) for count in counts)


def channel_statistics(
    pixels: UInt8[np.ndarray, "n h w c"],
) -> tuple[Float[np.ndarray, " c"], Float[np.ndarray, " c"]]:
    """Mean and standard deviation of each channel, in units of pixel values 0..255.

    A constant channel gets deviation 1.
    """
    count = pixels[..., 0].size
    values = np.arange(256)
    means, deviations = [], []
    for channel in range(pixels.shape[3]):
        histogram = np.bincount(pixels[..., channel].ravel(), minlength=256)
        mean = float(histogram @ values / count)
        variance = float(histogram @ (values - mean) ** 2 / count)
        means.append(mean)
        deviations.append(variance**0.5 or 1.0)
    return np.array(means, np.float32), np.array(deviations, np.float32)
