"""Numbers are refused before any work, by the classes that hold them."""

import json
import math
import os
import time
from fractions import Fraction

import numpy as np
import pytest

import dse
from dse.arch.cost import cost
from dse.bounds import MOST, brief, check_number, check_whole
from dse.cli import main
from dse.errors import DseError
from dse.execute.execution import Execution
from dse.families.squeezenet import SqueezeNet
from dse.runs.recipe import Recipe
from dse.spaces.budget import Budget
from dse.spaces.space import named_space
from dse.study.calibration import speed_from_benchmark
from dse.study.experiment import Experiment
from dse.study.loading import MOST_RUNS, check_runs
from dse.study.plan import check_shard
from dse.study.preset import Preset
from dse.study.search import Search
from dse.study.tries import Tries

HUGE = 10**40
BEYOND_TEXT = 10**5000
"""More digits than Python makes text of."""
WIDEST = 65_536
NONE = (math.nan, math.inf, -math.inf)
RECIPE = {"epochs": 1, "peak_learning_rate": 0.1}
STREAMED = {"resize": 40, "crop": 32, "pixel_mean": (1.0, 2.0, 3.0)}


def named(value):
    """Of a case; pytest makes text of whole numbers."""
    return None if callable(value) else brief(value)


@pytest.mark.parametrize(
    "value", [*NONE, HUGE, BEYOND_TEXT, -1, True, "3", None, 2.5], ids=named
)
def test_no_whole_number_in_range(value):
    with pytest.raises(DseError, match="x is ") as refusal:
        check_whole("x", value, 0, MOST)
    assert len(str(refusal.value)) < 150


@pytest.mark.parametrize("value", [0, MOST, np.int32(3), np.uint8(3)])
def test_whole_numbers_in_range(value):
    check_whole("x", value, 0, MOST)


@pytest.mark.parametrize(
    "value", [*NONE, HUGE, BEYOND_TEXT, 0, -1e-9, True, "3", 1j], ids=named
)
def test_no_number_in_range(value):
    with pytest.raises(DseError, match="; expected more than 0, at most 1,000"):
        check_number("x", value, 0, 1000, above=True)


@pytest.mark.parametrize("value", [1e-300, 1000, np.float32(3), Fraction(1, 3)])
def test_numbers_in_range(value):
    check_number("x", value, 0, 1000, above=True)


def test_how_values_are_shown():
    assert brief(-3) == "-3"
    assert brief(HUGE) == "1000000000… (about 41 digits)"
    assert brief(-BEYOND_TEXT) == "-1000000000… (about 5,001 digits)"
    assert brief("a" * 1000) == f"'{'a' * 59}…"


def refusals():
    for name in ("base_e", "incr_e", "freq"):
        for value in (WIDEST + 1, HUGE, BEYOND_TEXT, math.nan, math.inf, -1):
            yield name, value, lambda n, v: SqueezeNet(**{n: v})
    for name in ("sr", "pct_3x3"):
        for value in (*NONE, HUGE, BEYOND_TEXT, Fraction(HUGE), True):
            yield name, value, lambda n, v: SqueezeNet(**{n: v})
    for value in ("1" * 5000, "²", "٣", "1,,2", "1\n"):
        yield "pools", value, lambda n, v: SqueezeNet(**{n: v})
    for value in (HUGE, BEYOND_TEXT, math.inf, 2.5, WIDEST + 1):
        yield "classes", value, lambda _, v: dse.describe(classes=v)
        yield "the input", value, lambda _, v: dse.describe((227, 227, v))
        yield "the input", value, lambda _, v: dse.describe((v, 227, 3))
        yield "the input", value, lambda _, v: dse.describe((227, v, 3))
    for shape in ((), (227,), (227, 227), (227, 227, 3, 1)):
        yield "the input", shape, lambda _, v: dse.describe(v)
    for name in ("max_params", "max_bytes", "max_macs"):
        for value in (*NONE, HUGE, BEYOND_TEXT, 0.5):
            yield name, value, lambda n, v: Budget(**{n: v})
    for name in ("workers", "gpus"):
        for value in (HUGE, 4097, math.inf, 1.5):
            yield name, value, lambda n, v: Execution(**{n: v})
    for name in ("time_limit", "memory_limit"):
        for value in (*NONE, 1e300, 0.0, -1.0):
            yield name, value, lambda n, v: Execution(**{n: v})
    for value in (HUGE, 0, math.inf):
        yield "tries", value, lambda _, v: Tries(tries=v)
    for name in ("trials", "minutes", "batch"):
        for value in (HUGE, 1e300, *NONE, 0, -1):
            yield name, value, a_search


