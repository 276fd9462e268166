"""The environment of a process that trains, and results that are none."""

import math
import os
import sys
from types import SimpleNamespace

import pytest

from dse.execute.environment import settle_process
from dse.execute.guarded import train_guarded
from dse.execute.jobs import Job
from dse.families.squeezenet import SqueezeNet
from dse.runs.events import Done, Failed, Started
from dse.runs.recipe import Recipe
from dse.runs.runlog import RunLogs
from dse.runs.settings import DETERMINISTIC
from dse.runs.weights import Keeper
from dse.study.plan import make_point


def test_a_deterministic_process_may_be_settled_twice(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_dump_to=x")
    bridge = SimpleNamespace(backends_are_initialized=lambda: False)
    monkeypatch.setitem(sys.modules, "jax._src.xla_bridge", bridge)
    settle_process(on_gpu=True, deterministic=True)
    assert os.environ["XLA_FLAGS"] == f"--xla_dump_to=x {DETERMINISTIC}"
    bridge.backends_are_initialized = lambda: True
    settle_process(on_gpu=True, deterministic=True)
    assert os.environ["XLA_FLAGS"].count(DETERMINISTIC) == 1


class Trainer:
    """Ends a run as it is told."""

    def __init__(self, end):
        self._end = end

    def train(self, cell, replicates):
        yield Started(cell.id, 0, "cpu")
        if isinstance(self._end, Exception):
            raise self._end
        yield Done(
            cell.id,
            0,
            metrics={"validation": {"loss": 1.0, "accuracy": 0.5}, "test": self._end},
            train_seconds=1.0,
            compile_seconds=1.0,
            step_seconds=1.0,
            weights={},
        )


@pytest.fixture
def end(tiny):
    recipe = Recipe(1, 0.1).resolved(tiny.name, tiny.image_shape)
    job = Job(make_point(SqueezeNet(8, 8), recipe, tiny).cell, (0,))

    def end(how):
        return list(train_guarded(Trainer(how), job, RunLogs(None), Keeper(None)))[-1]

    return end


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
@pytest.mark.parametrize("name", ["loss", "accuracy"])
def test_a_result_with_a_measure_that_is_no_number_has_diverged(end, name, wrong):
    fine = {"loss": 1.0, "accuracy": 0.5}
    assert isinstance(end(fine), Done)
    failed = end({**fine, name: wrong})
    assert isinstance(failed, Failed)
    assert failed.reason == "diverged"
    assert failed.detail == f"test {name} is {wrong}"


def test_an_error_is_kept_without_passwords_and_addresses(end):
    failed = end(RuntimeError("at postgresql://me:secret@host/dse <x at 0x7f12ab>\nno"))
    assert failed.reason == "error"
    assert failed.detail.startswith("RuntimeError: at postgresql://me:")
    assert "secret" not in failed.detail
    assert "0x7f12ab" not in failed.detail
    assert "\n" not in failed.detail
