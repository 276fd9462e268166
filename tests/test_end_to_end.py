"""The README's commands at a reduced size, undisturbed, interrupted and killed."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest
from samples import READ, SMALL_EXPERIMENT, write_image_folder

import dse
from dse.store.database import open_store
from dse.store.query import view
from dse.study.optuna_study import open_study

DSE = [sys.executable, "-m", "dse.cli"]
TIMES = ["train_seconds", "step_seconds", "compile_seconds", "created_at", "tries"]


def run(*words, folder, **around):
    return subprocess.run(
        [*DSE, *map(str, words)],
        cwd=folder,
        env={**os.environ, **around},
        capture_output=True,
        text=True,
    )


def table(folder) -> pd.DataFrame:
    """The runs, less what a clock or the order of events decides."""
    store = open_store(f"sqlite:///{folder}/results/dse.db", create=False)
    runs = view(store, "runs").drop(columns=[*TIMES, "run_id"])
    return runs.sort_values(["cell_id", "replicate"]).reset_index(drop=True)


class Undisturbed(NamedTuple):
    folder: Path
    done: subprocess.CompletedProcess
    seconds: float


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, tiny_folder):
    """A folder in which the small experiment was reproduced, and what that printed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    text = SMALL_EXPERIMENT.replace("DATASET", str(tiny_folder))
    (folder / "small.py").write_text(text)
    began = time.monotonic()
    done = run("reproduce", "small.py", folder=folder)
    assert done.returncode == 0, done.stderr
    return Undisturbed(folder, done, time.monotonic() - began)


@pytest.mark.slow
def test_reproduce_writes_runs_summary_and_figure(undisturbed):
    folder, done = undisturbed.folder, undisturbed.done
    report = folder / "results" / "small" / "stripes-quick"
    assert {file.name for file in report.iterdir()} == {
        "config.json",
        "curves.png",
        "curves.svg",
        "epochs.csv",
        "figure.png",
        "figure.svg",
        "runs.csv",
        "runs.parquet",
        "summary.csv",
    }
    runs = pd.read_parquet(report / "runs.parquet")
    assert len(runs) == len(pd.read_csv(report / "runs.csv")) == 4
    assert (runs["status"] == "complete").sum() >= 3
    summary = pd.read_csv(report / "summary.csv")
    assert summary["pct_3x3"].tolist() == [0.25, 0.75]
    # A run of four stayed at chance, which leaves too little to judge the claim.
    assert "claims: not judged: too few replicates are complete" in done.stdout
    config = json.loads((report / "config.json").read_text())
    assert config["studies"]["small/stripes-quick"]["recipe"]["epochs"] == 4
    assert config["worker_seconds"]["train_seconds"] > 0
    assert config["packages"]["jax"]
    svg = (report / "figure.svg").read_text()
    assert svg.startswith("<?xml")
    assert (report / "figure.png").stat().st_size > 20_000
    lines = [x for x in done.stdout.splitlines() if " of 4 done · run " in x]
    assert len(lines) == 4
    assert "pct_3x3 75 %, replicate 0" in done.stdout


@pytest.mark.slow
def test_a_finished_plan_trains_nothing(undisturbed):
    folder = undisturbed.folder
    before = table(folder)
    again = run("reproduce", "small.py", folder=folder)
    assert again.returncode == 0
    assert "1 of 4 done" not in again.stdout
    swept = run("sweep", "small.py", folder=folder)
    assert "4 runs planned, 0 trained now" in swept.stdout
    pd.testing.assert_frame_equal(table(folder), before)


@pytest.mark.slow
def test_every_cell_is_a_trial_with_its_values(undisturbed):
    folder = undisturbed.folder
    url = f"sqlite:///{folder}/results/dse.db"
    study = open_study(open_store(url), "small/stripes-quick")
    means = dse.load_runs(storage=url).groupby("pct_3x3")["val_accuracy"].mean()
    assert len(study.trials) == 2
    for trial in study.trials:
        assert trial.state.name == "COMPLETE"
        assert trial.values[0] == pytest.approx(means[trial.params["pct_3x3"]])
        described = dse.describe((28, 28, 1), 4, **trial.params)
        assert trial.values[1] == described["bytes_fp32"]


@pytest.mark.slow
def test_query_status_export_and_predict(undisturbed, tiny_folder, tmp_path):
    folder = undisturbed.folder
    rows = run(
        "query",
        "SELECT run_id, test_accuracy FROM runs WHERE status = 'complete' ORDER BY 2",
        "--format",
        "csv",
        folder=folder,
    ).stdout.splitlines()
    assert rows[0] == "run_id,test_accuracy"
    best = rows[-1].split(",")[0]
    states = json.loads(run("status", "--json", folder=folder).stdout)
    assert [cell["missing"] for cell in states] == [0, 0]
    images = sorted((tiny_folder / "test" / "class_2").glob("*.png"))[:5]
    said = run("predict", best, *images, folder=folder).stdout.splitlines()
    assert sum(": class_2 (" in line for line in said) >= 4
    assert "wrote 4 runs" in run("export", tmp_path / "x.zip", folder=folder).stdout
    assert "4 new runs" in run("import", tmp_path / "x.zip", folder=tmp_path).stdout
    pd.testing.assert_frame_equal(table(tmp_path), table(folder))


