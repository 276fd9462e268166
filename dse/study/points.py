"""The points of an experiment as a person lists them: plain, by name, or in series."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dse.arch.family import Family
from dse.errors import DseError
from dse.runs.labels import named_labels
from dse.runs.staged import Network

Points = Mapping[str, Network | Sequence[Network]] | Sequence[Network]
"""Networks, networks by name, or several networks by the name of their series."""

MOST_LETTERS = 60
"""Longest name of a point or a series."""


def check_listed(points: Any) -> None:
    """Check what holds the points, and their names; not yet the points themselves.

    Raises:
        DseError: it is no list and no mapping, a name is not allowed, or a series is
            empty.
    """
    if not isinstance(points, Mapping | list | tuple):
        raise DseError(
            f"the points of an experiment are a {type(points).__name__}; expected a "
            "list of networks, or networks by name"
        )
    for name, each in points.items() if isinstance(points, Mapping) else ():
        is_name = isinstance(name, str) and name.isprintable() and name == name.strip()
        # Matplotlib leaves names with _ at the beginning out of a legend.
        if not is_name or not 1 <= len(name) <= MOST_LETTERS or name[0] == "_":
            raise DseError(
                f"points are called {name!r}; expected a text of 1 to {MOST_LETTERS} "
                "printable letters, without spaces around it or _ at its beginning"
            )
        if not _several(each):
            raise DseError(f"the series {name!r} has no networks; leave it out")


def every_point(points: Points) -> list[Network]:
    """All networks, in order; what is none is kept for the checks."""
    if not isinstance(points, Mapping):
        return list(points)
    return [point for each in points.values() for point in _several(each)]


def series_of(points: Points) -> Mapping[str, Sequence[Network]]:
    """Networks by series; a single network by name is a series too.

    Empty if there is no series of several networks.
    """
    if not isinstance(points, Mapping):
        return {}
    if all(isinstance(each, Network) for each in points.values()):
        return {}
    return {name: list(dict.fromkeys(_several(each))) for name, each in points.items()}


def _several(each: Network | Sequence[Network]) -> list[Network]:
    """The networks of a series; one by name is a series of one."""
    return list(each) if isinstance(each, list | tuple) else [each]  # type: ignore[list-item]


def called_points(points: Points, width: float = 1.0) -> list[tuple[str, Network]]:
    """Every network after its name: the given one, or its metaparameters.

    Args:
        points: the points.
        width: factor of unstated widths, which changes the names of metaparameters.
    """
    if not isinstance(points, Mapping):
        return _called_by_values("", points, width)
    pairs: list[tuple[str, Network]] = []
    for name, each in points.items():
        if isinstance(each, Network):
            pairs.append((name, each))
        else:
            pairs += _called_by_values(f"{name}, ", each, width)
    return pairs


def _called_by_values(
    series: str, points: Iterable[Network], width: float
) -> list[tuple[str, Network]]:
    listed = list(points)
    scaled = [point.scaled(width) for point in listed]
    if all(isinstance(point, Family) for point in listed):
        several = len({point.name for point in listed}) > 1
        called = [f"{x.name} {x.short()}" if several else x.short() for x in scaled]
    else:  # with stages all values would be too long
        called = named_labels(scaled)
    return [(f"{series}{name}", x) for name, x in zip(called, listed, strict=True)]


def named_points(points: Points) -> Mapping[str, Network]:
    """Networks by name: the given one, or their metaparameters before any scaling.

    Raises:
        DseError: two different networks get the same name.
    """
    named: dict[str, Network] = {}
    for name, point in called_points(points):
        if named.setdefault(name, point) != point:
            raise DseError(
                f"two points are both called {name!r}; name them, as "
                'points={"a": ..., "b": ...}'
            )
    return named
