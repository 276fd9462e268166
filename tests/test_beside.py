"""What people use beside dse: optuna-dashboard, and Slurm's array jobs."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pretend
import pytest

import dse as package
from dse.store.database import open_store
from dse.store.query import view

SHARDS = Path(package.__file__).parents[1] / "experiments/slurm/shards.sh"


@pytest.mark.slow
def test_optuna_dashboard_opens_the_same_database(dse, workplace):
    pytest.importorskip("optuna_dashboard", reason="needs the extra [dashboard]")
    assert dse("sweep", "small.py")[0] == 0
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["optuna-dashboard", "sqlite:///results/dse.db", "--port", str(port)]
    server = subprocess.Popen(
        [str(Path(sys.executable).parent / command[0]), *command[1:]],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        told = ask(f"http://127.0.0.1:{port}/api/studies")
        [study] = told["study_summaries"]
        assert study["study_name"] == "small/stripes-quick"
        told = ask(f"http://127.0.0.1:{port}/api/studies/{study['study_id']}")
        assert [trial["state"] for trial in told["trials"]] == ["Complete"] * 2
    finally:
        server.kill()
        server.wait()


def ask(url):
    """The answer, once the server is there."""
    for _ in range(300):
        try:
            with urllib.request.urlopen(url) as answer:
                return json.load(answer)
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"nothing answers at {url}")


@pytest.mark.slow
@pytest.mark.skipif(not SHARDS.is_file(), reason="not a checkout")
def test_tasks_of_an_array_job_make_the_whole(dse, workplace, tmp_path):
    """Without Slurm: what it would tell each task."""
    told = pretend.plan_mischief(workplace)
    here = tmp_path / "bin" / "dse"
    here.parent.mkdir()
    here.write_text(f'#!/bin/sh\nexec {sys.executable} {pretend.__file__} "$@"\n')
    here.chmod(0o755)
    for task in ("1", "2"):
        subprocess.run(
            ["bash", SHARDS, "2", "small.py"],
            env={
                **told,
                "PATH": f"{here.parent}:{os.environ['PATH']}",
                "SLURM_ARRAY_TASK_ID": task,
            },
            check=True,
        )
    shards = sorted(map(str, Path("results/shards").glob("*.zip")))
    assert len(shards) == 2
    assert dse("import", *shards)[0] == 0
    runs = view(open_store("sqlite:///results/dse.db"), "runs")
    assert runs["status"].tolist() == ["complete"] * 4
