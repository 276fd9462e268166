"""Summary of a set for its user: parts, classes, pixels, and irregularities."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Int

from dse.data.names import as_text, listed
from dse.data.traits import GREY, Traits
from dse.data.walk import LeftOut

DIM = 65_535 // 4
"""Bound for 16-bit values: if all are lower, the images become nearly black."""
EXAMPLES = 3


@dataclass(frozen=True)
class PartContents:
    """Numbers of images in a part, and in its smallest and largest class.

    Attributes:
        images: in total.
        classes: number of classes with images.
        smallest: a class with the fewest images, and their number.
        largest: a class with the most images, and their number.
    """

    images: int
    classes: int
    smallest: tuple[str, int]
    largest: tuple[str, int]

    @classmethod
    def of(cls, labels: Int[np.ndarray, " n"], names: Sequence[str]) -> "PartContents":
        """Count the images of each class."""
        counts = np.bincount(labels, minlength=len(names))
        if not len(labels):
            return cls(0, 0, ("", 0), ("", 0))
        present = np.flatnonzero(counts)
        least = int(present[counts[present].argmin()])
        most = int(counts.argmax())
        return cls(
            len(labels),
            len(present),
            (names[least], int(counts[least])),
            (names[most], int(counts[most])),
        )

    def words(self) -> str:
        """Format as `400 images of 4 classes (100 each)`."""
        (low, few), (high, many) = self.smallest, self.largest
        each = f"{few:,} each"
        if few != many:
            each = f"{few:,} of {low} to {many:,} of {high}"
        return f"{self.images:,} images of {self.classes:,} classes ({each})"


@dataclass(frozen=True)
class Contents:
    """Summary of a set that was read.

    Attributes:
        parts: train, validation if the set has its own, and test.
        validation: origin of the validation images, in words.
        tested: origin of the test part, in words.
        sizes: number of images by size.
        channels: 1 for grey, 3 for RGB.
        modes: number of images by Pillow's pixel mode.
        formats: number of images by file format.
        turned: images turned by their orientation tag.
        translucent: images laid on white.
        several: files with further pictures.
        sixteen_bits: images of 16 bits, and the largest value in them.
        left_out: files that are no part of the set: reason, number, examples.
        candidates: image files, used or not; 0 if images lie in tables.
        doubles: validation and test images that are also in another part, by part.
        contrary: train images that occur again with another label.
        blank: images in which all pixels are equal.
        examined: True if all pixels were examined; of a streamed set only headers are.
        notes: further notes for the user.
        taken: the train images that a preset uses; None for all.
    """

    parts: Mapping[str, PartContents]
    validation: str
    tested: str
    sizes: Mapping[str, int]
    channels: int
    modes: Mapping[str, int]
    formats: Mapping[str, int]
    turned: int = 0
    translucent: int = 0
    several: int = 0
    sixteen_bits: tuple[int, int] = (0, 0)
    left_out: tuple[tuple[str, int, tuple[str, ...]], ...] = ()
    candidates: int = 0
    doubles: Mapping[str, int] = field(default_factory=dict)
    contrary: int = 0
    blank: int = 0
    examined: bool = True
    notes: tuple[str, ...] = ()
    taken: PartContents | None = None

    def lines(self) -> list[str]:
        """Format the summary, one line for each subject."""
        parts = [f"{part}: {held.words()}" for part, held in self.parts.items()]
        if self.taken is not None:
            parts.insert(1, f"of train the preset takes {self.taken.words()}")
        sizes = listed((f"{n:,} of {size}" for size, n in self.sizes.items()), 4)
        colour = "grey" if self.channels == 1 else "RGB"
        kinds = _counted(self.modes)
        formats = _counted(self.formats)
        return [
            *parts,
            f"validation: {self.validation}; test: {self.tested}",
            f"images: {colour}, from {kinds} in {formats}; sizes: {sizes}",
            *self._changed(),
            *self.left_out_lines(),
        ]

    def short(self) -> str:
        """Format the parts as one line."""
        train, test = self.parts["train"], self.parts["test"]
        trained = train.words()
        if self.taken is not None:
            trained = f"{self.taken.words()}, of {train.images:,} that are there"
        return (
            f"{trained}; validation: {self.validation}; test: {self.tested}, "
            f"{test.images:,} images"
        )

    def left_out_lines(self) -> list[str]:
        """List unused files by reason, and for image files how many are used."""
        if not self.left_out:
            return []
        reasons = [
            f"{count:,} {reason} ({', '.join(names)}{', ...' * (count > len(names))})"
            for reason, count, names in self.left_out
        ]
        images = sum(part.images for part in self.parts.values())
        used = (
            f"{images:,} of {self.candidates:,} image files are used; not: "
            if self.candidates > images
            else "not used: "
        )
        return [used + "; ".join(reasons)]

    def warnings(self) -> list[str]:
        """List what the user should know before training."""
        lines = list(self.notes)
        for part, count in self.doubles.items():
            several = part == "test" and "validation" in self.parts
            where = "another part" if several else "train"
            lines.append(
                f"{count:,} of {self.parts[part].images:,} {part} images are in "
                f"{where}, too, pixel by pixel"
            )
        if self.contrary:
            lines.append(
                f"{self.contrary:,} train images are there again under another label"
            )
        if self.blank:
            lines.append(f"{self.blank:,} images have a single value in all pixels")
        count, largest = self.sixteen_bits
        if self.examined and count and largest < DIM:
            lines.append(
                f"the {count:,} images of 16 bits go up to {largest:,} of 65,535 only, "
                "so they come out nearly black; scale them first"
            )
        images = sum(part.images for part in self.parts.values())
        if self.candidates > images:
            lines += self.left_out_lines()
        for part in ("validation", "test"):
            own = self.parts.get(part, self.parts["train"])
            if lacking := self.parts["train"].classes - own.classes:
                lines.append(f"{lacking:,} classes have no {part} image")
        return lines

    def _changed(self) -> list[str]:
        count, largest = self.sixteen_bits
        of_largest = f" (largest value {largest:,})" if self.examined else ""
        counts = [
            (self.turned, "turned as their orientation tag says"),
            (self.translucent, "with transparency, laid on white"),
            (self.several, "of several pictures, of which the first is taken"),
            (count, f"of 16 bits, brought to 8{of_largest}"),
        ]
        phrases = [f"{n:,} {what}" for n, what in counts if n]
        if not self.examined:
            phrases.append(
                "images are decoded as they are trained on; doubles and blank images "
                "are not looked for"
            )
        return ["; ".join(phrases)] if phrases else []

    def to_json(self) -> dict[str, Any]:
        """Convert to plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> "Contents":
        """Make a summary from the result of `to_json`, or from its JSON."""
        parts = {name: _part(part) for name, part in told["parts"].items()}
        taken = told.get("taken")
        left = tuple((reason, n, tuple(names)) for reason, n, names in told["left_out"])
        return cls(
            **{
                **told,
                "parts": parts,
                "taken": None if taken is None else _part(taken),
                "left_out": left,
                "notes": tuple(told["notes"]),
                "sixteen_bits": tuple(told["sixteen_bits"]),
            }
        )


