"""Resources of this machine for workers: cores, memory, GPUs."""

import contextlib
import os
import resource
import sys
from importlib.util import find_spec
from pathlib import Path

import psutil

from dse.errors import DseError

PLATFORMS = ("cpu", "cuda", "gpu", "rocm")
"""Values that JAX_PLATFORMS may have; others were never tried."""

WORKER_BYTES = 2**30
"""Memory per worker when their number is chosen; most workers need half of it."""

GPU_MEMORY_SHARE = 0.9
"""Share of a GPU's memory for all its workers together."""


def default_workers() -> int:
    """Number of workers: one per core, as far as memory allows."""
    return max(1, min(available_cores(), available_bytes() // WORKER_BYTES))


def available_cores() -> int:
    """Number of processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def available_bytes() -> int:
    """Bytes that programs may still take, at least those of one worker."""
    free: int = psutil.virtual_memory().available
    with contextlib.suppress(OSError, ValueError):  # no cgroup, or no limit
        free = min(free, free_of_group(Path("/sys/fs/cgroup")))
    return max(free, WORKER_BYTES)


def free_of_group(group: Path) -> int:
    """Bytes of memory that a container may still take; cached files count as free."""
    limit = int((group / "memory.max").read_text())
    held = int((group / "memory.current").read_text())
    parts = dict(map(str.split, (group / "memory.stat").read_text().splitlines()))
    cached = int(parts["inactive_file"]) + int(parts["active_file"])
    return limit - held + cached


def held_bytes(process: int) -> int:
    """Bytes of memory that a process holds; 0 if it has ended."""
    with contextlib.suppress(psutil.Error):
        held: int = psutil.Process(process).memory_info().rss
        return held
    return 0


def peak_bytes() -> int:
    """Peak memory of this process, in bytes.

    Linux counts in `ru_maxrss` also the process that this one was forked from.
    """
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return 1024 * int(line.split()[1])
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def killed_for_memory() -> int:
    """Number of processes that the kernel has killed for lack of memory."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/vmstat").read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0


def offer_to_the_kernel() -> None:
    """Make the kernel kill this process before its driver if memory runs out."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500")


def check_platforms() -> None:
    """Check that the device that JAX_PLATFORMS asks for is available.

    Raises:
        DseError: it is not available, or of an unknown kind.
    """
    asked = os.environ.get("JAX_PLATFORMS", "")
    named = asked.split(",") if asked else []
    if not set(named) <= set(PLATFORMS):
        raise DseError(
            f"JAX_PLATFORMS is {asked!r}; expected cpu or cuda, or leave it out to "
            "take a GPU where one is"
        )
    if named and named[0] != "cpu" and not has_accelerator():
        raise DseError(
            f"JAX_PLATFORMS is {asked!r}, and there is no GPU here that JAX can use "
            "(its driver and pip install 'jax[cuda13]'); leave it out, or set it to "
            "cpu, to train on the processor"
        )


def has_accelerator() -> bool:
    """Check for a GPU with a JAX plugin, without JAX, which would claim the GPU."""
    if os.environ.get("JAX_PLATFORMS", "").split(",")[0] == "cpu":
        return False
    nvidia = Path("/dev/nvidiactl").exists() or Path("/dev/dxg").exists()
    cuda = nvidia and any(find_spec(f"jax_cuda{n}_plugin") for n in (12, 13))
    rocm = Path("/dev/kfd").exists() and find_spec("jax_rocm7_plugin")
    return bool(cuda or rocm)


def visible_gpus() -> tuple[str, ...]:
    """NVIDIA GPUs that this process may use, named as in CUDA_VISIBLE_DEVICES."""
    if not has_accelerator():
        return ()
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        named = chosen.split(",")
        return tuple(
            named[: named.index("-1")] if "-1" in named else filter(None, named)
        )
    cards = Path("/proc/driver/nvidia/gpus")
    count = len(list(cards.iterdir())) if cards.is_dir() else 1
    return tuple(map(str, range(count)))


def gpu_environments(gpus: tuple[str, ...], workers: int) -> list[dict[str, str]]:
    """Environment variables of each worker: its GPU, and its share of the memory."""
    environments = []
    for worker in range(workers):
        gpu = gpus[worker % len(gpus)]
        sharing = len(range(worker % len(gpus), workers, len(gpus)))
        share = f"{GPU_MEMORY_SHARE / sharing:.3f}"
        environments.append(
            {"CUDA_VISIBLE_DEVICES": gpu, "XLA_PYTHON_CLIENT_MEM_FRACTION": share}
        )
    return environments
