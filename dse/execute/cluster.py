"""Workers on the machines of a Ray cluster.

Ray starts them where there is room, and says when one is lost, alone or with its
machine. What is installed there must be what is installed here.
"""

import contextlib
import os
import platform
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import ray

from dse.data.dataset import ImageData
from dse.errors import DseError, printable
from dse.execute.environment import settle_process, worker_environment
from dse.execute.execution import Execution
from dse.execute.guarded import train_guarded
from dse.execute.imports import difference, origins
from dse.execute.jobs import Assignment, Job, JobQueue, Setting
from dse.execute.joining import joined
from dse.machine import GPU_MEMORY_SHARE
from dse.runs.cell import NUMERICS_VERSION
from dse.runs.events import Event, Reason
from dse.runs.runlog import RunLogs, end_of_run
from dse.runs.weights import Keeper
from dse.train.trainers import trainer_for
from dse.version import code_version

LOOK_SECONDS = 0.5
MOST_IN_VAIN = 5


def versions() -> dict[str, str]:
    """What has to be the same wherever a run of a study is trained."""
    return {
        "dse": code_version(),
        "numerics": str(NUMERICS_VERSION),
        "jax": version("jax"),
        "python": platform.python_version(),
    }


class ClusterWorker:
    """Trains on one machine of the cluster; it is an actor of Ray's."""

    def __init__(self, setting: Setting) -> None:
        settle_process(on_gpu=os.environ.get("JAX_PLATFORMS") != "cpu")
        shared = setting.folder is not None and setting.folder.is_dir()
        folder = setting.folder if shared else None
        self._trainer = trainer_for(setting.dataset, folder)
        self._logs = RunLogs(folder)
        self._keeper = Keeper(folder, setting.keeps_weights)

    def versions(self) -> dict[str, str]:
        """See `versions`; and the machine's name."""
        return {**versions(), "machine": socket.gethostname()}

    def origins(self) -> dict[str, str]:
        """See `dse.execute.imports`."""
        return origins()

    def work(self, job: Job) -> Iterator[Event]:
        """Do a job; its events as they come."""
        yield from train_guarded(self._trainer, job, self._logs, self._keeper)


