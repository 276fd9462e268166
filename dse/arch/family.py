"""The base class of network families; an instance is a point of the design space."""

import dataclasses
import math
import sys
import traceback
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike

from dse.arch.closed_form import CostArrays
from dse.arch.cost import cost
from dse.arch.graph import Architecture, InputTooSmall
from dse.arch.layer import Shape
from dse.declared import Declared
from dse.errors import DseError
from dse.fields import Grid, Unstated

SINGLE_CROP = "single crop"
"""Name of the accuracies on ImageNet's validation images, one crop of each, by which
families are compared."""

IMAGENET_CLASSES = 1000
LARGEST_NEEDED = 256
"""Most pixels of a side that are tried where an input is too small."""

Values = Grid | tuple[Any, ...]
"""Values that a metaparameter may have in a search space."""


@dataclass(frozen=True)
class Published:
    """One point that a paper or a zoo of models prints.

    Attributes:
        point: the network at its published width.
        size_mib: its printed size, if any; "MB" of `ls -h` are MiB, rounded up.
        top5: top-5 accuracy in per cent, if printed.
        top1: top-1 accuracy in per cent, if printed.
        how: whose weights these are, and how they were tested; the family's own paper
            if empty.
    """

    point: "Family"
    size_mib: float | None
    top5: float | None
    top1: float | None = None
    how: str = ""


@dataclass(frozen=True)
class Source:
    """A figure or table of a paper.

    Attributes:
        points: the points in it.
        slips: contradictions within the paper.
        parameters: printed numbers of parameters, by module.
    """

    points: tuple[Published, ...] = ()
    slips: tuple[str, ...] = ()
    parameters: Mapping[str, int] = dataclasses.field(default_factory=dict)


class Family(Declared):
    """Networks of one kind. To add a family, write a subclass in any file.

        @dataclass(frozen=True)
        class Tiny(Family, name="tiny"):
            filters: int = whole(8, "filters of both layers", cost="rises")

            def architecture(self, input_shape, classes):
                net = Build(input_shape, classes)
                net.conv("conv1", self.filters, kernel=3, stride=2, padding=1)
                net.conv("conv2", classes, kernel=3, stride=2, padding=1)
                net.average("scores")
                return net.done()

    Its fields are the metaparameters (`dse.fields`).

    Attributes:
        side: height and width, in pixels, of the images that it is published for.
        spaces: named search spaces: the values of each field that is varied.
    """

    side: ClassVar[int] = 224
    spaces: ClassVar[Mapping[str, Mapping[str, Values]]] = {}

    def architecture(self, input_shape: Shape, classes: int) -> Architecture:
        """Build the network of this point, without side effects and without JAX.

        Args:
            input_shape: height, width, channels of one image.
            classes: number of class scores.

        Raises:
            DseError: the input is too small, or the number of classes is invalid.
        """
        raise NotImplementedError

    def network(self, input_shape: Shape, classes: int) -> Architecture:
        """Call `architecture`, which a user may have written, and check its result.

        Raises:
            DseError: it raises any exception, or does not return an `Architecture`.
        """
        try:
            made = self.architecture(input_shape, classes)
        except InputTooSmall as error:
            raise DseError(f"{error}; {self._needed(input_shape, classes)}") from error
        except DseError:
            raise
        except (Exception, SystemExit) as error:
            frames = traceback.extract_tb(error.__traceback__)
            own = getattr(sys.modules.get(type(self).__module__), "__file__", None)
            place = [*frames, *(x for x in frames if x.filename == own)][-1]
            raise DseError(
                f"{self.name} has no network of {self.short()}: "
                f"{type(error).__name__}: {error} ({place.filename}, line "
                f"{place.lineno})"
            ) from error
        if not isinstance(made, Architecture):
            raise DseError(
                f"{self.name} gives {type(made).__name__} as its network; expected "
                "an Architecture: end with return net.done()"
            )
        for layer in made.layers:
            layer.checked()
        return made

    def published_network(self) -> Architecture:
        """The network for ImageNet: images of `side` pixels, 1,000 classes.

        Raises:
            DseError: see `network`.
        """
        return self.network((self.side, self.side, 3), IMAGENET_CLASSES)

    def _needed(self, input_shape: Shape, classes: int) -> str:
        """Description of the least square input for which there is a network."""
        for side in range(min(input_shape[:2]) + 1, LARGEST_NEEDED + 1):
            with suppress(Exception, SystemExit):  # a user's family may raise any
                self.architecture((side, side, input_shape[2]), classes)
                return f"{self.name} of {self.short()} needs {side}x{side} pixels"
        return f"{self.name} needs more than {LARGEST_NEEDED}x{LARGEST_NEEDED} pixels"

    def derived(self) -> Mapping[str, float]:
        """Numbers computed from the metaparameters that get a column in tables."""
        return {}

    def note(self) -> str:
        """Text that a label adds in brackets if rounding changed a metaparameter."""
        return ""

    def modules(self) -> Mapping[str, Mapping[str, int]]:
        """Widths of each module, shown in the table of layers."""
        return {}

    @classmethod
    def published(cls) -> Mapping[str, Source]:
        """Results that papers print for this family, by figure or table."""
        return {}

    @classmethod
    def costs(
        cls, points: Mapping[str, ArrayLike], input_shape: Shape, classes: int
    ) -> CostArrays:
        """Compute the costs of every point of the broadcast arrays.

        This builds one network at a time; a family with closed forms overrides it.
        Metaparameters that are not in `points` have their defaults.
        """
        arrays = np.broadcast_arrays(*points.values()) if points else [np.zeros(())]
        listed = [array.reshape(-1).tolist() for array in arrays]
        found = []
        for values in zip(*listed, strict=True):
            point = cls.of(dict(zip(points, values, strict=False)))
            whole = cost(point.network(input_shape, classes))
            found.append((whole.params, whole.macs, whole.activations))
        columns = np.array(found, np.int64).reshape(-1, 3).T
        return CostArrays(*(column.reshape(arrays[0].shape) for column in columns))

    @property
    def unstated(self) -> tuple[str, ...]:
        """Fields whose values nobody stated; a preset scales them."""
        return tuple(x for x in self.fields if isinstance(getattr(self, x), Unstated))

    def scaled(self, width: float) -> Self:
        """This point with its unstated fields multiplied by `width`."""
        scaled: dict[str, Any] = {}
        for name in self.unstated:
            value = getattr(self, name) * width
            if self.fields[name].kind == "whole":
                value = max(self.fields[name].least or 0, math.floor(value + 0.5))
            scaled[name] = value
        return dataclasses.replace(self, **scaled)  # type: ignore[type-var]

    def short(self) -> str:
        """Short text of the point: its numbers, and choices other than the default."""
        plain = type(self)()
        return ", ".join(
            field.named(name, value)
            for name, field in self.fields.items()
            if field.kind in ("whole", "real")
            or self.values[name] != getattr(plain, name)
            for value in [self.values[name]]
        )
