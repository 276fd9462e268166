"""One worker on a machine of a Ray cluster: what runs there, and the driver's end."""

import os
import platform
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import ray

from dse.errors import DseError, printable
from dse.execute.environment import settle_process
from dse.execute.guarded import train_guarded
from dse.execute.imports import difference, origins
from dse.execute.jobs import Assignment, Job, Setting
from dse.runs.cell import NUMERICS_VERSION
from dse.runs.events import Event, Reason
from dse.runs.runlog import RunLogs
from dse.runs.weights import Keeper
from dse.train.trainers import trainer_for
from dse.version import code_version


def versions() -> dict[str, str]:
    """Versions that must be equal on all machines that train a study."""
    return {
        "dse": code_version(),
        "numerics": str(NUMERICS_VERSION),
        "jax": version("jax"),
        "python": platform.python_version(),
    }


class ClusterWorker:
    """A Ray actor that trains on one machine of the cluster."""

    def __init__(self, setting: Setting) -> None:
        settle_process(on_gpu=os.environ.get("JAX_PLATFORMS") != "cpu")
        shared = setting.folder is not None and setting.folder.is_dir()
        folder = setting.folder if shared else None
        self._trainer = trainer_for(setting.dataset, folder)
        self._logs = RunLogs(folder)
        self._keeper = Keeper(folder, setting.keeps_weights)

    def versions(self) -> dict[str, str]:
        """The versions there (see `versions`), and the machine's name."""
        return {**versions(), "machine": socket.gethostname()}

    def origins(self) -> dict[str, str]:
        """See `dse.execute.imports`."""
        return origins()

    def work(self, job: Job) -> Iterator[Event]:
        """Do a job and yield its events."""
        yield from train_guarded(self._trainer, job, self._logs, self._keeper)


@dataclass
class Member:
    """The driver's view of an actor: its greeting, job and stream of events."""

    actor: Any
    greeting: Any
    is_here: bool
    stream: Any = None
    assignment: Assignment | None = None
    heard: float = 0.0

    @property
    def greets(self) -> bool:
        """True until the actor has reported its versions."""
        return self.greeting is not None

    @property
    def is_free(self) -> bool:
        """True if it can take a job."""
        return not self.greets and self.assignment is None

    @property
    def waited_for(self) -> Any:
        """Ray's reference to its next message; None if it is free."""
        return self.greeting if self.greets else self.stream

    def greet(self) -> None:
        """Compare the versions there with those here.

        Raises:
            DseError: They differ, or a package here comes from another folder.
        """
        there, here = ray.get(self.greeting), versions()
        different = [name for name in here if there[name] != here[name]]
        if different:
            comparison = ", ".join(
                f"{n} {there[n]} there, {here[n]} here" for n in different
            )
            raise DseError(
                f"machine {there['machine']} of the cluster has other versions "
                f"({comparison}); install the same on all of them"
            )
        if self.is_here:
            elsewhere = difference(ray.get(self.actor.origins.remote()))
            if elsewhere is not None:
                raise DseError(elsewhere)
        self.greeting = None

    def is_silent_for(self, seconds: float) -> bool:
        """True if its last message is older, and none waits to be read."""
        if time.monotonic() - self.heard <= seconds:
            return False
        ready, _ = ray.wait([self.stream], timeout=0)
        return not ready

    def start(self, job: Job) -> None:
        """Give it a job."""
        self.assignment, self.heard = Assignment(job), time.monotonic()
        self.stream = self.actor.work.options(num_returns="streaming").remote(job)

    def next_event(self) -> Event | None:
        """Wait for its next event; None when the job has ended."""
        assert self.assignment is not None
        try:
            event: Event = ray.get(next(self.stream))
        except StopIteration:
            return None
        self.heard = time.monotonic()
        self.assignment.hear(event)
        return event

    def finish(self) -> Assignment:
        """Make it free again; return the job that has ended."""
        assert self.assignment is not None
        ended, self.assignment, self.stream = self.assignment, None, None
        return ended


def refuse_surroundings(error: Exception) -> None:
    """Raise for an error that any other worker would meet too.

    Raises:
        DseError: No worker can train on the cluster.
    """
    cause = getattr(error, "cause", None)
    if isinstance(cause, DseError):
        raise DseError(str(cause)) from error
    if getattr(error, "actor_init_failed", False) or isinstance(cause, ImportError):
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise DseError(
            f"no worker can train on the cluster: {printable(lines[-1])[:300]}; no run "
            "has lost a try, so repeat the command when that is mended"
        ) from error


def why_lost(error: Exception) -> tuple[Reason, str]:
    """The reason of a loss, and Ray's words for it in one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    detail = " ".join(lines[:3])[:300] or type(error).__name__
    memory = isinstance(error, ray.exceptions.OutOfMemoryError) or "OOM" in str(error)
    return ("memory", detail) if memory else ("lost", detail)