def a_search(name, value):
    given = {"trials": 3, "minutes": 1.0, "batch": 4, name: value}
    name, space = named_space("narrow", 0.125)
    return Search(space, name, "tpe", Budget(), **given)


@pytest.mark.parametrize(("name", "value", "make"), list(refusals()), ids=named)
def test_what_is_refused(name, value, make):
    """Without a type checker's help: its complaint would come first."""
    with pytest.raises(DseError, match=f"^{name}") as refusal:
        make(name, value)
    assert "\n" not in str(refusal.value) and len(str(refusal.value)) < 250


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"epochs": 10**12}, "epochs is 1000000000000; expected a whole number"),
        ({"batch_size": HUGE}, "batch_size is 1000000000… "),
        (
            {"peak_learning_rate": math.nan},
            "peak_learning_rate is nan; expected a number above 0",
        ),
        ({"peak_learning_rate": math.inf}, "peak_learning_rate is inf"),
        ({"clip_norm": math.inf}, "clip_norm is inf; expected a number above 0, up to"),
        ({"clip_norm": 0.0}, "clip_norm is 0.0"),
        (
            {"weight_decay": math.nan},
            "weight_decay is nan; expected a number from 0 to",
        ),
        ({"weight_decay": -0.1}, "weight_decay is -0.1"),
        ({"momentum": math.nan}, "momentum is nan; expected a number from 0, under 1"),
        ({"momentum": 1.0}, "momentum is 1.0"),
        ({"warmup_share": math.nan}, "warmup_share is nan"),
        ({"dropout": math.inf}, "dropout is inf"),
        ({"crop_padding": -1}, "crop_padding is -1"),
        ({"seed": -1}, "seed is -1; expected a whole number from 0 to 2,147"),
        ({"seed": 2**31}, "seed is 2147483648"),
        ({**STREAMED, "steps": 10**12}, "steps is 1000000000000"),
        ({**STREAMED, "resize": HUGE}, "resize is 1000000000…"),
        ({**STREAMED, "pixel_mean": (math.nan,) * 3}, "pixel_mean is nan"),
    ],
)
def test_recipes_that_could_not_train(change, said):
    with pytest.raises(DseError) as refusal:
        Recipe(**{**RECIPE, **change})
    assert str(refusal.value).startswith(said)


@pytest.mark.parametrize(
    "change",
    [
        {"width": 0.0},
        {"width": math.nan},
        {"width": 513},
        {"replicates": 0},
        {"replicates": 10**9},
        {"train_images": 0},
        {"train_images": HUGE},
        {"least_images": -1},
        {"least_images": HUGE},
        {"base_e": 0},
        {"base_e": WIDEST + 1},
    ],
)
def test_presets_that_make_no_sense(change):
    [name] = change
    given = {"width": 1 / 16, "replicates": 2, "recipe": Recipe(1, 0.1)}
    with pytest.raises(DseError, match=f"{name} is "):
        Preset(**{**given, **change})


