"""Workers on the machines of a Ray cluster.

Ray starts them where there is room, and reports one that is lost, alone or with its
machine. The same software must be installed on all machines.
"""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import ray

from dse.data.dataset import ImageData
from dse.errors import DseError
from dse.execute.cluster_member import (
    ClusterWorker,
    Member,
    refuse_surroundings,
    why_lost,
)
from dse.execute.environment import worker_environment
from dse.execute.execution import Execution
from dse.execute.jobs import JobQueue, Setting
from dse.execute.joining import joined
from dse.machine import GPU_MEMORY_SHARE
from dse.runs.events import Event, Reason
from dse.runs.runlog import end_of_run

LOOK_SECONDS = 0.5
MOST_IN_VAIN = 5


class RayExecutor:
    """Workers of a Ray cluster, each with a core, or with a GPU or part of one.

    A worker that is lost or hangs is replaced as soon as the cluster has room. Logs
    and checkpoints are kept where the machines share the database's folder.

    Args:
        dataset: The images to train on; the cluster's machines need not have them.
        execution: The cluster's address, workers, GPUs and the time limit.
        folder: Folder for logs, checkpoints and weights.
        keeps_weights: True if weights of completed runs are kept.
    """

    def __init__(
        self,
        dataset: ImageData,
        execution: Execution,
        folder: Path | None = None,
        *,
        keeps_weights: bool = True,
    ) -> None:
        self._pool: list[Member] = []
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
        """0: the memory is spread over machines and not measured."""
        return 0

    def start(self, jobs: int) -> None:
        """See `Executor.start`."""
        while len(self._pool) < min(jobs, self.workers):
            actor = self._actor.remote(self._setting)
            greeting = actor.versions.remote()
            self._pool.append(Member(actor, greeting, self._is_here))

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
        """Give every free worker a job; return True if there is any to wait for."""
        for member in self._pool:
            if member.is_free and (job := queue.take()) is not None:
                member.start(job)
        busy = sum(member.assignment is not None for member in self._pool)
        more = queue.following() is not None
        self.start(busy + more)
        return busy > 0 or more

    def _receive(self, member: Member, queue: JobQueue) -> Iterator[Event]:
        try:
            if member.greets:
                member.greet()
                self._ended_in_greeting = 0
                return
            event = member.next_event()
        except ray.exceptions.RayError as error:
            refuse_surroundings(error)
            reason, detail = why_lost(error)
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

    def _last_lines(self, member: Member) -> str:
        """The last lines of its last run's log, if the machines share the folder."""
        job = member.assignment
        if self._folder is None or job is None or job.begun_last is None:
            return ""
        return end_of_run(self._folder, job.job.cell.id, job.begun_last)

    def _replace(
        self, member: Member, queue: JobQueue, reason: Reason, detail: str
    ) -> Iterator[Event]:
        self._pool.remove(member)
        ray.kill(member.actor)
        if member.assignment is not None:
            yield from member.assignment.fail(reason, detail)
            queue.put_back_rest(member.assignment)

    def close(self) -> None:
        """Stop the workers at once; leave the cluster, or end it if begun here."""
        for member in self._pool:
            with contextlib.suppress(ray.exceptions.RayError):
                ray.kill(member.actor)
        self._pool.clear()
        self._cluster.close()
