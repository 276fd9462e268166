"""A family of networks: a point of its design space is an instance."""

import dataclasses
import math
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike

from dse.arch.closed_form import CostArrays
from dse.arch.cost import cost
from dse.arch.graph import Architecture
from dse.arch.layers import Shape
from dse.declared import Declared
from dse.errors import DseError
from dse.fields import Grid, Unstated

Values = Grid | tuple[Any, ...]
"""What a metaparameter may be, in a space."""


@dataclass(frozen=True)
class Published:
    """One point that a paper prints.

    Attributes:
        point: the network, whole.
        size_mib: its printed size; "MB" of `ls -h` are MiB, rounded up.
        top5: top-5 accuracy, per cent.
        top1: top-1 accuracy, per cent, where it is printed.
    """

    point: "Family"
    size_mib: float
    top5: float
    top1: float | None = None


@dataclass(frozen=True)
class Source:
    """A figure or table of a paper.

    Attributes:
        points: what it prints.
        slips: where the paper contradicts itself.
        parameters: that it prints, by module.
    """

    points: tuple[Published, ...] = ()
    slips: tuple[str, ...] = ()
    parameters: Mapping[str, int] = dataclasses.field(default_factory=dict)


class Family(Declared):
    """Networks of one kind. A subclass, in any file, is all that a new one takes.

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
        side: pixels of the square images that it is published for.
        spaces: named spaces for searches: the values of each field that is varied.
    """

    side: ClassVar[int] = 224
    spaces: ClassVar[Mapping[str, Mapping[str, Values]]] = {}

    def architecture(self, input_shape: Shape, classes: int) -> Architecture:
        """The network of this point. Pure, and without JAX.

        Args:
            input_shape: height, width, channels of one image.
            classes: class scores.

        Raises:
            DseError: the input is too small for it, or the classes are none.
        """
        raise NotImplementedError

    def network(self, input_shape: Shape, classes: int) -> Architecture:
        """What `architecture` gives, checked: it may be a person's own.

        Raises:
            DseError: it raises something else, or gives something else.
        """
        try:
            made = self.architecture(input_shape, classes)
        except DseError:
            raise
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
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
        return made

    def derived(self) -> Mapping[str, float]:
        """Numbers that follow from the metaparameters and are worth a column."""
        return {}

    def note(self) -> str:
        """What a label adds in brackets, where rounding made another value of one."""
        return ""

    def modules(self) -> Mapping[str, Mapping[str, int]]:
        """By module, what a table of its layers shows besides: its widths."""
        return {}

    @classmethod
    def published(cls) -> Mapping[str, Source]:
        """What papers print of it, by figure or table."""
        return {}

    @classmethod
    def costs(
        cls, points: Mapping[str, ArrayLike], input_shape: Shape, classes: int
    ) -> CostArrays:
        """Costs of every point of the broadcast arrays; here one network at a time.

        A family that has them in closed form overrides it.

        Args:
            points: metaparameters by name; the rest have their defaults.
            input_shape: height, width, channels of one image.
            classes: class scores.
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
        """The fields that nobody stated, and that a preset scales."""
        return tuple(x for x in self.fields if isinstance(getattr(self, x), Unstated))

    def scaled(self, width: float) -> Self:
        """This point with what nobody stated at a share of its published width."""
        scaled: dict[str, Any] = {}
        for name in self.unstated:
            value = getattr(self, name) * width
            if self.fields[name].kind == "whole":
                value = max(self.fields[name].least or 0, math.floor(value + 0.5))
            scaled[name] = value
        return dataclasses.replace(self, **scaled)  # type: ignore[type-var]

    def short(self) -> str:
        """The point in a few words: its numbers, and the choices that are not plain."""
        plain = type(self)()
        return ", ".join(
            field.named(name, value)
            for name, field in self.fields.items()
            if field.kind in ("whole", "real")
            or self.values[name] != getattr(plain, name)
            for value in [self.values[name]]
        )
