"""How and where runs are executed: what a person asks for, checked."""

from dataclasses import dataclass

from dse.bounds import check_number, check_whole
from dse.errors import DseError

KINDS = ("serial", "process", "ray")
MOST_WORKERS = 4096
LEAST_GIB, LEAST_MINUTES = 0.25, 0.01
"""Of limits: JAX alone takes as much, so with less every run would be lost."""
MOST_LIMIT = 1e6
"""Minutes, two years of them; and GiB, a million."""


@dataclass(frozen=True)
class Execution:
    """How and where runs are executed; what is None is chosen.

    Attributes:
        kind: serial, process or ray; by default process.
        workers: jobs at a time; on CPUs one a core, else one a GPU.
        gpus: GPUs to use; fewer than workers means that they share.
        address: of a Ray cluster; None for one on this machine.
        time_limit: minutes without a word of a run after which it counts as hung.
        memory_limit: GiB that a worker may hold; None for what is free at the start.
        deterministic: whether a GPU must give the same bits each time, at some cost.

    Raises:
        DseError: a value is out of range, or goes with another kind.
    """

    kind: str | None = None
    workers: int | None = None
    gpus: int | None = None
    address: str | None = None
    time_limit: float = 360.0
    memory_limit: float | None = None
    deterministic: bool = False

    def __post_init__(self) -> None:
        if self.kind is not None and self.kind not in KINDS:
            raise DseError(
                f"no executor is called {self.kind!r}; expected {', '.join(KINDS)}"
            )
        for name, least in (("workers", 1), ("gpus", 0)):
            if getattr(self, name) is not None:
                check_whole(name, getattr(self, name), least, MOST_WORKERS)
        for name, lowest in (
            ("time_limit", LEAST_MINUTES),
            ("memory_limit", LEAST_GIB),
        ):
            if getattr(self, name) is not None:
                check_number(name, getattr(self, name), lowest, MOST_LIMIT)
        if self.kind == "serial" and (self.workers or 1) > 1:
            raise DseError(f"workers is {self.workers}; the serial executor has one")
        if self.address is not None and self.kind != "ray":
            raise DseError(
                f"an address of a cluster ({self.address}) goes with --executor ray"
            )
