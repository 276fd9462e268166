"""Labels of points: the values in which they differ, in the words of their fields."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from dse.fields import Field, Fields
from dse.runs.staged import OF_STAGES, Network


class Shown(NamedTuple):
    """A point to be labelled; its family need not be installed.

    Attributes:
        family: name of its family.
        values: its metaparameters.
        note: text that the label adds in brackets.
    """

    family: str
    values: Mapping[str, Any]
    note: str = ""

    @classmethod
    def of(cls, point: Network) -> "Shown":
        """Make it from an instance of a family, with stages or without."""
        return cls(point.name, point.values, point.note())


def fields_of_points(points: Sequence[Network]) -> Fields:
    """Fields of the families of `points`, with those of their stages."""
    found: dict[str, dict[str, Field]] = {}
    for point in points:
        found.setdefault(point.name, {}).update(point.fields)
    return found


def _has(values: Mapping[str, Any], name: str) -> bool:
    """Whether a point has the field: those of a stage only where it is performed."""
    return name not in OF_STAGES or values.get(name) is not None


def varied_names(points: Sequence[Shown], fields: Fields) -> dict[str, list[str]]:
    """Fields in which the points of a family differ, by family."""
    found = {}
    for family in dict.fromkeys(point.family for point in points):
        own = [point.values for point in points if point.family == family]
        found[family] = [
            name
            for name in fields[family]
            if len({repr(values.get(name)) for values in own if _has(values, name)}) > 1
        ]
    return found


def labels(
    points: Sequence[Shown], fields: Fields, *, named: bool = False
) -> list[str]:
    """Label each point, as in `SR 0.5`, `50 %`, `sr 0.5, bypass simple`.

    If `named`, a single value has its field's name too, as in a list without a title.
    """
    names = varied_names(points, fields)
    return [_label(point, fields[point.family], names, named) for point in points]


def named_labels(points: Sequence[Network]) -> list[str]:
    """Label points in a list without a title, each in a line."""
    shown = [Shown.of(point) for point in points]
    found = labels(shown, fields_of_points(points), named=True)
    return [label.replace("\n", " ") for label in found]


def _label(
    point: Shown, own: Mapping[str, Any], names: Mapping[str, list[str]], named: bool
) -> str:
    differing = names[point.family]
    words = [
        own[name].named(name, point.values.get(name))
        if named or len(differing) > 1 or len(names) > 1
        else own[name].written(point.values.get(name))
        for name in differing
        if _has(point.values, name)
    ]
    if len(names) > 1 or not words:
        words = [" ".join([point.family, *words[:1]]), *words[1:]]
    note = f"\n({point.note})" if point.note else ""
    return ", ".join(words) + note
