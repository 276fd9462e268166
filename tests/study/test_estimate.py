"""What a plan is said to take, by hand."""

import json
import os

import pytest

import dse
from dse.arch.cost import cost
from dse.data.dataset import train_size
from dse.errors import DseError
from dse.families.nin import Nin
from dse.families.resnet import ResNet
from dse.families.squeezenet import SqueezeNet
from dse.runs.cell import Cell
from dse.runs.recipe import Recipe
from dse.study.calibration import (
    _nothing_compiled_before,
    _random_images,
    speed_from_benchmark,
)
from dse.study.estimate import (
    IMAGENET,
    ImageSet,
    Speed,
    estimate,
    fit,
)
from dse.study.presets import PRESETS

NARROW, WIDE = SqueezeNet(16, 16), SqueezeNet(16, 16, sr=1.0)
SET = ImageSet("some", (28, 28, 1), 10, train=900, evaluated=100, test=200)


def network(point):
    return point.architecture(SET.image_shape, SET.classes)


def test_work_and_time_by_hand():
    macs = cost(network(NARROW)).macs
    speed = Speed(1e-9, 0.0, 4.0, workers=2, source="", start_seconds=3.0)
    # The last point is the first under another name: 0.13 and 0.125 both squeeze to 2,
    # 4, 6 and 8 filters.
    points = [("", p) for p in (NARROW, WIDE, SqueezeNet(16, 16, sr=0.13))]
    told = estimate(points, Recipe(3, 0.1), replicates=5, images=SET, speed=speed)
    assert len(told.cells) == 2
    assert told.images == 2700
    # Five runs of 2,700 images; 300 + 200 are scored at a third of a step's cost.
    passes = 5 * (2700 + 500 / 3)
    first = told.cells[0]
    assert first.training_macs == pytest.approx(3 * macs * passes)
    assert first.seconds == pytest.approx(1e-9 * macs * passes + 2)
    assert told.seconds == pytest.approx(3 + sum(c.seconds for c in told.cells))


def test_a_calibration_has_whole_groups_of_batch_norms():
    """Whatever the network costs: a batch of few images is made of groups too."""
    recipe = PRESETS["full"].recipe
    for point in (ResNet(depth=20), ResNet(depth=110), Nin(norm="batch")):
        architecture = network(point)
        assert architecture.group == 32
        dataset, short = _random_images(architecture, recipe, SET)
        assert short.batch_size % 32 == 0
        assert train_size(dataset) >= short.batch_size
        Cell(architecture, short, "random", "", dataset.class_names)


def test_arms_are_cells_of_their_own():
    speed = Speed(1e-9, 0.0, 4.0, workers=2, source="")
    points = [(arm, NARROW) for arm in ("first", "better")]
    told = estimate(points, Recipe(3, 0.1), replicates=1, images=SET, speed=speed)
    assert [cell.arm for cell in told.cells] == ["first", "better"]
    [alone] = estimate(points[:1], Recipe(3, 0.1), 1, SET, speed).cells
    assert told.seconds == 2 * alone.seconds


def test_imagenet_is_170_000_steps_of_512():
    speed = Speed(1e-12, 0.0, 0.0, 1, "")
    told = estimate(
        [("", SqueezeNet())], PRESETS["imagenet"].recipe, 1, IMAGENET, speed
    )
    assert told.images == 170_000 * 512
    assert told.images / 1_281_167 == pytest.approx(67.9, abs=0.05)
    assert IMAGENET.train + IMAGENET.evaluated == 1_281_167
    assert told.cells[0].macs == 861_339_936


def test_the_fit_finds_what_made_the_times():
    networks = [network(p) for p in (NARROW, WIDE, SqueezeNet(32, 32, sr=0.5))]
    costs = [cost(n) for n in networks]
    times = [2e-10 * c.macs + 3e-9 * c.activations for c in costs]
    assert fit(networks, times) == pytest.approx((2e-10, 3e-9))
    # Of one network alone the time is met, and no part is negative.
    a, b = fit(networks[:1], times[:1])
    assert min(a, b) >= 0
    assert a * costs[0].macs + b * costs[0].activations == pytest.approx(times[0])


def benchmark():
    return {
        "machine": {"device": "a processor", "cores": "2"},
        "processes": 2,
        "input_shape": [28, 28, 1],
        "cells": [
            {
                "metaparameters": {"base_e": 16, "incr_e": 16, "sr": sr},
                "contenders": {
                    "dse": {"images_per_second": speed, "ready_seconds": 4.0}
                },
            }
            for sr, speed in ((0.125, 8000.0), (1.0, 2000.0))
        ],
    }


def test_a_benchmark_of_another_machine(tmp_path):
    file = tmp_path / "cpu.json"
    file.write_text(json.dumps(benchmark()))
    speed = speed_from_benchmark(file)
    assert speed.workers == 2
    assert "a processor, 2 cores" in speed.source
    assert 1 / speed.seconds_per_image(network(WIDE)) == pytest.approx(2000, rel=0.3)
    file.write_text('{"cells": 3}')
    with pytest.raises(DseError, match=r"is no benchmark.* expected 'here' or a file"):
        speed_from_benchmark(file)
    with pytest.raises(DseError, match="No such file"):
        speed_from_benchmark(tmp_path / "absent.json")


def test_a_benchmark_of_networks_of_any_family(tmp_path):
    """Files of before name no family: there was one."""
    told = benchmark()
    told["cells"][1] |= {"family": "nin", "metaparameters": {"width": 0.125}}
    file = tmp_path / "cpu.json"
    file.write_text(json.dumps(told))
    speed = speed_from_benchmark(file)
    networks = [network(SqueezeNet(16, 16)), network(Nin(width=0.125))]
    a, b = fit(networks, [1 / 8000, 1 / 2000])
    assert (speed.seconds_per_mac, speed.seconds_per_activation) == (a, b)
    told["cells"][1]["family"] = "nought"
    file.write_text(json.dumps(told))
    with pytest.raises(DseError, match="is no benchmark, no family is called 'nought'"):
        speed_from_benchmark(file)


def test_the_cache_is_out_of_use_in_a_calibration_and_back_after_an_error(monkeypatch):
    import jax

    monkeypatch.delenv("JAX_ENABLE_COMPILATION_CACHE", raising=False)
    before = jax.config.jax_enable_compilation_cache
    with pytest.raises(KeyboardInterrupt), _nothing_compiled_before():
        assert os.environ["JAX_ENABLE_COMPILATION_CACHE"] == "false"
        assert not jax.config.jax_enable_compilation_cache
        raise KeyboardInterrupt
    assert "JAX_ENABLE_COMPILATION_CACHE" not in os.environ
    assert jax.config.jax_enable_compilation_cache == before


@pytest.mark.slow
def test_a_calibration_of_seconds(small_experiment, tmp_path, monkeypatch):
    compiled = tmp_path / "compiled"
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(compiled))
    told = dse.plan(str(small_experiment), dse.Options(seeds=3, workers=1))
    assert len(told.cells) == 2
    assert told.replicates == 3
    assert told.dataset == "stripes"
    assert told.images == 4 * 360
    assert all(cell.seconds > 0 for cell in told.cells)
    assert told.speed.compile_seconds > 0
    assert told.speed.start_seconds > 0
    # Compiled for itself alone: a cell of the sweep does not find its program ready.
    assert not compiled.exists()
    assert told.speed.source == "a calibration here, 1 worker"
