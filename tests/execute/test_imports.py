"""Workers import their driver's packages, and nothing of the working folder's."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import dse
from dse.errors import DseError
from dse.execute import imports
from dse.execute.jobs import Job, JobQueue
from dse.execute.processes import ProcessExecutor
from dse.families.squeezenet import SqueezeNet
from dse.runs.events import Done, Failed
from dse.runs.recipe import Recipe
from dse.study.plan import make_point

SHADOWS = ("queue", "random", "email", "json", "pickle", "numpy", "jax", "dse", "flax")
SCRIPT = "from dse.cli import command; command()"


def shadow(folder):
    """Modules that leave a mark where they are imported."""
    for name in SHADOWS:
        (folder / f"{name}.py").write_text(
            f"open({str(folder / f'ran_{name}')!r}, 'w').close()\n"
        )


def marks(folder):
    return sorted(file.name for file in folder.glob("ran_*"))


def sweep(place, *words, python=("-P", "-c", SCRIPT), **around):
    return subprocess.run(
        [sys.executable, *python, "sweep", *map(str, words)],
        cwd=place,
        env={**os.environ, **around},
        capture_output=True,
        text=True,
    )


def variables(monkeypatch, path, pythonpath="", main=None):
    monkeypatch.setattr(sys, "path", list(path))
    monkeypatch.setenv("PYTHONPATH", pythonpath)
    told = imports.import_variables()
    assert told["PYTHONSAFEPATH"] == "1"
    return told["PYTHONPATH"].split(os.pathsep)


def test_a_worker_looks_where_its_driver_does_but_for_what_is_near(
    workplace, monkeypatch
):
    for folder in ("own", "vendored", "scripts"):
        (workplace / folder).mkdir()
    here, own = str(workplace), str(workplace / "own")
    vendored = str(workplace / "vendored")
    # An empty entry, ., the folder itself, and a link to it.
    link = workplace.parent / f"{workplace.name}-link"
    link.symlink_to(workplace)
    given = ["", ".", here, str(link), "own", own, "/lib", "/site"]
    assert variables(monkeypatch, given) == [own, "/lib", "/site"]
    # What is named in relation to the folder hides nothing.
    given = [here, vendored, "/lib", "/site"]
    assert variables(monkeypatch, given, ".:vendored") == ["/lib", "/site", vendored]
    # Where a script lies that runs.
    script = workplace / "scripts" / "run.py"
    script.touch()
    monkeypatch.setattr(sys.modules["__main__"], "__file__", str(script), raising=False)
    assert variables(monkeypatch, [str(script.parent), "/lib"]) == ["/lib"]
    assert variables(monkeypatch, [f"{own}/../scripts", "/lib"]) == ["/lib"]


def test_where_packages_are_installed_is_not_near(monkeypatch):
    site = str(Path(pytest.__file__).parents[1])
    monkeypatch.chdir(site)
    assert site in variables(monkeypatch, [site, "/lib"])


def test_a_package_from_elsewhere_is_named():
    ours = imports.origins()
    assert imports.difference(ours) is None
    assert Path(ours["dse"]) == Path(dse.__file__)
    theirs = {**ours, "jax": "/elsewhere/jax/__init__.py"}
    told = imports.difference(theirs)
    assert told is not None
    assert told.startswith(f"jax is {ours['jax']} here and /elsewhere/jax/__init__.py")


@pytest.fixture(scope="module")
def job(tiny):
    recipe = Recipe(2, 0.05, batch_size=16, warmup_share=0.3)
    recipe = recipe.resolved(tiny.name, tiny.image_shape)
    point = make_point(SqueezeNet(8, 8, sr=0.5, pct_3x3=0.75), recipe, tiny)
    return Job(point.cell, (0,))


@pytest.mark.slow
@pytest.mark.parametrize("pythonpath", ["", ":", ".:/nowhere"])
def test_modules_in_the_working_folder_are_not_run(
    tiny, job, workplace, monkeypatch, pythonpath
):
    shadow(workplace)
    monkeypatch.setenv("PYTHONPATH", pythonpath)
    monkeypatch.setattr(sys, "path", [*sys.path, "", str(workplace)])
    executor = ProcessExecutor(tiny, 1, workplace)
    try:
        events = list(executor.run(JobQueue([job])))
    finally:
        executor.close()
    assert isinstance(events[-1], Done | Failed)
    assert marks(workplace) == []


@pytest.mark.slow
def test_a_package_that_only_the_driver_would_take_is_refused(
    tiny, job, workplace, monkeypatch
):
    found = {**imports.origins(), "optax": str(workplace / "optax.py")}
    monkeypatch.setattr(imports, "origins", lambda: found)
    executor = ProcessExecutor(tiny, 1, workplace)
    try:
        with pytest.raises(DseError, match=r"optax is .*/optax.py here and .* worker"):
            list(executor.run(JobQueue([job])))
    finally:
        executor.close()


@pytest.mark.slow
def test_a_clone_in_the_working_folder_trains_nothing(small_experiment):
    """The `dse` of their driver trains, wherever that is from: this one is broken."""
    place = small_experiment.parent
    (place / "dse").mkdir()
    (place / "dse" / "__init__.py").write_text("raise SystemExit('the clone ran')\n")
    done = sweep(place, "small.py", "--seeds", 1)
    assert done.returncode == 0, done.stderr
    assert "the clone ran" not in (place / "results/logs/workers.log").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("how", ["source", "target"])
def test_workers_run_the_dse_of_their_driver(small_experiment, how, tmp_path_factory):
    """From a folder of source where one works, or that PYTHONPATH names."""
    place = small_experiment.parent
    folder = place if how == "source" else tmp_path_factory.mktemp("installed")
    shutil.copytree(
        Path(dse.__file__).parent,
        folder / "dse",
        ignore=shutil.ignore_patterns("*.pyc"),
    )
    worker = folder / "dse" / "execute" / "worker.py"
    worker.write_text(worker.read_text() + "\nprint('copied', flush=True)\n")
    around = {} if how == "source" else {"PYTHONPATH": str(folder)}
    python = ("-c", SCRIPT) if how == "source" else ("-P", "-c", SCRIPT)
    done = sweep(place, "small.py", "--seeds", 1, python=python, **around)
    assert done.returncode == 0, done.stderr
    assert "copied" in (place / "results/logs/workers.log").read_text()
