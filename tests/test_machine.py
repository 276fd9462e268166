"""Cores, memory and GPUs, as the machine tells of them."""

import os
import re
import subprocess
import sys

import pytest

from dse import machine
from dse.errors import DseError
from dse.train import process


def test_workers_by_cores_and_memory(monkeypatch):
    monkeypatch.setattr(machine, "available_cores", lambda: 4)
    for gibibytes, expected in ((100, 4), (2.5, 2), (0.1, 1)):
        free = int(gibibytes * 2**30)
        monkeypatch.setattr(machine, "available_bytes", lambda free=free: free)
        assert machine.default_workers() == expected


def test_what_a_process_holds():
    """64 MiB more than before; of a process that has ended nothing."""
    before = machine.held_bytes(os.getpid())
    held = bytearray(os.urandom(2**20) * 64)
    grown = machine.held_bytes(os.getpid()) - before
    assert 0.8 * len(held) < grown < 2 * len(held)
    assert machine.peak_bytes() >= machine.held_bytes(os.getpid()) - 2**20
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert machine.held_bytes(ended.pid) == 0


@pytest.mark.parametrize(
    ("gpus", "workers", "expected"),
    [
        (("0",), 1, [("0", "0.900")]),
        (("0", "1"), 2, [("0", "0.900"), ("1", "0.900")]),
        # Three on two cards: two share the first.
        (("4", "7"), 3, [("4", "0.450"), ("7", "0.900"), ("4", "0.450")]),
        (("0",), 3, [("0", "0.300")] * 3),
    ],
)
def test_workers_share_gpus(gpus, workers, expected):
    told = machine.gpu_environments(gpus, workers)
    assert [
        (x["CUDA_VISIBLE_DEVICES"], x["XLA_PYTHON_CLIENT_MEM_FRACTION"]) for x in told
    ] == expected


def test_gpus_that_are_visible(monkeypatch):
    monkeypatch.setattr(machine, "has_accelerator", lambda: False)
    assert machine.visible_gpus() == ()
    monkeypatch.setattr(machine, "has_accelerator", lambda: True)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5")
    assert machine.visible_gpus() == ("2", "5")
    for hidden in ("", "-1"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
        assert machine.visible_gpus() == ()


def test_what_a_container_may_still_take(tmp_path):
    """Files that are only cached give way."""
    (tmp_path / "memory.max").write_text(f"{8 * 2**30}\n")
    (tmp_path / "memory.current").write_text(f"{7 * 2**30}\n")
    stat = f"anon 5\ninactive_file {2**30}\nactive_file {2 * 2**30}\n"
    (tmp_path / "memory.stat").write_text(stat)
    assert machine.free_of_group(tmp_path) == 4 * 2**30


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("nonsense", "JAX_PLATFORMS is 'nonsense'; expected cpu or cuda, or leave it"),
        ("CPU", "JAX_PLATFORMS is 'CPU'; expected cpu"),
        ("tpu", "JAX_PLATFORMS is 'tpu'; expected cpu"),
        ("cuda", "JAX_PLATFORMS is 'cuda', and there is no GPU here that JAX can use"),
        ("cuda,cpu", "JAX_PLATFORMS is 'cuda,cpu', and there is no GPU"),
        ("", None),
        ("cpu", None),
        ("cpu,cuda", None),
    ],
)
def test_the_device_that_is_asked_for(monkeypatch, asked, said):
    monkeypatch.setenv("JAX_PLATFORMS", asked)
    monkeypatch.setattr(machine, "has_accelerator", lambda: False)
    if said is None:
        machine.check_platforms()
        return
    with pytest.raises(DseError, match=re.escape(said)):
        machine.check_platforms()
    monkeypatch.setattr(machine, "has_accelerator", lambda: True)
    if asked.startswith("cuda"):
        machine.check_platforms()


def test_a_gpu_that_jax_does_not_use_is_said(monkeypatch):
    """As where its driver is broken: JAX goes on with the processor."""
    monkeypatch.delenv("JAX_PLATFORMS", raising=False)
    monkeypatch.setattr(process, "has_accelerator", lambda: False)
    process.check_device()
    monkeypatch.setattr(process, "has_accelerator", lambda: True)
    with pytest.raises(DseError, match="there is a GPU here, but JAX computes on the"):
        process.check_device()
