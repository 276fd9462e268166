"""What pruning a layer costs is the difference to the same network as trained."""

import math

import pandas as pd
import pytest

from dse.report.sensitivity import changes_of


def run(arch, replicate, test, pruned=None, density=math.nan):
    return {
        "run_id": 0,
        "arch_id": arch,
        "replicate": replicate,
        "stages": None if pruned is None else "prune",
        "pruned": pruned,
        "density": density,
        "val_accuracy": test + 0.01,
        "test_accuracy": test,
    }


def test_changes_by_hand():
    runs = pd.DataFrame(
        [
            run("a", 0, 0.80),
            run("a", 1, 0.70),
            run("b", 0, 0.50),
            run("a", 0, 0.79, "conv1", 0.5),
            run("a", 1, 0.66, "conv1", 0.5),
            run("b", 0, 0.51, "conv1", 0.5),
            run("a", 0, 0.60, "conv2", 0.25),
            run("c", 0, 0.60, "conv2", 0.25),  # its network as trained is not there
        ]
    )
    found = changes_of(runs)
    assert found["layer"].tolist() == ["conv1", "conv2"]
    assert found["runs"].tolist() == [3, 1]
    # -1, -4 and +1 points.
    assert found["test"].tolist() == pytest.approx([-0.04 / 3, -0.2])
    assert found["validation"].tolist() == pytest.approx([-0.04 / 3, -0.2])
    assert found["test_least"].tolist() == pytest.approx([-0.04, -0.2])
    assert found["test_greatest"].tolist() == pytest.approx([0.01, -0.2])
