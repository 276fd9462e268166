"""The training recipe: all that affects a result beside architecture and data."""

from dataclasses import dataclass, replace
from typing import Any, Literal

from dse.arch.graph import Architecture
from dse.arch.layer import Initializer, Layer, Shape
from dse.arch.layers import Dropout
from dse.bounds import check_number
from dse.data.augmentation import crop_padding, mirror_suits
from dse.declared import Declared
from dse.errors import DseError
from dse.fields import choice, flag, real, share, text, whole

MOST_FLOAT = 1e38
"""Limit of values that must fit 32-bit floats."""


def pixel_mean(value: Any) -> tuple[float, ...]:
    """Parse the mean of each channel, from numbers or a text such as 123,117,104."""
    if isinstance(value, str):
        try:
            value = tuple(map(float, value.split(",")))
        except ValueError:
            value = [value]
    for mean in value:
        check_number("pixel_mean", mean, 0, 255)
    return tuple(value)


@dataclass(frozen=True)
class Recipe(Declared, name="recipe", as_given=True):
    """SGD with momentum as in the paper's solver, with changes for small images.

    Augmentation that is None is chosen for the dataset (`resolved`). Streamed images
    need `resize`, `crop` and `pixel_mean`; small sets use their own mean and deviation.

    Raises:
        DseError: a value is out of range.
    """

    epochs: int = whole(..., "passes over the train part", most=10**6)
    peak_learning_rate: float = real(
        ...,
        "learning rate after the warm-up",
        least=0,
        above=True,
        most=MOST_FLOAT,
        label="rate {}",
    )
    batch_size: int = whole(64, "images per step", most=2**20, label="batches of {}")
    warmup_share: float = share(
        0.1, "share of all steps in which the rate rises linearly from 0", below=True
    )
    schedule: Literal["linear", "cosine"] = choice(
        "linear",
        ("linear", "cosine"),
        "how the rate falls to 0 after the warm-up; linear is the released solver's",
        later=True,
    )
    momentum: float = share(0.9, "momentum of SGD", below=True)
    weight_decay: float = real(
        2e-4,
        "times each parameter, biases included, added to its gradient",
        least=0,
        most=MOST_FLOAT,
    )
    clip_norm: float | None = real(
        1.0,
        "global norm beyond which gradients are scaled down; none for never",
        least=0,
        above=True,
        most=MOST_FLOAT,
        optional=True,
    )
    crop_padding: int | None = whole(
        None,
        "pixels of frame for the random crop; none for an eighth of the image's side",
        least=0,
        most=2**14,
    )
    mirror: bool | None = flag(
        None, "whether to mirror at random; none for where it suits"
    )
    label_smoothing: float = share(
        0.0,
        "share of a label's weight that is spread over all classes",
        below=True,
        later=True,
    )
    dropout: float | None = share(
        None,
        "share that dropout layers drop; none for the architecture's own",
        below=True,
        later=True,
    )
    initializer: Initializer | Literal["released"] | None = choice(
        None,
        ("he", "xavier", "gaussian", "released"),
        "of all kernels; released is Xavier with the last one from N(0, 0.01²), none "
        "the architecture's own",
        later=True,
    )
    steps: int | None = whole(
        None,
        "steps in all, where a training on streamed images ends within an epoch",
        most=2**31 - 1,
        later=True,
    )
    resize: int | None = whole(
        None,
        "side of the square that streamed images are brought to",
        most=2**14,
        later=True,
    )
    crop: int | None = whole(
        None,
        "side of what the network sees of it: at random, in evaluation the centre",
        least=0,
        most=2**14,
        later=True,
    )
    pixel_mean: tuple[float, ...] | None = text(
        None, "subtracted from each channel of streamed images", pixel_mean, later=True
    )
    seed: int = whole(
        0, "sweep seed, from which all randomness comes", least=0, most=2**31 - 1
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        streaming = self.resize, self.crop, self.pixel_mean
        if None in streaming and any(x is not None for x in (*streaming, self.steps)):
            raise DseError(
                f"resize, crop and pixel_mean are {streaming}, steps {self.steps}; "
                "streamed images need the first three, others none of the four"
            )
        if self.resize is not None and not 1 <= (self.crop or 0) <= self.resize:
            raise DseError(f"crop is {self.crop}; expected 1 to resize, {self.resize}")

    def resolved(self, dataset_name: str, image_shape: Shape) -> "Recipe":
        """This recipe with unset augmentation chosen to suit the dataset."""
        padding, mirror = self.crop_padding, self.mirror
        if self.resize is not None and padding is None:
            padding = 0
        return replace(
            self,
            crop_padding=crop_padding(*image_shape[:2]) if padding is None else padding,
            mirror=mirror_suits(dataset_name) if mirror is None else mirror,
        )

    def applied_to(self, architecture: Architecture) -> Architecture:
        """The network with the dropout rate and initialisers of this recipe."""
        kernels = architecture.kernels

        def changed(layer: Layer) -> Layer:
            if isinstance(layer, Dropout) and self.dropout is not None:
                return replace(layer, rate=self.dropout)
            if self.initializer is None:
                return layer
            if self.initializer == "released":
                return layer.drawn_by(
                    "gaussian" if layer.name in kernels[-1:] else "xavier"
                )
            return layer.drawn_by(self.initializer)

        return replace(architecture, layers=tuple(map(changed, architecture.layers)))

    def to_json(self) -> dict[str, Any]:
        """The fields by name, without later ones at their defaults.

        So older cells, which were trained in the same way, keep their identity.
        """
        return {
            name: value
            for name, value in self.values.items()
            if not self.fields[name].later or value != getattr(type(self), name)
        }

    def differences(self, other: "Recipe") -> str:
        """Describe the differences from `other`; empty if there are none."""
        mine, theirs = self.values, other.values
        return ", ".join(
            f"{name} {theirs[name]} there, {mine[name]} here"
            for name in mine
            if mine[name] != theirs[name]
        )

    def changes_from(self, other: "Recipe") -> str:
        """List the values that differ from those of `other`; empty if none do."""
        mine, theirs = self.values, other.values
        return ", ".join(
            f"{name} {value}" for name, value in mine.items() if value != theirs[name]
        )
