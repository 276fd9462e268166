"""The training recipe: everything beside architecture and data that moves a result."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from dse.arch.graph import Architecture, Convolution, Dropout, Initializer, Layer, Shape
from dse.bounds import brief, check_number, check_whole, is_number
from dse.data.augmentation import crop_padding, mirror_suits
from dse.errors import DseError

LATER = {
    "schedule": "linear",
    "label_smoothing": 0.0,
    "dropout": None,
    "initializer": None,
    "steps": None,
    "resize": None,
    "crop": None,
    "pixel_mean": None,
}
"""Fields that recipes did not have at first, and what they were then."""

WHOLE = {
    "epochs": (1, 10**6),
    "batch_size": (1, 2**20),
    "crop_padding": (0, 2**14),
    "steps": (1, 2**31 - 1),
    "resize": (1, 2**14),
    "crop": (0, 2**14),
    "seed": (0, 2**31 - 1),
}
"""The least and the most of whole numbers, where they are given."""
MOST_FLOAT = 1e38
"""About the largest of 32-bit floats."""


@dataclass(frozen=True)
class Recipe:
    """SGD with momentum after the paper's solver, and what small images need.

    Attributes:
        epochs: passes over the train part.
        peak_learning_rate: reached after the warm-up.
        batch_size: images per step.
        warmup_share: share of all steps in which the rate rises linearly from 0.
        schedule: how the rate falls to 0 after the warm-up; linear is the released
            solver's "poly" policy with power 1.
        momentum: of SGD.
        weight_decay: times each parameter, biases included, added to its gradient.
        clip_norm: global norm beyond which gradients are scaled down; None for never.
        crop_padding: pixels of frame for the random crop; None for an eighth of the
            image's side.
        mirror: whether to mirror at random; None for where it suits the set.
        label_smoothing: share of a label's weight that is spread over all classes.
        dropout: share dropped before conv10; None for the architecture's own, 0.5.
        initializer: of all kernels; `released` is the released solver's, Xavier with
            conv10 from N(0, 0.01²); None for the architecture's own.
        steps: in all, where a training on streamed images ends within an epoch; None
            for whole epochs.
        resize: side of the square that streamed images are brought to; None for small
            sets, which are taken as they are.
        crop: side of what the network sees of it: at random in training, the centre in
            evaluation.
        pixel_mean: subtracted from each channel, for streamed images; small sets take
            their own mean and deviation.
        seed: the sweep seed, from which all randomness comes.

    Raises:
        DseError: a value is out of range.
    """

    epochs: int
    peak_learning_rate: float
    batch_size: int = 64
    warmup_share: float = 0.1
    schedule: Literal["linear", "cosine"] = "linear"
    momentum: float = 0.9
    weight_decay: float = 2e-4
    clip_norm: float | None = 1.0
    crop_padding: int | None = None
    mirror: bool | None = None
    label_smoothing: float = 0.0
    dropout: float | None = None
    initializer: Initializer | Literal["released"] | None = None
    steps: int | None = None
    resize: int | None = None
    crop: int | None = None
    pixel_mean: tuple[float, ...] | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        self._check_numbers()
        self._check_streaming()
        for name, expected in (
            ("schedule", ("linear", "cosine")),
            ("initializer", (None, "he", "xavier", "gaussian", "released")),
        ):
            if getattr(self, name) not in expected:
                raise DseError(
                    f"{name} is {getattr(self, name)!r}; expected one of "
                    f"{', '.join(map(str, expected))}"
                )

    def _check_numbers(self) -> None:
        for name, (least, most) in WHOLE.items():
            if getattr(self, name) is not None:
                check_whole(name, getattr(self, name), least, most)
        for name in ("peak_learning_rate", "clip_norm"):
            if getattr(self, name) is not None:
                check_number(name, getattr(self, name), 0, MOST_FLOAT, above=True)
        check_number("weight_decay", self.weight_decay, 0, MOST_FLOAT)
        for mean in self.pixel_mean or ():
            check_number("pixel_mean", mean, 0, 255)
        for name in ("warmup_share", "label_smoothing", "dropout", "momentum"):
            share = getattr(self, name)
            if share is not None and not (is_number(share) and 0 <= share < 1):
                raise DseError(f"{name} is {brief(share)}; expected 0 or more, under 1")

    def _check_streaming(self) -> None:
        """All of what streamed images need, or none of it."""
        streaming = self.resize, self.crop, self.pixel_mean
        if None in streaming and any(x is not None for x in (*streaming, self.steps)):
            raise DseError(
                f"resize, crop and pixel_mean are {streaming}, steps {self.steps}; "
                "streamed images need the first three, others none of the four"
            )
        if self.resize is not None and not 1 <= (self.crop or 0) <= self.resize:
            raise DseError(f"crop is {self.crop}; expected 1 to resize, {self.resize}")

    def resolved(self, dataset_name: str, image_shape: Shape) -> "Recipe":
        """This recipe with the augmentation that suits the set where none is stated."""
        padding, mirror = self.crop_padding, self.mirror
        if self.resize is not None and padding is None:
            padding = 0
        return replace(
            self,
            crop_padding=crop_padding(*image_shape[:2]) if padding is None else padding,
            mirror=mirror_suits(dataset_name) if mirror is None else mirror,
        )

    def applied_to(self, architecture: Architecture) -> Architecture:
        """The network as this recipe trains it: the same but for dropout and draws."""

        def changed(layer: Layer) -> Layer:
            if isinstance(layer, Dropout) and self.dropout is not None:
                return replace(layer, rate=self.dropout)
            if isinstance(layer, Convolution) and self.initializer is not None:
                return replace(layer, initializer=self._initializer_of(layer.name))
            return layer

        return replace(architecture, layers=tuple(map(changed, architecture.layers)))

    def _initializer_of(self, layer: str) -> Initializer:
        assert self.initializer is not None
        if self.initializer == "released":
            return "gaussian" if layer == "conv10" else "xavier"
        return self.initializer

    def to_json(self) -> dict[str, Any]:
        """The fields by name.

        Those of `LATER` are left out at their defaults: cells from before them, which
        trained the same, keep their identity.
        """
        return {
            name: value
            for name, value in asdict(self).items()
            if name not in LATER or value != LATER[name]
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Recipe":
        """The recipe that `to_json` told, also after a passage through JSON."""
        mean = values.get("pixel_mean")
        return cls(**{**values, "pixel_mean": None if mean is None else tuple(mean)})

    def differences(self, other: "Recipe") -> str:
        """What differs from `other`, in words; empty when nothing does."""
        mine, theirs = asdict(self), asdict(other)
        return ", ".join(
            f"{name} {theirs[name]} there, {mine[name]} here"
            for name in mine
            if mine[name] != theirs[name]
        )

    def changes_from(self, other: "Recipe") -> str:
        """What it has other than `other`, in words; empty when nothing."""
        mine, theirs = asdict(self), asdict(other)
        return ", ".join(
            f"{name} {value}" for name, value in mine.items() if value != theirs[name]
        )
