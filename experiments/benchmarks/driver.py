"""Time that the driver adds to a run, and gain from a second worker.

Of 1,000 runs that take no time, all time is the driver's.

python experiments/benchmarks/driver.py
"""

import shutil
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from statistics import median

from machine import RESULTS, write_result

from dse.data.load import load
from dse.execute import worker_process
from dse.execute.jobs import Job, JobQueue
from dse.execute.processes import ProcessExecutor
from dse.families.squeezenet import SqueezeNet
from dse.runs.events import Done, Event
from dse.runs.recipe import Recipe
from dse.store.database import open_store
from dse.store.run_states import run_states
from dse.study.driver import complete, register
from dse.study.experiment import Experiment
from dse.study.plan import make_plans, make_point
from dse.study.preset import Preset
from dse.study.presets import PRESETS
from dse.study.tries import Tries

TRIVIAL_WORKER = Path(__file__).parent / "trivial_worker.py"
CELLS, REPLICATES, WORKERS = 500, 2, 2
TRAINED_RUNS, ROUNDS = 12, 3


def say_nothing(event: Event) -> None:
    """Ignore an event of a sweep."""


def seconds_per_trivial_run(cells: int, *, keep_weights: bool) -> float:
    """Wall time per run of a sweep of runs that take none, with workers started."""
    dataset = load()
    experiment = Experiment(
        "Trivial",
        SqueezeNet(),
        {"quick": Preset(width=1 / 128, replicates=REPLICATES, recipe=Recipe(1, 0.1))},
        varied="base_e",
        values=range(1, cells + 1),
    )
    plans = make_plans("trivial", experiment, "quick", dataset)
    folder = Path(tempfile.mkdtemp(dir=Path.cwd()))
    real_worker = worker_process.WORKER
    worker_process.WORKER = (sys.executable, str(TRIVIAL_WORKER))
    try:
        store = open_store(f"sqlite:///{folder}/dse.db")
        with (
            store.sweeping(["trivial"]) as held,
            closing(
                ProcessExecutor(dataset, WORKERS, folder, keeps_weights=keep_weights)
            ) as executor,
        ):
            missing = register(held, plans, Tries())
            executor.start(WORKERS)
            first = dict(list(missing.items())[:WORKERS])
            complete(plans, first, held, executor, say_nothing, Tries())
            missing = {c: r for c, r in missing.items() if c not in first}
            began = time.perf_counter()
            complete(plans, missing, held, executor, say_nothing, Tries())
            seconds = time.perf_counter() - began
        runs = run_states(store, plans[0].cells).values()
        assert all(run.status == "complete" for run in runs)
        assert len(runs) == cells * REPLICATES
        return seconds / (REPLICATES * len(missing))
    finally:
        worker_process.WORKER = real_worker
        shutil.rmtree(folder)


def seconds_of(workers: int) -> float:
    """Wall time of a dozen quick runs of one epoch, after workers have compiled."""
    dataset = load()
    quick = PRESETS["quick"].recipe_for(dataset)
    point = make_point(SqueezeNet(16, 16, sr=0.5), replace(quick, epochs=1), dataset)
    jobs = [Job(point.cell, (replicate,)) for replicate in range(TRAINED_RUNS)]
    with closing(ProcessExecutor(dataset, workers)) as executor:
        list(executor.run(JobQueue(jobs[:workers])))
        began = time.perf_counter()
        events = list(executor.run(JobQueue(jobs)))
        seconds = time.perf_counter() - began
    assert sum(isinstance(event, Done) for event in events) > 0
    return seconds


def main() -> None:
    """Measure both, print them and write them to results/benchmarks."""
    overhead = {
        "without weights": seconds_per_trivial_run(CELLS, keep_weights=False),
        "with weights": seconds_per_trivial_run(CELLS, keep_weights=True),
    }
    for name, seconds in overhead.items():
        print(f"{1000 * seconds:.1f} ms a run of {CELLS * REPLICATES}, {name}")
    rounds = [(seconds_of(1), seconds_of(2)) for _ in range(ROUNDS)]
    gains = sorted(one / two for one, two in rounds)
    print(
        f"two workers are {median(gains):.2f} times as fast as one "
        f"({gains[0]:.2f} to {gains[-1]:.2f} in {ROUNDS} rounds in turn)"
    )
    result = {
        "seconds_per_trivial_run": overhead,
        "trivial_runs": CELLS * REPLICATES,
        "workers": WORKERS,
        "gain_of_a_second_worker": gains,
    }
    print(f"written to {write_result(RESULTS, 'driver', result)}")


if __name__ == "__main__":
    main()
