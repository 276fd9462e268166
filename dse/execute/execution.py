"""The user's settings of how and where runs are executed, checked."""

from dataclasses import dataclass

from dse.declared import Declared
from dse.errors import DseError
from dse.fields import choice, flag, real, text, whole

KINDS = ("serial", "process", "ray")
MOST_WORKERS = 4096
LEAST_GIB, LEAST_MINUTES = 0.25, 0.01
"""Smallest limits: JAX alone takes as much, so with less every run would be lost."""
MOST_LIMIT = 1e6
"""Largest limit, in minutes (two years) and in GiB."""


@dataclass(frozen=True)
class Execution(Declared, name="execution"):
    """Settings of how and where runs are executed; for None a value is chosen.

    Raises:
        DseError: a value is out of range, or does not suit the executor.
    """

    executor: str | None = choice(
        None, KINDS, "serial, process or ray; by default process"
    )
    workers: int | None = whole(
        None, "jobs at a time; by default one a core, or one a GPU", most=MOST_WORKERS
    )
    gpus: int | None = whole(
        None,
        "GPUs to use, 0 for none; by default all. More workers share them",
        least=0,
        most=MOST_WORKERS,
    )
    address: str | None = text(
        None, "of a Ray cluster; by default one is begun on this machine"
    )
    time_limit: float = real(
        360.0,
        "minutes without a word of a run (compiling, an epoch or a checkpoint) after "
        "which it counts as hung; not with serial",
        least=LEAST_MINUTES,
        most=MOST_LIMIT,
    )
    memory_limit: float | None = real(
        None,
        "GiB that a worker process may hold; by default all that is free; only with "
        "process",
        least=LEAST_GIB,
        most=MOST_LIMIT,
    )
    deterministic: bool = flag(
        False, "whether a GPU must give the same bits each time, at some cost"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.executor == "serial" and (self.workers or 1) > 1:
            raise DseError(f"workers is {self.workers}; the serial executor has one")
        if self.memory_limit is not None and self.executor in ("serial", "ray"):
            raise DseError(
                f"memory_limit is {self.memory_limit:g}; only --executor process has "
                "worker processes to limit: leave it out, or take that executor"
            )
        if self.address is not None and self.executor != "ray":
            raise DseError(
                f"an address of a cluster ({self.address}) goes with --executor ray"
            )
