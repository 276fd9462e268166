"""Ray: the same bits as here, a machine that is taken away, and what is refused."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from dse.errors import DseError
from dse.execute.execution import Execution
from dse.execute.executors import SerialExecutor, make_executor
from dse.execute.jobs import Job, JobQueue
from dse.families.squeezenet import SqueezeNet
from dse.runs.events import Done, EpochEnded, Failed, Started
from dse.runs.recipe import Recipe
from dse.study.plan import make_point

pytest.importorskip("ray", reason="needs the extra [ray]")
# The test's own cluster forks beside JAX, and leaves sockets and processes to itself.
pytestmark = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning"
)


@pytest.fixture(scope="module")
def cluster():
    """A head that trains nothing, and two machines of one core each."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    cluster.machines = [cluster.add_node(num_cpus=1) for _ in range(2)]
    cluster.wait_for_nodes()
    yield cluster
    cluster.shutdown()


@pytest.fixture(scope="module")
def jobs(tiny):
    recipe = Recipe(16, 0.05, batch_size=16, warmup_share=0.3)
    recipe = recipe.resolved(tiny.name, tiny.image_shape)
    points = [
        make_point(SqueezeNet(8, 8, sr=0.5, pct_3x3=pct), recipe, tiny)
        for pct in (0.25, 0.75)
    ]
    return [Job(point.cell, (0, 1)) for point in points]


def outcome(events):
    return {
        (e.cell_id, e.replicate): e.metrics if isinstance(e, Done) else e.detail
        for e in events
        if isinstance(e, Done | Failed)
    }


@pytest.mark.slow
def test_a_machine_taken_away_and_the_same_bits(cluster, tiny, jobs):
    here = SerialExecutor(tiny)
    expected = outcome(here.run(JobQueue(jobs)))
    here.close()
    execution = Execution(executor="ray", workers=2, address=cluster.address)
    executor = make_executor(execution, tiny)
    events, queue, training = [], JobQueue(jobs), set()
    try:
        for event in executor.run(queue):
            events.append(event)
            if isinstance(event, Failed) and event.reason == "lost":
                queue.put_back(Job(queue.cells[event.cell_id], (event.replicate,)))
            if isinstance(event, EpochEnded) and len(training) < 2:
                training.add(event.cell_id)
                if len(training) == 2:  # both machines are at work
                    cluster.remove_node(cluster.machines.pop())
    finally:
        executor.close()
        cluster.machines.append(cluster.add_node(num_cpus=1))
    lost = [e for e in events if isinstance(e, Failed) and e.reason == "lost"]
    assert len(lost) == 1
    began = [(e.cell_id, e.replicate) for e in events if isinstance(e, Started)]
    assert len(began) == len(expected) + 1
    assert outcome(events) == expected


@pytest.mark.slow
def test_what_a_cluster_does_not_have(cluster, tiny):
    for asked, said in (
        ({"gpus": 2}, "gpus is 2; the cluster has 0"),
        ({"workers": 9}, "workers is 9; the cluster has 2 cores"),
    ):
        with pytest.raises(DseError, match=said):
            make_executor(
                Execution(executor="ray", address=cluster.address, **asked), tiny
            )


@pytest.mark.slow
def test_another_version_is_refused(cluster, tiny, jobs, monkeypatch):
    from dse.execute import cluster_member as module

    theirs = module.versions()
    monkeypatch.setattr(module, "versions", lambda: {**theirs, "dse": "0.0.9"})
    executor = make_executor(
        Execution(executor="ray", workers=1, address=cluster.address), tiny
    )
    try:
        with pytest.raises(DseError, match=r"has other versions \(dse .* 0\.0\.9 here"):
            list(executor.run(JobQueue(jobs)))
    finally:
        executor.close()


def test_an_address_where_no_cluster_is(tiny):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for address, said in (
        (f"127.0.0.1:{port}", "no Ray cluster answers at 127.0.0.1"),
        ("nowhere", "address 'nowhere' is none of a Ray cluster; expected host:port"),
        ("ray://here:10001", "is none of a Ray cluster"),
    ):
        with pytest.raises(DseError, match=said):
            make_executor(Execution(executor="ray", address=address), tiny)


def test_a_session_that_is_another_s_is_left_alone(tiny, monkeypatch):
    import ray

    closed = []
    monkeypatch.setattr(ray, "is_initialized", lambda: True)
    monkeypatch.setattr(ray, "shutdown", lambda: closed.append(1))
    with pytest.raises(DseError, match="is part of a Ray cluster already; leave it"):
        make_executor(Execution(executor="ray", workers=1), tiny)
    assert not closed


BEGIN_AND_TELL = """
import json, os, pathlib, subprocess, sys
from dse.execute.joining import joined
import ray

def listening():
    found = set()
    for file in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in pathlib.Path(file).read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == "0A":
                found.add((words[1].partition(":")[0], words[9]))
    return found

def visit(token):
    # How a process ends that joins the cluster with a token.
    join = f"import ray; ray.init(address={address!r})"
    return subprocess.run(
        [sys.executable, "-c", join],
        env={**os.environ, "RAY_AUTH_TOKEN": token},
        capture_output=True,
    ).returncode

@ray.remote
class Worker:
    def path(self):
        return sys.path, os.environ.get("PYTHONPATH")

before = listening()
with joined(None, 1):
    worker = Worker.remote()
    path, _ = ray.get(worker.path.remote())
    opened = sorted({address for address, _ in listening() - before})
    told = ray._private.state.state.job_table()
    address = ray.get_runtime_context().gcs_address
    friend, stranger = visit(os.environ["RAY_AUTH_TOKEN"]), visit("guessed" * 9)
print(json.dumps({
    "opened": opened,
    "jobs": str(told),
    "path": path,
    "friend": friend,
    "stranger": stranger,
    "left": [name for name in os.environ if name.startswith("RAY_AUTH")],
}))
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs Linux")
def test_a_cluster_that_is_begun_here_is_closed_to_others(workplace):
    """Loopback alone, a token, no command line, and nothing of the working folder."""
    secret = "postgresql://me:secret@host/runs"
    done = subprocess.run(
        [sys.executable, "-c", BEGIN_AND_TELL, secret],
        env={**os.environ, "RAY_AUTH_MODE": "disabled", "PYTHONPATH": "."},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["opened"]
    assert set(told["opened"]) <= {
        "0100007F",  # 127.0.0.1
        "0000000000000000FFFF00000100007F",  # the same in IPv6
        "00000000000000000000000001000000",  # ::1
    }
    assert "'Entrypoint': 'dse'" in told["jobs"]
    assert "secret" not in told["jobs"]
    assert not {"", ".", str(workplace)} & set(told["path"])
    assert told["friend"] == 0
    assert told["stranger"] != 0
    assert told["left"] == ["RAY_AUTH_MODE"]


@pytest.mark.slow
def test_workers_that_cannot_start_stop_the_sweep(cluster, tiny, jobs, monkeypatch):
    executor = make_executor(
        Execution(executor="ray", workers=1, address=cluster.address), tiny
    )
    executor._setting = "no setting"
    try:
        with pytest.raises(DseError, match=r"no worker can train on the cluster: Attr"):
            list(executor.run(JobQueue(jobs)))
    finally:
        executor.close()