def test_the_sum_of_all_runs_is_bounded():
    preset = Preset(width=1 / 16, replicates=2, recipe=Recipe(1, 0.1))
    values = [n / 1000 for n in range(1, 501)]
    wide = Experiment("X", SqueezeNet(), {"x": preset}, "sr", values)
    check_runs([wide, wide], preset, MOST_RUNS // 1000)
    with pytest.raises(DseError, match=r"1,000 cells: 1,001,000 runs; expected 1,000,"):
        check_runs([wide, wide], preset, MOST_RUNS // 1000 + 1)
    with pytest.raises(DseError, match="over 1,000,000,000 values; expected 10,000"):
        Experiment("X", SqueezeNet(), {"x": preset}, "base_e", range(10**9))


def test_a_cost_that_no_database_holds():
    largest = SqueezeNet(WIDEST, WIDEST, 1, 1.0, 1.0)
    assert cost(largest.architecture((227, 227, 3), 1000)).bytes_fp32 < MOST
    with pytest.raises(DseError, match=r"network's macs would be .*; expected at"):
        dse.describe(
            (WIDEST, WIDEST, WIDEST), base_e=WIDEST, incr_e=WIDEST, freq=1, sr=1.0
        )


@pytest.mark.parametrize(
    "shard", ["1/" + "1" * 5000, "²/3", "1/-2", "1", "/", "nan/1"], ids=named
)
def test_shards(shard):
    with pytest.raises(DseError, match="expected I/N with I from 1 to N"):
        check_shard(shard)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["sweep", "fig3b", "--seeds", 10**9], "seeds is 1000000000; expected"),
        (["plan", "fig3b", "--seeds", HUGE], "seeds is 1000000000… (about 41"),
        (["search", "--minutes", "nan"], "minutes is nan"),
        (["sweep", "fig3b", "--memory-limit", "inf"], "memory_limit is inf"),
        (["plan", "fig3b", "--workers", HUGE], "workers is 1000000000…"),
        (["sweep", "fig3b", "--shard", "3/2"], "shard is '3/2'"),
    ],
)
def test_nothing_is_begun(workplace, capfd, words, said):
    began = time.monotonic()
    with pytest.raises(SystemExit) as end:
        main([*map(str, words), "--dataset", "./there-is-none"])
    assert end.value.code == 1
    told = capfd.readouterr().err
    assert said in told and len(told.splitlines()) == 1
    assert not list(workplace.iterdir())
    assert time.monotonic() - began < 30


GOOD = {
    "input_shape": [28, 28, 1],
    "processes": 2,
    "machine": {"device": "cpu", "cores": 2},
    "cells": [
        {
            "metaparameters": {"base_e": 16},
            "contenders": {"dse": {"images_per_second": 100.0, "ready_seconds": 2}},
        }
    ],
}


def written(folder, text):
    file = folder / "speed.json"
    file.write_text(text)
    return file


def test_a_benchmark_is_read(tmp_path):
    assert speed_from_benchmark(written(tmp_path, json.dumps(GOOD))).workers == 2


@pytest.mark.parametrize(
    "value", ["0", "-1", "NaN", "1e999", "1e-300", '"x"', "null", "[]"]
)
@pytest.mark.parametrize("old", ["100.0", "28, 1", '"processes": 2', "16"])
def test_a_benchmark_of_other_numbers(tmp_path, old, value):
    new = f'"processes": {value}' if "processes" in old else value
    file = written(tmp_path, json.dumps(GOOD).replace(old, new))
    with pytest.raises(DseError, match=r"speed\.json is no benchmark, .*; expected "):
        speed_from_benchmark(file)


@pytest.mark.parametrize(
    "text",
    ["", "3", "[]", "{}", "null", '"x"', "[" * 100_000, "9" * 5000, '{"cells":[]}'],
)
def test_a_benchmark_of_another_form(tmp_path, text):
    with pytest.raises(DseError, match=r"speed\.json is no benchmark, "):
        speed_from_benchmark(written(tmp_path, text))


def test_a_benchmark_that_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with (tmp_path / "huge").open("wb") as huge:
        huge.truncate(10**11)
    for name, said in (
        ("pipe", "no regular file"),
        (".", "no regular file"),
        ("huge", "more than 10,000,000 bytes"),
        ("gone", "No such file"),
        ("~nobody/x", "No such file"),
    ):
        with pytest.raises(DseError, match=said):
            speed_from_benchmark(tmp_path / name)
