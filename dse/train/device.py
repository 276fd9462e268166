"""What a process needs in its environment before JAX starts there."""

import os
import platform

ONE_THREAD = {"NPROC": "1", "PJRT_NPROC": "1"}
"""XLA's thread pool of one: more threads sum in another order, so a run's bits would
depend on the machine. Cores are used by running as many workers."""


def worker_environment() -> dict[str, str]:
    """Variables of a worker process, on top of the driver's.

    glibc's allocator is asked for huge pages, since page faults on freshly mapped
    temporaries take a large part of a step on a CPU.
    """
    environment = dict(ONE_THREAD)
    if platform.libc_ver()[0] == "glibc" and "GLIBC_TUNABLES" not in os.environ:
        environment["GLIBC_TUNABLES"] = "glibc.malloc.hugetlb=1"
    return environment


def use_one_thread() -> None:
    """Ask XLA for one thread in this process; of use before JAX's first computation."""
    os.environ.update(ONE_THREAD)
