"""A line on points that are one network, and so one cell."""

from collections.abc import Iterable

MOST_SHOWN = 3
"""Most networks that the line names."""


def aliases_line(points: Iterable[tuple[str, str]]) -> str:
    """Name the networks that several points are; empty if every point is its own.

    Args:
        points: an identity of the network and a label of each point.
    """
    labels: dict[str, list[str]] = {}
    for network, label in points:
        labels.setdefault(network, []).append(label)
    shared = [_shown(listed) for listed in labels.values() if len(listed) > 1]
    if not shared:
        return ""
    count = sum(map(len, labels.values()))
    more = len(shared) - MOST_SHOWN
    listed = "; ".join(shared[:MOST_SHOWN]) + (f"; and {more} more" if more > 0 else "")
    networks = "1 network" if len(labels) == 1 else f"{len(labels)} networks"
    return f"{count} points are {networks}, a cell each: {listed}"


def _shown(listed: list[str]) -> str:
    different = list(dict.fromkeys(listed))
    if len(different) == 1:
        return f"{different[0]} ({len(listed)} times)"
    return " = ".join(different)