def _part(fields: Mapping[str, Any]) -> PartContents:
    smallest, largest = tuple(fields["smallest"]), tuple(fields["largest"])
    return PartContents(fields["images"], fields["classes"], smallest, largest)


def seen_in(traits: Iterable[Traits]) -> dict[str, Any]:
    """Compute the fields of `Contents` that follow from the images' traits."""
    every = list(traits)
    sizes = Counter(f"{w}x{h}" for w, h in (x.size for x in every))
    deep = [x.largest for x in every if x.mode.startswith("I;16")]
    return {
        "sizes": dict(sizes.most_common()),
        "modes": dict(Counter(x.mode for x in every).most_common()),
        "formats": dict(Counter(x.kind for x in every).most_common()),
        "turned": sum(x.turned for x in every),
        "translucent": sum(x.translucent for x in every),
        "several": sum(x.several for x in every),
        "sixteen_bits": (len(deep), max(deep, default=0)),
    }


def pixels_as_before(traits: Iterable[Traits], channels: int | None = None) -> bool:
    """Check whether version 1 of decoding gave the same pixels for all images.

    Args:
        traits: traits of all images.
        channels: number of channels; None if the pixels are RGB in any case.
    """
    every = list(traits)
    grey = all(x.mode in GREY for x in every)
    return all(x.as_before for x in every) and channels in (None, 1 if grey else 3)


def grouped(
    left_out: Iterable[LeftOut],
) -> tuple[tuple[str, int, tuple[str, ...]], ...]:
    """Group left-out files by reason, each with its number and examples."""
    by_reason: dict[str, list[str]] = {}
    for left in left_out:
        by_reason.setdefault(left.reason, []).append(as_text(left.place))
    return tuple(
        (reason, len(places), tuple(places[:EXAMPLES]))
        for reason, places in by_reason.items()
    )


def _counted(kinds: Mapping[str, int]) -> str:
    if len(kinds) == 1:
        return next(iter(kinds))
    return listed((f"{n:,} {kind}" for kind, n in kinds.items()), 6)
