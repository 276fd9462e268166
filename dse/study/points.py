"""The points of an experiment as a person lists them: plain, by name, or in series."""

from collections.abc import Mapping, Sequence

from dse.arch.family import Family
from dse.errors import DseError

Points = Mapping[str, Family | Sequence[Family]] | Sequence[Family]
"""Networks, networks by name, or several networks by the name of their series."""


def every_point(points: Points) -> list[Family]:
    """All networks, in order; what is none is kept for the checks."""
    if not isinstance(points, Mapping):
        return list(points)
    return [point for each in points.values() for point in _several(each)]


def series_of(points: Points) -> Mapping[str, Sequence[Family]]:
    """Networks by series; a single network by name is a series too.

    Empty if there is no series of several networks.
    """
    if not isinstance(points, Mapping):
        return {}
    if all(isinstance(each, Family) for each in points.values()):
        return {}
    return {name: list(dict.fromkeys(_several(each))) for name, each in points.items()}


def _several(each: Family | Sequence[Family]) -> list[Family]:
    """The networks of a series; one by name is a series of one."""
    return list(each) if isinstance(each, list | tuple) else [each]  # type: ignore[list-item]


def named_points(points: Points) -> Mapping[str, Family]:
    """Networks by name: the given one, or what differs from the family's default.

    Raises:
        DseError: two different networks get the same name.
    """
    several = len({type(point) for point in every_point(points)}) > 1
    pairs: list[tuple[str, Family]] = []
    if isinstance(points, Mapping):
        for name, each in points.items():
            if isinstance(each, Family):
                pairs.append((name, each))
            else:
                pairs += [(f"{name}, {point.short()}", point) for point in each]
    else:
        for point in points:
            short = point.short()
            pairs.append((f"{point.name} {short}" if several else short, point))
    named: dict[str, Family] = {}
    for name, point in pairs:
        if named.setdefault(name, point) != point:
            raise DseError(
                f"two points are both called {name!r}; name them, as "
                'points={"a": ..., "b": ...}'
            )
    return named