@pytest.mark.slow
def test_another_recipe_in_the_same_study_is_refused(undisturbed, tmp_path):
    folder = undisturbed.folder
    (tmp_path / "small.py").write_text(
        (folder / "small.py").read_text().replace("epochs=4", "epochs=5")
    )
    refused = run(
        "sweep",
        "small.py",
        "--storage",
        f"sqlite:///{folder}/results/dse.db",
        folder=tmp_path,
    )
    assert refused.returncode == 1
    assert "another recipe (epochs 4 there, 5 here)" in refused.stderr
    assert len(table(folder)) == 4


@pytest.mark.slow
def test_killed_at_three_random_moments_and_resumed(undisturbed, tmp_path):
    folder = undisturbed.folder
    seed = random.SystemRandom().randrange(10**6)
    moments = random.Random(seed)
    (tmp_path / "small.py").write_text((folder / "small.py").read_text())
    for _ in range(3):
        process = subprocess.Popen(
            [*DSE, "reproduce", "small.py"],
            cwd=tmp_path,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            process.wait(timeout=moments.uniform(0.5, undisturbed.seconds))
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
    done = run("reproduce", "small.py", folder=tmp_path)
    assert done.returncode == 0, f"seed {seed}: {done.stderr}"
    pd.testing.assert_frame_equal(
        table(tmp_path), table(folder), obj=f"the table (seed {seed})"
    )
    report = tmp_path / "results" / "small" / "stripes-quick"
    assert not list(report.glob(".*partial"))


@pytest.mark.slow
def test_two_experiments_in_one_command_share_a_cell(undisturbed, tmp_path):
    """Killed once on the way: the shared cell is trained once, as it is alone."""
    folder = undisturbed.folder
    text = (folder / "small.py").read_text()
    (tmp_path / "small.py").write_text(text)
    (tmp_path / "other.py").write_text(text.replace("0.75", "0.5"))
    names = "small", "other"
    both = ["reproduce", "small.py", "other.py"]
    process = subprocess.Popen(
        [*DSE, *both], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    )
    said = [process.stdout.readline() for _ in range(6)]
    assert said[:3] == [
        f"{READ}\n",
        "small/stripes-quick: 4 runs\n",
        "other/stripes-quick: 4 runs\n",
    ]
    assert said[3].startswith("6 to do on ")
    assert said[4] == "base_e = incr_e = 8 by the preset quick\n"
    assert said[5].startswith("1 of 6 done · run ")
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    done = run(*both, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    store = open_store(f"sqlite:///{tmp_path}/results/dse.db")
    small, other = (view(store, "runs", f"{n}/stripes-quick") for n in names)
    for name, runs in (("small", small), ("other", other)):
        assert len(runs) == 4
        assert (tmp_path / f"results/{name}/stripes-quick/figure.png").is_file()
        trials = open_study(store, f"{name}/stripes-quick").trials
        assert [trial.state.name for trial in trials] == ["COMPLETE"] * 2
    assert len(set(small["run_id"]) & set(other["run_id"])) == 2
    assert len(set(small["run_id"]) | set(other["run_id"])) == 6
    rows = table(tmp_path)
    of_small = rows[rows["study"] == "small/stripes-quick"].reset_index(drop=True)
    pd.testing.assert_frame_equal(of_small, table(folder))


@pytest.mark.slow
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_says_how_to_go_on(small_experiment, workplace, sign):
    process = subprocess.Popen(
        [*DSE, "reproduce", "small.py"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == f"{READ}\n"
    assert process.stdout.readline().startswith("small/stripes-quick: 4 runs, 0 in")
    time.sleep(1)
    process.send_signal(sign)
    _, error = process.communicate(timeout=30)
    assert process.returncode == 130
    assert error.strip() == (
        "dse: interrupted; what is finished is kept, go on with: dse reproduce small.py"
    )


@pytest.mark.slow
def test_search_of_ones_own_images_within_a_budget(tiny, tmp_path):
    write_image_folder(tmp_path / "mine", tiny.train)
    words = ["search", "--dataset", "mine", "--max-bytes", 20_000, "--trials", 2]
    done = run(*words, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "best within the budget: run" in done.stdout
    url = f"sqlite:///{tmp_path}/results/dse.db"

    def networks():
        """The runs, less the aliases: points of the space that are one network."""
        return dse.load_runs(storage=url).drop_duplicates("run_id")

    runs = networks()
    assert len(runs) == 2
    assert runs["bytes_fp32"].max() <= 20_000
    [figure] = (tmp_path / "results").glob("search-*/mine-quick/figure.png")
    assert figure.stat().st_size > 10_000
    summary = pd.read_csv(figure.parent / "summary.csv")
    front = summary[summary["front"]].sort_values("bytes_fp32")
    assert front["val_accuracy"].is_monotonic_increasing
    model = dse.load_model(int(front["run_id"].iloc[-1]), storage=url)
    assert model.class_names == ("class_0", "class_1", "class_2", "class_3")
    # The same command again has nothing to do; more trials go on from there.
    again = run(*words, folder=tmp_path)
    assert "1 done · run " not in again.stdout
    assert len(networks()) == 2
    trained = run(*words[:-1], 3, folder=tmp_path)
    assert trained.returncode == 0
    after = networks()
    assert len(after) == 3
    assert set(runs["cell_id"]) <= set(after["cell_id"])


SHORT = """
from dataclasses import replace
from dse import Recipe
from dse.study.loading import load_experiment

_, FIG3B = load_experiment("fig3b")
RECIPE = Recipe(epochs=4, peak_learning_rate=0.05, batch_size=32)
PRESETS = {"quick": replace(FIG3B.presets["quick"], recipe=RECIPE, least_images=0)}
EXPERIMENT = replace(FIG3B, presets=PRESETS)
"""


@pytest.mark.slow
def test_the_readmes_main_command_at_a_reduced_size(tiny_folder, tmp_path):
    """All nine cells of Figure 3(b), one replicate, four epochs of few images."""
    (tmp_path / "short.py").write_text(SHORT)
    words = ["reproduce", "short.py", "--dataset", tiny_folder, "--seeds", 1]
    done = run(*words, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    report = tmp_path / "results" / "short" / "stripes-quick"
    summary = pd.read_csv(report / "summary.csv")
    assert summary["params"].is_monotonic_increasing
    assert len(summary) == 9
    assert summary["resolved_pct_3x3"].iloc[0] == 2 / 320
    assert (summary["replicates"] + summary["failed"] == 1).all()
    assert (report / "figure.png").stat().st_size > 20_000


ANOTHER_SETUP = {
    "JAX_ENABLE_X64": "1",
    "JAX_DEFAULT_PRNG_IMPL": "rbg",
    "JAX_THREEFRY_PARTITIONABLE": "0",
    "JAX_NUMPY_RANK_PROMOTION": "raise",
    "JAX_DISABLE_JIT": "1",
    "JAX_NUM_CPU_DEVICES": "2",
    "JAX_RANDOM_SEED_OFFSET": "5",
    "XLA_FLAGS": "--xla_cpu_enable_fast_math=true --no_such_flag",
    "NPROC": "3",
    "PYTHONPATH": ".:",
    "MPLBACKEND": "module://no_such_module",
}


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["process", "serial"])
def test_the_same_bits_and_figures_whatever_the_user_has_set(
    undisturbed, tmp_path, executor
):
    folder = undisturbed.folder
    (tmp_path / "small.py").write_text((folder / "small.py").read_text())
    for name in ("queue", "random", "email"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the folder ran')")
    words = ["reproduce", "small.py", "--executor", executor]
    done = run(*words, folder=tmp_path, **ANOTHER_SETUP)
    assert done.returncode == 0, done.stderr
    pd.testing.assert_frame_equal(table(tmp_path), table(folder))
    report = "results/small/stripes-quick"
    for name in ("curves.png", "figure.png", "figure.svg"):
        drawn = (tmp_path / report / name).read_bytes()
        assert drawn == (folder / report / name).read_bytes()
    assert done.stderr.count("is ignored here") == len(ANOTHER_SETUP) - 2
    assert "dse: JAX_ENABLE_X64=1 is set; dse trains with 32-bit floats, so it" in (
        done.stderr
    )


@pytest.mark.slow
def test_what_stands_in_the_way_costs_no_try(undisturbed, tmp_path):
    folder = undisturbed.folder
    (tmp_path / "small.py").write_text((folder / "small.py").read_text())
    for around, said in (
        ({"JAX_PLATFORMS": "nonsense"}, "dse: JAX_PLATFORMS is 'nonsense'; expected"),
        ({"JAX_LOG_COMPILES": "maybe"}, "dse: no worker can train here: ValueError: "),
    ):
        done = run("sweep", "small.py", folder=tmp_path, **around)
        assert done.returncode == 1
        [line] = done.stderr.splitlines()
        assert line.startswith(said)
    done = run("sweep", "small.py", folder=tmp_path)
    assert done.returncode == 0
    pd.testing.assert_frame_equal(table(tmp_path), table(folder))
    store = open_store(f"sqlite:///{tmp_path}/results/dse.db", create=False)
    assert view(store, "runs")["tries"].tolist() == [1] * 4