class RayExecutor:
    """Workers of a Ray cluster, each with a core, or with a GPU or part of one.

    A worker that is lost or hangs is replaced as soon as the cluster has room. Logs
    and checkpoints are kept where the machines share the database's folder.

    Args:
        dataset: what to train on; the cluster's machines need not have it.
        execution: the cluster's address, workers, GPUs and the time limit.
        folder: for logs, checkpoints and weights.
        keeps_weights: whether weights of completed runs are kept.
    """

    def __init__(
        self,
        dataset: ImageData,
        execution: Execution,
        folder: Path | None = None,
        *,
        keeps_weights: bool = True,
    ) -> None:
        self._pool: list[_Member] = []
        self._cluster = contextlib.ExitStack()
        self._cluster.enter_context(joined(execution.address, execution.workers))
        room: Mapping[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        cores, cards = int(room.get("CPU", 0)), int(room.get("GPU", 0))
        gpus = cards if execution.gpus is None else execution.gpus
        self.workers = execution.workers or gpus or max(1, cores)
        self._silent_seconds = 60 * execution.time_limit
        self._ended_in_greeting = 0
        try:
            if gpus > cards:
                raise DseError(f"gpus is {gpus}; the cluster has {cards}")
            if not gpus and self.workers > cores:
                raise DseError(
                    f"workers is {self.workers}; the cluster has {cores} cores"
                )
        except DseError:
            self.close()
            raise
        self._folder = folder
        self._is_here = execution.address is None
        share = min(1.0, gpus / self.workers)
        environment = worker_environment(
            {}, on_gpu=gpus > 0, deterministic=execution.deterministic
        )
        if gpus:
            part = GPU_MEMORY_SHARE * share
            environment["XLA_PYTHON_CLIENT_MEM_FRACTION"] = f"{part:.3f}"
        else:
            environment["JAX_PLATFORMS"] = "cpu"
        actor: Any = ray.remote(ClusterWorker)
        self._actor = actor.options(
            num_cpus=0 if gpus else 1,
            num_gpus=share,
            max_restarts=0,
            runtime_env={"env_vars": environment},
        )
        self._setting = ray.put(Setting(dataset, folder, keeps_weights))

    @property
    def peak_bytes(self) -> int:
        """Unknown: it is spread over machines."""
        return 0

    def start(self, jobs: int) -> None:
        """See `Executor.start`."""
        while len(self._pool) < min(jobs, self.workers):
            actor = self._actor.remote(self._setting)
            greeting = actor.versions.remote()
            self._pool.append(_Member(actor, greeting, self._is_here))

    def run(self, queue: JobQueue) -> Iterator[Event]:
        """See `Executor.run`."""
        while self._hand_out(queue):
            waited_for = [m.waited_for for m in self._pool if not m.is_free]
            ready, _ = ray.wait(waited_for, timeout=LOOK_SECONDS)
            for member in [m for m in self._pool if m.waited_for in ready]:
                yield from self._receive(member, queue)
            for member in [m for m in self._pool if m.assignment]:
                if member.is_silent_for(self._silent_seconds):
                    minutes = self._silent_seconds / 60
                    detail = f"nothing was heard of it for {minutes:g} minutes"
                    yield from self._replace(member, queue, "hung", detail)

    def _hand_out(self, queue: JobQueue) -> bool:
        """Give every free worker a job; whether there is anything to wait for."""
        for member in self._pool:
            if member.is_free and (job := queue.take()) is not None:
                member.start(job)
        busy = sum(member.assignment is not None for member in self._pool)
        more = queue.following() is not None
        self.start(busy + more)
        return busy > 0 or more

    def _receive(self, member: "_Member", queue: JobQueue) -> Iterator[Event]:
        try:
            if member.greets:
                member.greet()
                self._ended_in_greeting = 0
                return
            event = member.next_event()
        except ray.exceptions.RayError as error:
            _refuse_surroundings(error)
            reason, detail = _why_lost(error)
            if last := self._last_lines(member):
                detail = f"{detail}; its log ends: {last}"
            self._ended_in_greeting += member.greets
            if self._ended_in_greeting >= MOST_IN_VAIN:
                raise DseError(
                    f"{MOST_IN_VAIN} workers of the cluster ended as they began: "
                    f"{detail}; is dse installed on its machines?"
                ) from error
            yield from self._replace(member, queue, reason, detail)
            return
        if event is not None:
            yield event
        else:
            queue.put_back_rest(member.finish())

    def _last_lines(self, member: "_Member") -> str:
        """Of the log of the run that it began last, where its machine shares it."""
        job = member.assignment
        if self._folder is None or job is None or job.begun_last is None:
            return ""
        return end_of_run(self._folder, job.job.cell.id, job.begun_last)

    def _replace(
        self, member: "_Member", queue: JobQueue, reason: Reason, detail: str
    ) -> Iterator[Event]:
        self._pool.remove(member)
        ray.kill(member.actor)
        if member.assignment is not None:
            yield from member.assignment.fail(reason, detail)
            queue.put_back_rest(member.assignment)

    def close(self) -> None:
        """Stop the workers at once, and leave the cluster, or end one begun here."""
        for member in self._pool:
            with contextlib.suppress(ray.exceptions.RayError):
                ray.kill(member.actor)
        self._pool.clear()
        self._cluster.close()


@dataclass
class _Member:
    """An actor, and what is waited for of it: a greeting, or the next event."""

    actor: Any
    greeting: Any
    is_here: bool
    stream: Any = None
    assignment: Assignment | None = None
    heard: float = 0.0

    @property
    def greets(self) -> bool:
        """Whether it has yet to say what is installed where it is."""
        return self.greeting is not None

    @property
    def is_free(self) -> bool:
        """Whether it can take a job."""
        return not self.greets and self.assignment is None

    @property
    def waited_for(self) -> Any:
        """A reference of Ray's; None where it is free."""
        return self.greeting if self.greets else self.stream

    def greet(self) -> None:
        """Hear what is installed there.

        Raises:
            DseError: something else than here; or on this machine, from elsewhere.
        """
        told, here = ray.get(self.greeting), versions()
        different = [name for name in here if told[name] != here[name]]
        if different:
            said = ", ".join(f"{n} {told[n]} there, {here[n]} here" for n in different)
            raise DseError(
                f"machine {told['machine']} of the cluster has other versions ({said});"
                " install the same on all of them"
            )
        if self.is_here:
            elsewhere = difference(ray.get(self.actor.origins.remote()))
            if elsewhere is not None:
                raise DseError(elsewhere)
        self.greeting = None

    def is_silent_for(self, seconds: float) -> bool:
        """Whether it says nothing for longer, and has not said anything just now."""
        if time.monotonic() - self.heard <= seconds:
            return False
        ready, _ = ray.wait([self.stream], timeout=0)
        return not ready

    def start(self, job: Job) -> None:
        """Have it do a job."""
        self.assignment, self.heard = Assignment(job), time.monotonic()
        self.stream = self.actor.work.options(num_returns="streaming").remote(job)

    def next_event(self) -> Event | None:
        """What it says next; None when the job has ended."""
        assert self.assignment is not None
        try:
            event: Event = ray.get(next(self.stream))
        except StopIteration:
            return None
        self.heard = time.monotonic()
        self.assignment.hear(event)
        return event

    def finish(self) -> Assignment:
        """Be free again; the job that has ended."""
        assert self.assignment is not None
        ended, self.assignment, self.stream = self.assignment, None, None
        return ended


def _refuse_surroundings(error: Exception) -> None:
    """Stop for what would end any worker in its place.

    Raises:
        DseError: that is what it is.
    """
    cause = getattr(error, "cause", None)
    if isinstance(cause, DseError):
        raise DseError(str(cause)) from error
    if getattr(error, "actor_init_failed", False) or isinstance(cause, ImportError):
        said = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise DseError(
            f"no worker can train on the cluster: {printable(said[-1])[:300]}; no run "
            "has lost a try, so repeat the command when that is mended"
        ) from error


def _why_lost(error: Exception) -> tuple[Reason, str]:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    detail = " ".join(lines[:3])[:300] or type(error).__name__
    memory = isinstance(error, ray.exceptions.OutOfMemoryError) or "OOM" in str(error)
    return ("memory", detail) if memory else ("lost", detail)
