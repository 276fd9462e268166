"""What to call points: by what tells them apart, in the words of their fields."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from dse.arch.family import Family
from dse.fields import Fields


class Shown(NamedTuple):
    """A point to be called something; its family need not be here.

    Attributes:
        family: its name.
        values: the metaparameters.
        note: what a label adds in brackets.
    """

    family: str
    values: Mapping[str, Any]
    note: str = ""

    @classmethod
    def of(cls, point: Family) -> "Shown":
        """A point at hand."""
        return cls(point.name, point.values, point.note())


def fields_of_points(points: Sequence[Family]) -> Fields:
    """The fields of the families of points at hand."""
    return {point.name: point.fields for point in points}


def varied_names(points: Sequence[Shown], fields: Fields) -> dict[str, list[str]]:
    """By family, the fields in which its points differ."""
    found = {}
    for family in dict.fromkeys(point.family for point in points):
        own = [point.values for point in points if point.family == family]
        found[family] = [
            name
            for name in fields[family]
            if len({repr(values.get(name)) for values in own}) > 1
        ]
    return found


def labels(
    points: Sequence[Shown], fields: Fields, *, named: bool = False
) -> list[str]:
    """A label for each point: `SR 0.5`, `50 %`, `sr 0.5, bypass simple`.

    Args:
        points: what is shown together.
        fields: by family, what is known of its metaparameters.
        named: whether a value that is alone has its field's name too, as in a list
            without a title.
    """
    names = varied_names(points, fields)
    return [_label(point, fields[point.family], names, named) for point in points]


def _label(
    point: Shown, own: Mapping[str, Any], names: Mapping[str, list[str]], named: bool
) -> str:
    differing = names[point.family]
    words = [
        own[name].named(name, point.values.get(name))
        if named or len(differing) > 1 or len(names) > 1
        else own[name].written(point.values.get(name))
        for name in differing
    ]
    if len(names) > 1 or not words:
        words = [" ".join([point.family, *words[:1]]), *words[1:]]
    note = f"\n({point.note})" if point.note else ""
    return ", ".join(words) + note
