"""Labels keep clear of points and of each other."""

import itertools

import numpy as np

from dse.analysis.labelling import Box, label_below, place_labels
from dse.analysis.plotting import Figure, drawing


def test_rectangles_by_hand():
    box = Box(0, 0, 10, 5)
    assert box.meets(Box(9, 4, 20, 20))
    assert box.meets(Box(-5, -5, 1, 1))
    assert not box.meets(Box(10, 0, 20, 5))  # they touch
    assert not box.meets(Box(0, 6, 10, 9))


def drawn_by(place, points, labels, across, up):
    """The axes, and where its labels lie in pixels; none lies on another."""
    with drawing():
        figure = Figure(figsize=(5, 4))
        ax = figure.subplots()
        ax.plot(*np.array(points).T, "o")
        ax.set_xlim(*across)
        ax.set_ylim(*up)
        place(ax, points, labels)
        figure.draw_without_rendering()
        drawn = [text.get_window_extent() for text in ax.texts]
    assert [text.get_text() for text in ax.texts] == labels
    for one, other in itertools.combinations(drawn, 2):
        assert not one.overlaps(other)
    return ax, drawn


def test_labels_of_neighbours_do_not_overlap():
    points = [(10.0, 50.0), (11.0, 50.2), (12.0, 49.9), (40.0, 70.0)]
    labels = ["GoogLeNet", "ResNet 18", "heads auxiliary", "far"]
    ax, drawn = drawn_by(place_labels, points, labels, (0, 60), (40, 80))
    # What has room is labelled below.
    assert drawn[3].y1 < ax.transData.transform(points[3])[1]


def test_where_nothing_is_free_a_label_is_still_there():
    ax = Figure(figsize=(5, 4)).subplots()
    ax.plot([0, 1], [0, 1], "o")
    points = [(0.5, 0.5)] * 12
    place_labels(ax, points, [f"network {i}" for i in range(12)])
    assert len(ax.texts) == 12


def test_labels_below_points_of_one_size():
    """As none and simple bypass, which have as many parameters."""
    points = [(5.0, 50.0), (5.0, 50.3), (5.1, 49.9), (9.0, 50.0)]
    labels = ["none", "simple\n(two lines)", "other", "far"]
    ax, drawn = drawn_by(label_below, points, labels, (0, 10), (40, 60))
    none, simple, other, _ = drawn
    assert simple.y0 > none.y1 > other.y1
    for point, box in zip(points, drawn, strict=True):
        x, y = ax.transData.transform(point)
        assert box.y1 < y
        assert box.x0 < x < box.x1
