"""A point as a database holds it: it needs no code of its family."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from dse.arch.graph import Architecture
from dse.arch.layer import Shape
from dse.errors import DseError
from dse.fields import Field


@dataclass(frozen=True)
class Recorded:
    """A point of a family that need not be installed, with its only network.

    Attributes:
        name: name of its family.
        key: what identifies it (`dse.runs.records.point_key`).
        fields: the family's fields.
        stored: its metaparameters.
        architecture: the network that was trained.
        numbers: what `derived` gave.
        remark: what `note` gave.
    """

    name: str
    key: str
    fields: Mapping[str, Field] = field(compare=False)
    stored: Mapping[str, Any] = field(compare=False)
    architecture: Architecture = field(compare=False)
    numbers: Mapping[str, float] = field(default_factory=dict, compare=False)
    remark: str = field(default="", compare=False)
    unstated: tuple[str, ...] = field(default=(), compare=False)

    @property
    def values(self) -> dict[str, Any]:
        """Plain values by name."""
        return dict(self.stored)

    def network(self, input_shape: Shape, classes: int) -> Architecture:
        """The network, for the images and classes that it was trained on.

        Raises:
            DseError: they are others.
        """
        known = self.architecture.input_shape, self.architecture.classes
        if known != (tuple(input_shape), classes):
            raise DseError(
                f"{self.short()} was trained on images of {_sizes(known[0])} and "
                f"{known[1]} classes; these have {_sizes(input_shape)} and {classes}: "
                "name the set that it was trained on"
            )
        return self.architecture

    def derived(self) -> Mapping[str, float]:
        """Numbers computed from the metaparameters when it was entered."""
        return self.numbers

    def note(self) -> str:
        """Text that a label adds in brackets."""
        return self.remark

    def short(self) -> str:
        """Short text of the point: its metaparameters, without long texts."""
        return ", ".join(
            self.fields[name].named(name, value)
            for name, value in self.values.items()
            if self.fields[name].kind in ("whole", "real") and value is not None
        )

    def scaled(self, width: float) -> Self:
        """Itself: its widths are those that were trained."""
        del width
        return self

    def changed(self, changes: Mapping[str, Any]) -> Self:
        """Itself.

        Raises:
            DseError: something changes.
        """
        for name in changes:
            raise DseError(f"{name} of a network that is trained cannot be changed")
        return self


def _sizes(shape: Shape) -> str:
    return "x".join(map(str, shape))
