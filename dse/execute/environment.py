"""Set up a process for JAX: threads, memory allocator and deterministic GPU code.

The settings that decide results are in `dse.runs.settings`.
"""

import functools
import os
import platform
import sys
from collections.abc import Mapping
from typing import Any

from dse.errors import DseError
from dse.runs.settings import DETERMINISTIC, ELSEWHERE, ignored, without_ignored

ONE_THREAD = {"NPROC": "1", "PJRT_NPROC": "1"}
"""Variables for one thread in XLA's pool. More would sum in another order, so a run's
bits would depend on the machine. To use all cores, run as many workers."""

ALLOCATOR = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
"""Variable for huge pages in glibc's allocator: otherwise page faults on freshly mapped
temporaries take a large part of a step on a CPU."""


def worker_environment(
    around: Mapping[str, str], *, on_gpu: bool = False, deterministic: bool = False
) -> dict[str, str]:
    """Variables of a process that trains.

    Args:
        around: the variables of its driver.
        on_gpu: True if it has a GPU.
        deterministic: True if the GPU must give the same bits each time.
    """
    stated = without_ignored(around)
    if on_gpu:
        return stated | (_determinism(stated) if deterministic else {})
    if platform.libc_ver()[0] == "glibc":
        stated = ALLOCATOR | stated
    return stated | ONE_THREAD


def settle_process(*, on_gpu: bool = False, deterministic: bool = False) -> None:
    """Make this process train as all others do, whatever the user's environment says.

    Raises:
        DseError: JAX computes in it already, with other settings.
    """
    say_what_is_ignored(os.environ, threads=not on_gpu)
    stated = without_ignored(os.environ)
    wanted = {} if on_gpu else dict(ONE_THREAD)
    if on_gpu and deterministic:
        wanted = _determinism(stated)
    read_once = {"XLA_FLAGS": stated.get("XLA_FLAGS", "")} | wanted
    for name, value in read_once.items():
        actual = os.environ.get(name, "")
        if actual != value and _computes_already():
            raise DseError(
                f"JAX computes in this process already, and took {name}={actual} where "
                f"dse trains with {name}={value}: {ELSEWHERE}"
            )
    leave_out_ignored()
    os.environ.update(wanted)


def leave_out_ignored() -> None:
    """Remove from this process's environment the settings that training ignores."""
    stated = without_ignored(os.environ)
    for name in set(os.environ) - set(stated):
        del os.environ[name]
    os.environ.update(stated)


def say_what_is_ignored(around: Mapping[str, str], *, threads: bool) -> None:
    """Print to standard error, once, the user's settings that training ignores.

    Args:
        around: the variables that the user set.
        threads: True if the number of threads is ignored too, as on CPUs.
    """
    replacements = ignored(around)
    for name, one in ONE_THREAD.items() if threads else ():
        if around.get(name, one) != one:
            replacements[name] = "one thread a worker"
    for name, instead in replacements.items():
        _say(f"{name}={around[name]} is set; dse trains with {instead}")


@functools.cache
def _say(what: str) -> None:
    print(f"dse: {' '.join(what.split())}, so it is ignored here", file=sys.stderr)


def _determinism(environment: Mapping[str, str]) -> dict[str, str]:
    flags = environment.get("XLA_FLAGS", "").split()
    return {"XLA_FLAGS": " ".join(dict.fromkeys([*flags, DETERMINISTIC]))}


def _computes_already() -> bool:
    """True if JAX has read the thread count and XLA's flags, which it reads once."""
    bridge: Any = sys.modules.get("jax._src.xla_bridge")
    return bridge is not None and bool(bridge.backends_are_initialized())
