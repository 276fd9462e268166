"""Columns of metaparameters in tables: a name has one kind over all families."""

from collections.abc import Collection, Iterable, Mapping

from dse.arch.family import Family
from dse.errors import DseError
from dse.fields import Fields, Kind
from dse.runs.labels import fields_of_points
from dse.runs.staged import Network, unstaged

ALIKE: tuple[tuple[frozenset[Kind], Kind], ...] = (
    (frozenset({"whole", "real"}), "real"),
    (frozenset({"choice", "text"}), "text"),
)
"""Different kinds that share a column, and the column's kind."""

NOUNS: Mapping[Kind, str] = {
    "whole": "a whole number",
    "real": "a real number",
    "choice": "a word",
    "text": "a text",
    "flag": "True or False",
}


def columns_of(fields: Fields) -> dict[str, Kind]:
    """Columns of metaparameters, with their kinds.

    Whole and real numbers of one name are a column of real numbers.

    Raises:
        DseError: a name has kinds that cannot share a column in two families.
    """
    kinds: dict[str, Kind] = {}
    first: dict[str, tuple[str, Kind]] = {}
    for family, own in fields.items():
        for name, field in own.items():
            other, before = first.setdefault(name, (family, field.kind))
            kind = _common(kinds.get(name, field.kind), field.kind)
            if kind is None:
                raise DseError(
                    f"{name} is {NOUNS[field.kind]} in family {family} and "
                    f"{NOUNS[before]} in family {other}; a column of the tables has "
                    "one kind: rename one, or take another --storage"
                )
            kinds[name] = kind
    return kinds


def _common(one: Kind, other: Kind) -> Kind | None:
    """The kind of a column with values of both kinds; None if there is none."""
    if one == other:
        return one
    return next((kind for kinds, kind in ALIKE if {one, other} <= kinds), None)


def check_derived(kinds: Collection[str], derived: Iterable[str]) -> None:
    """Refuse a derived number that has the name of a metaparameter.

    Raises:
        DseError: one has.
    """
    for name in derived:
        if name in kinds:
            raise DseError(
                f"a derived number is called {name}, as a metaparameter; rename one"
            )


def check_columns(points: Iterable[Network]) -> None:
    """Check that the families of these points can share a table.

    Raises:
        DseError: a name has different kinds, or is a metaparameter here and a derived
            number there.
    """
    listed = list(points)
    kinds = columns_of(fields_of_points(listed))
    for point in {point.name: unstaged(point) for point in listed}.values():
        # Of the point of all defaults, which is known to have them.
        plain = type(point)() if isinstance(point, Family) else point
        check_derived(kinds, plain.derived())
