"""Fixtures: an image set that a network learns in seconds, and clean surroundings."""

import os
import sys
from collections import Counter
from pathlib import Path

# Before JAX starts: one thread as in a worker, and no accelerator.
os.environ.update(NPROC="1", PJRT_NPROC="1", JAX_PLATFORMS="cpu")

import pretend
import pytest
from pretend import plan_mischief
from samples import SMALL_EXPERIMENT, striped, write_image_folder

from dse.cli import main
from dse.data.dataset import Dataset
from dse.execute import worker_process


def pytest_collection_modifyitems(items):
    """Files of slow tests come first: none is begun when the other workers are done.

    A file is one worker's (`--dist loadfile`): what a module shares is made once.
    """
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory):
    """Keep the user's cache folder out of it, and compile a network once a session."""
    os.environ["DSE_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(shared / "compiled")


@pytest.fixture(scope="session")
def tiny() -> Dataset:
    """400 + 60 images of four classes."""
    return Dataset(
        "tiny",
        "tiny-fingerprint",
        ("a", "b", "c", "d"),
        striped(400, 4, seed=0),
        striped(60, 4, seed=1),
    )


@pytest.fixture(scope="session")
def tiny_folder(tiny, tmp_path_factory) -> Path:
    """The tiny set as a folder of images with a train and a test part."""
    folder = tmp_path_factory.mktemp("sets") / "stripes"
    write_image_folder(folder / "train", tiny.train)
    write_image_folder(folder / "test", tiny.test)
    return folder


@pytest.fixture
def workplace(tmp_path, monkeypatch) -> Path:
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def small_experiment(workplace, tiny_folder) -> Path:
    """A file of an experiment of two narrow cells on the tiny set, two replicates."""
    file = workplace / "small.py"
    file.write_text(SMALL_EXPERIMENT.replace("DATASET", str(tiny_folder)))
    return file


@pytest.fixture
def dse(small_experiment, monkeypatch, capsys):
    """Runs a command with such mischief; its exit status, and what it printed."""
    monkeypatch.setattr(
        worker_process, "WORKER", (sys.executable, pretend.__file__, "--worker")
    )

    def run(*words, mischief=()):
        told = plan_mischief(small_experiment.parent, *mischief)
        monkeypatch.setenv("DSE_PRETEND", told["DSE_PRETEND"])
        try:
            main(list(map(str, words)))
        except SystemExit as end:
            return end.code, capsys.readouterr()
        return 0, capsys.readouterr()

    return run
