"""How a process is set up for JAX: threads, memory, and what was compiled before."""

import hashlib
import os
import platform
from pathlib import Path
from typing import Any

from dse.data.cache import cache_folder

ONE_THREAD = {"NPROC": "1", "PJRT_NPROC": "1"}
"""XLA's thread pool of one: more threads sum in another order, so a run's bits would
depend on the machine. Cores are used by running as many workers."""


ALLOCATOR = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
"""glibc's allocator with huge pages: page faults on freshly mapped temporaries take a
large part of a step on a CPU."""

COMPILED_BYTES = 2**30
"""Size at which compiled programs that were not used for long are deleted."""


DETERMINISTIC = "--xla_gpu_deterministic_ops=true"


def worker_environment(
    *, on_gpu: bool = False, deterministic: bool = False
) -> dict[str, str]:
    """Variables of a worker process, on top of the driver's."""
    if on_gpu:
        return {"XLA_FLAGS": _flags_with_determinism()} if deterministic else {}
    if platform.libc_ver()[0] == "glibc" and "GLIBC_TUNABLES" not in os.environ:
        return ONE_THREAD | ALLOCATOR
    return dict(ONE_THREAD)


def compute_the_same_again() -> None:
    """Have a GPU give the same bits each time; of use before JAX is imported."""
    os.environ["XLA_FLAGS"] = _flags_with_determinism()


def _flags_with_determinism() -> str:
    return " ".join(filter(None, [os.environ.get("XLA_FLAGS"), DETERMINISTIC]))


def use_one_thread() -> None:
    """Ask XLA for one thread in this process; of use before JAX's first computation."""
    os.environ.update(ONE_THREAD)


def keep_compiled_programs() -> None:
    """Have JAX keep compiled programs in the user's cache folder, unless it is told to.

    A program for one processor may not run on another, so each kind has its folder.
    """
    import jax

    config: Any = jax.config
    if config.jax_compilation_cache_dir is None:
        folder = cache_folder("compiled") / _processor()
        config.update("jax_compilation_cache_dir", str(folder))
        config.update("jax_compilation_cache_max_size", COMPILED_BYTES)
        config.update("jax_persistent_cache_min_compile_time_secs", 0.1)


def _processor() -> str:
    """Eight hexadecimal digits of a hash over the processor's features."""
    try:
        told = Path("/proc/cpuinfo").read_text()
    except OSError:
        told = platform.processor()
    lines = {line for line in told.splitlines() if line.startswith(("flags", "Feat"))}
    text = "\n".join([platform.machine(), *sorted(lines)])
    return hashlib.sha256(text.encode()).hexdigest()[:8]
