"""Drivers and workers killed at random moments: nothing is lost, nothing is doubled."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pandas as pd
import pytest

ENDS, REPLICATES, SECONDS = 20, 56, 0.3


def check(place, undisturbed, counted):
    """The table is whole, and each row that was complete once is still that row."""
    pd.testing.assert_frame_equal(place.results(), undisturbed)
    assert not list((place.folder / "results").glob("**/*orbax-checkpoint-tmp*"))
    kept = [file.name for file in (place.folder / "results/weights").iterdir()]
    assert all(name.endswith(".safetensors") for name in kept)
    named = [name.removesuffix(".safetensors").split("-") for name in kept]
    rows = place.runs
    # Each run has its own, and none are left of those whose driver ended.
    assert sorted((cell_id, int(replicate)) for cell_id, _, replicate in named) == [
        *zip(rows["cell_id"], rows["replicate"], strict=True)
    ]
    counted["runs in the end"] = len(rows)
    counted["duplicated"] = len(rows) - len(
        rows.drop_duplicates(["cell_id", "replicate"])
    )


def end_at_random(place, moments, send):
    """One driver, ended by `send`: while it starts, or after a result or some."""
    process = place.start(output=subprocess.PIPE)
    if moments.random() < 0.25:
        until = time.monotonic() + moments.uniform(0.0, 3.0)
        wait_for(lambda: time.monotonic() > until, process)
    else:
        more = len(place.completed()) + moments.randint(1, 3)
        wait_for(lambda: len(place.completed()) >= more, process)
        time.sleep(moments.uniform(0.0, SECONDS))
    process.send_signal(send)
    workers = {pid for _, _, pid in place.begun()}
    _, error = process.communicate(timeout=60)
    until = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in workers):
        time.sleep(0.02)
        assert time.monotonic() < until, "workers outlive their driver"
    return process.returncode, error


def wait_for(happened, process):
    while process.poll() is None and not happened():
        time.sleep(0.02)


@pytest.mark.parametrize("send", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_drivers_ended_at_random_moments(make_place, moments, counted, send):
    whole = make_place("undisturbed", seconds=0.0, replicates=REPLICATES)
    whole.finish()
    place = make_place("disturbed", seconds=SECONDS, replicates=REPLICATES)
    seen = set()
    for _ in range(ENDS):
        status, error = end_at_random(place, moments, send)
        assert status in (-send, 130), error
        counted["drivers ended"] += 1
        now = place.completed()
        counted["lost"] += len(seen - now)
        assert seen <= now
        seen = now
    counted["complete before the last command"] = len(seen)
    assert len(seen) > ENDS / 2
    place.finish()
    assert seen <= place.completed()
    check(place, whole.results(), counted)


def test_searches_ended_at_random_moments(make_place, moments, counted, tiny_folder):
    """What a sampler proposes depends on what it was told, not on who was killed."""
    search = ("search", "--dataset", str(tiny_folder), "--trials", "24")
    whole = make_place("undisturbed", seconds=0.0)
    whole.words = search
    whole.finish()
    place = make_place("disturbed", seconds=SECONDS)
    place.words = search
    while len({(cell, 0) for _, cell, _ in place.completed()}) < 20:
        end_at_random(place, moments, signal.SIGKILL)
        counted["drivers ended"] += 1
    place.finish()
    pd.testing.assert_frame_equal(place.results(), whole.results())
    counted["networks in the end"] = place.runs["run_id"].nunique()
    assert counted["networks in the end"] == 24


def test_workers_killed_at_random_moments(make_place, undisturbed, moments, counted):
    place = make_place("killed", seconds=0.6, replicates=4)
    process = place.start("--tries", 50)
    seen, recoveries = set(), []
    while process.poll() is None and counted["workers killed"] < ENDS:
        time.sleep(moments.uniform(0.05, 0.6))
        before = place.begun()
        if not before:
            continue
        pid = before[-1][2]
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
        counted["workers killed"] += 1
        killed = time.monotonic()
        while len(place.begun()) == len(before) and process.poll() is None:
            time.sleep(0.01)
            assert time.monotonic() - killed < 30
        recoveries.append(time.monotonic() - killed)
        now = place.completed()
        assert seen <= now
        seen |= now
    assert process.wait(60) == 0
    counted["lost"] = len(seen - place.completed())
    counted["seconds to the next run at most, in tenths"] = round(10 * max(recoveries))
    assert max(recoveries) < 10
    check(place, undisturbed, counted)
