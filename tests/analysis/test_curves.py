import pandas as pd
import pytest

from dse.analysis.curves import (
    agreement_with_end,
    draw_agreement,
    draw_curves,
    mean_curves,
)
from dse.analysis.plotting import new_figure

RUNS = pd.DataFrame(
    {
        "run_id": [1, 2, 3, 4],
        "cell_id": ["a", "a", "b", "b"],
        "status": ["complete", "complete", "complete", "failed"],
    }
)
EPOCHS = pd.DataFrame(
    [
        (1, "a", 1, 0.2),
        (1, "a", 2, 0.6),
        (2, "a", 1, 0.4),
        (2, "a", 2, 0.8),
        (3, "b", 1, 0.5),
        (3, "b", 2, 0.5),
        (4, "b", 1, 0.1),
    ],
    columns=["run_id", "cell_id", "epoch", "val_accuracy"],
)


def test_means_are_over_completed_runs():
    curves = mean_curves(EPOCHS, RUNS)
    assert curves["a"].tolist() == pytest.approx([0.3, 0.7])
    assert curves["b"].tolist() == [0.5, 0.5]


def test_agreement_by_hand():
    curves = pd.DataFrame(
        {"a": [0.3, 0.1, 0.1], "b": [0.2, 0.3, 0.2], "c": [0.1, 0.2, 0.3]},
        index=[1, 2, 3],
    )
    # All three pairs turned round; then one of three; then none.
    assert agreement_with_end(curves).tolist() == pytest.approx([-1, 1 / 3, 1])


def test_cells_that_are_equal_have_no_order():
    _, [order] = new_figure(1, "Order", "")
    draw_agreement(order, pd.DataFrame({"a": [0.1, 1.0], "b": [0.2, 1.0]}, [1, 2]))
    assert order.get_xlim() == (0.7, 2.3)


def test_every_cell_has_its_curve_and_name():
    _, [curves, order] = new_figure(2, "Curves", "")
    means = mean_curves(EPOCHS, RUNS)
    draw_curves(curves, means, ["SR 0.5", "1 %\n(0.6 %)"])
    draw_agreement(order, means)
    assert [text.get_text() for text in curves.get_legend().get_texts()] == [
        "SR 0.5",
        "1 % (0.6 %)",
    ]
    assert curves.lines[0].get_ydata() == pytest.approx([30, 70])
    markers = {line.get_marker() for line in curves.lines}
    assert len(markers) == 2
