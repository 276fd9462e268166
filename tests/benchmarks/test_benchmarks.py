"""The benchmarks' arithmetic by hand, and one contender that really trains."""

import json
import math
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

import dse
from dse.analysis.statistics import mean_interval
from dse.families.squeezenet import SqueezeNet
from dse.runs.recipe import Recipe

FOLDER = Path(dse.__file__).parents[1] / "experiments" / "benchmarks"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="not a checkout")


@pytest.fixture(autouse=True)
def among_the_benchmarks(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))


def test_the_thirteen_cells_of_figure_3():
    from speed import figure_3_cells

    cells = figure_3_cells(1.0)
    assert len(cells) == 5 + 9 - 1
    assert {(c.base_e, c.incr_e) for c in cells} == {(128, 128)}


def test_ratios_are_to_the_best_of_a_group():
    from speed import contenders_on_cpu, far_behind, geometric_mean, ratio, rivals

    groups = rivals(contenders_on_cpu(2))
    assert [len(group) for group in groups.values()] == [4, 6, 2]
    speeds = {"dse": 300.0, "eager, 1 process": 100.0, "compiled, 1 process": 200.0}
    measured = {name: {"images_per_second": speed} for name, speed in speeds.items()}
    assert ratio(measured, "dse", groups["float32"]) == 1.5
    assert geometric_mean([2, 8]) == pytest.approx(4)
    measured["eager, bfloat16, 1 process"] = {"images_per_second": 1000.0}
    known = [c for c in contenders_on_cpu(2) if c.name in measured]
    dropped = [c.name for c in known if far_behind(c, measured, known)]
    # Under 0.7 of the best float32; bfloat16 is measured against its own kind.
    assert dropped == ["eager, 1 process"]


def test_forms_agree_where_the_interval_lies_within_the_margin():
    from agreement import compare

    reference = {0: 0.80, 1: 0.82, 2: 0.84, 3: 0.5}
    near = {"reference": reference, "device": {0: 0.81, 1: 0.82, 2: 0.83}}
    told = compare(near, 0.03)
    # Differences 0.01, 0, -0.01: deviation 0.01, t(0.975; 2) = 4.303.
    half = 4.3027 * 0.01 / math.sqrt(3)
    assert told["mean_difference"] == pytest.approx(0)
    assert told["interval"] == pytest.approx([-half, half], rel=1e-4)
    assert told["verdict"].startswith("the forms agree")
    assert "3 replicates, 1 trained in one form only" in told["verdict"]
    assert compare(near, 0.02)["verdict"].startswith("undecided")
    worse = {r: accuracy - 0.1 + 0.001 * r for r, accuracy in reference.items()}
    told = compare({"reference": reference, "device": worse}, 0.03)
    assert told["verdict"].startswith("the forms DIFFER")
    told = compare({"reference": reference, "device": {0: 0.8}}, 0.03)
    assert "too few" in told["verdict"]


def test_a_result_is_written_with_its_machine(tmp_path):
    from machine import write_result

    file = write_result(tmp_path / "new", "quick", {"cells": []})
    told = json.loads(file.read_text())
    assert told["cells"] == []
    assert told["machine"]["jax"]
    assert [f.name for f in file.parent.iterdir()] == [file.name]


@pytest.mark.slow
def test_a_contender_trains_when_it_is_told_to(monkeypatch):
    """Images a second that a process of ours reports, in both of its turns."""
    from speed import Contender, racing

    point = SqueezeNet(4, 4, sr=0.5)
    wanted = {
        "family": point.name,
        "metaparameters": point.values,
        "input_shape": point.architecture((28, 28, 1), 10).input_shape,
        "recipe": asdict(Recipe(2, 0.05, batch_size=8, crop_padding=0, mirror=False)),
        "images": 16,
        "device": "cpu",
    }
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    ours = Contender("dse", "dse", processes=2, threads=1, huge_pages=True)
    with racing(wanted, ours) as racer:
        assert all(answer["ready_seconds"] > 0 for answer in racer.first)
        assert min(racer.round(0.2), racer.round(0.2)) > 0
        assert racer.peak_bytes > 2**20
        processes = racer._processes
    assert all(process.poll() is not None for process in processes)
    # One that cannot begin says so, and is gone too.
    begun = []
    monkeypatch.setattr(
        "speed.Racer.begin", lambda racer, _: begun.append(racer) or 1 / 0
    )
    with pytest.raises(ZeroDivisionError), racing({}, ours):
        pass
    [failed] = begun
    processes = failed._processes
    assert all(process.poll() is not None for process in processes)


def test_of_two_cells_pooled_and_paired_are_the_same():
    from intervals import misses, paired, pooled

    scores = np.array([[[0.5, 0.6, 0.4], [0.7, 0.9, 0.5]], [[3, 2, 1], [0, 0, 0]]])
    np.testing.assert_allclose(pooled(scores), paired(scores))
    # Differences 3, 2, 1: mean 2, deviation 1, t(0.975; 2) = 4.302653.
    assert paired(scores)[1] == pytest.approx(4.302653 / math.sqrt(3), rel=1e-6)
    share, _ = misses(lambda _: np.array([0.1, 1.9]), scores)
    assert share == 0.5  # -0.2 is no miss above, 2 > 1.9 is one


def test_trivial_runs_go_through_the_driver(workplace):
    from driver import seconds_per_trivial_run

    assert 0 < seconds_per_trivial_run(4, keep_weights=True) < 10


def test_intervals_of_means_by_hand():
    from intervals import needed_range, on_the_logit, plain

    shares = np.array([[0.1, 0.2, 0.6]])
    low, high = plain(shares)
    half = 4.302653 * math.sqrt(0.07 / 3)
    assert (low[0], high[0]) == pytest.approx((0.3 - half, 0.3 + half), rel=1e-6)
    ends = [end[0] for end in on_the_logit(shares)]
    assert ends == pytest.approx(mean_interval(shares[0]))
    # Nothing is in doubt where the values hardly scatter.
    generator = np.random.default_rng(0)
    assert needed_range(np.array([1, 1.01, 0.99]), generator) == (4, 4)
    least, most = needed_range(np.array([1.0, -1.0, 0.5]), generator)
    assert least < 10
    assert most > 100


def test_claims_that_equal_differences_would_decide():
    from intervals import called_false

    # Equal at -0.1; open; surely below 0; surely above.
    differences = [[-0.1, -0.1], [-0.1, 0.1], [-0.5, -0.501], [0.5, 0.501]]
    assert called_false(np.array(differences), 0.05) == (0.5, 0.25)
