"""Labels of points that keep clear of each other and of the points."""

from collections.abc import Sequence
from typing import NamedTuple

from dse.analysis.plotting import LABEL, Axes

LETTER, HEIGHT, POINT = 4.1, 8.5, 4.0
"""Width of a letter, height of a line and half a marker, in points."""
PLACES = (
    (0.0, -5.0, "center", "top"),
    (0.0, 5.0, "center", "bottom"),
    (6.0, 0.0, "left", "center"),
    (-6.0, 0.0, "right", "center"),
    (6.0, -7.0, "left", "top"),
    (6.0, 7.0, "left", "bottom"),
    (-6.0, -7.0, "right", "top"),
    (-6.0, 7.0, "right", "bottom"),
)
"""Offsets in points and alignments that are tried in turn."""


class Box(NamedTuple):
    """A rectangle on the page, in points."""

    left: float
    low: float
    right: float
    high: float

    def meets(self, other: "Box") -> bool:
        """Check whether two rectangles overlap."""
        return (
            self.left < other.right
            and other.left < self.right
            and self.low < other.high
            and other.low < self.high
        )


def place_labels(
    ax: Axes, points: Sequence[tuple[float, float]], labels: Sequence[str]
) -> None:
    """Label points, each in the first place that is free; below if none is.

    The limits of the axes must be final.
    """
    at = [_on_page(ax, point) for point in points]
    taken = [Box(x - POINT, y - POINT, x + POINT, y + POINT) for x, y in at]
    for point, (x, y), label in zip(points, at, labels, strict=True):
        boxes = [_box(x, y, label, *place) for place in PLACES]
        free = [not any(box.meets(other) for other in taken) for box in boxes]
        chosen = free.index(True) if any(free) else 0
        taken.append(boxes[chosen])
        _annotate(ax, label, point, *PLACES[chosen])


def label_below(
    ax: Axes, points: Sequence[tuple[float, float]], labels: Sequence[str]
) -> None:
    """Label points below them, the upper ones first; a line lower if that is taken.

    The limits of the axes must be final.
    """
    across, up, *_ = place = PLACES[0]
    lower = [0] * len(points)
    taken: list[Box] = []
    for i in sorted(range(len(points)), key=lambda i: -points[i][1]):
        x, y = _on_page(ax, points[i])
        while any(_box(x, y - lower[i], labels[i], *place).meets(o) for o in taken):
            lower[i] += 1
        taken.append(_box(x, y - lower[i], labels[i], *place))
    for point, label, down in zip(points, labels, lower, strict=True):
        _annotate(ax, label, point, across, up - down, *place[2:])


def _on_page(ax: Axes, point: tuple[float, float]) -> tuple[float, float]:
    """A point of the data in points of the page."""
    x, y = ax.transData.transform(point) * 72 / ax.figure.dpi
    return float(x), float(y)


def _annotate(
    ax: Axes,
    label: str,
    point: tuple[float, float],
    across: float,
    up: float,
    horizontal: str,
    vertical: str,
) -> None:
    ax.annotate(
        label,
        point,
        xytext=(across, up),
        textcoords="offset points",
        ha=horizontal,
        va=vertical,
        **LABEL,
    )


def _box(
    x: float,
    y: float,
    label: str,
    across: float,
    up: float,
    horizontal: str,
    vertical: str,
) -> Box:
    """Approximate place of a label on the page."""
    lines = label.split("\n")
    width, height = LETTER * max(map(len, lines)), HEIGHT * len(lines)
    left = x + across - width * {"left": 0, "center": 0.5, "right": 1}[horizontal]
    low = y + up - height * {"bottom": 0, "center": 0.5, "top": 1}[vertical]
    return Box(left, low, left + width, low + height)
