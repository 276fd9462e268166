"""ImageNet's protocol on a folder of a few photos: killed, and gone on with."""

import math
import os
import signal
import subprocess
import time

import pandas as pd
import pytest
from samples import write_photos
from test_end_to_end import DSE, run, table

import dse

EXPERIMENT = '''"""One narrow network, streamed as ImageNet is."""
from dataclasses import replace

from dse.families.squeezenet import SqueezeNet
from dse.study.experiment import Experiment
from dse.study.preset import Preset
from dse.study.presets import PRESETS

paper = PRESETS["imagenet"]
EXPERIMENT = Experiment(
    title="Photos",
    anchor=SqueezeNet(sr=0.5),
    presets={
        "small": Preset(width=8 / 128,
            replicates=1,
            recipe=replace(
                paper.recipe,
                steps=150,
                peak_learning_rate=0.02,
                batch_size=8,
                initializer="he",
                dropout=0.0,
                clip_norm=1.0,
                resize=36,
                crop=32,
            ),
            dataset="photos",
        )
    },
)
'''


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return write_photos(tmp_path_factory.mktemp("sets") / "photos", classes=6)


def begin(folder, photos):
    (folder / "mine.py").write_text(EXPERIMENT)
    (folder / "photos").symlink_to(photos)
    return ["reproduce", "mine.py"]


@pytest.fixture(scope="module")
def undisturbed(photos, tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    done = run(*begin(folder, photos), folder=folder)
    assert done.returncode == 0, done.stderr
    return folder, done


@pytest.mark.slow
def test_the_protocol_end_to_end(undisturbed):
    folder, done = undisturbed
    url = f"sqlite:///{folder}/results/dse.db"
    [row] = dse.load_runs(storage=url).to_dict("records")
    assert row["status"] == "complete"
    assert row["test_accuracy"] > 0.5  # chance is a sixth
    assert math.isnan(row["test_top5"])  # of six classes, five say nothing
    # 36 images less one of each class: 3 steps of 8 an epoch.
    assert row["epochs"] == 50
    report = folder / "results" / "mine" / "photos-small"
    assert len(pd.read_csv(report / "epochs.csv")) == 50
    assert "validation" in done.stdout
    model = dse.load_model(row["run_id"], storage=url)
    assert model.network.architecture.input_shape == (32, 32, 3)
    assert model.takes == (36, 36, 3)
    # A photo of any size is prepared as those that it was trained on.
    image = next((folder / "photos" / "test" / "class_1").glob("*.png"))
    told = run("predict", row["run_id"], image, folder=folder)
    assert told.returncode == 0, told.stderr
    assert ": class_" in told.stdout


@pytest.mark.slow
def test_killed_with_its_driver_it_goes_on_to_the_same_table(
    undisturbed, photos, tmp_path
):
    words = begin(tmp_path, photos)
    process = subprocess.Popen([*DSE, *words], cwd=tmp_path, stdout=subprocess.DEVNULL)
    checkpoints = tmp_path / "results" / "checkpoints"
    while not any(kept.name.isdecimal() for kept in checkpoints.glob("*/*")):
        assert process.poll() is None
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert len(list(checkpoints.iterdir())) == 1
    done = run(*words, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    first, _ = undisturbed
    pd.testing.assert_frame_equal(table(tmp_path), table(first))
    left, right = (
        pd.read_csv(f / "results/mine/photos-small/epochs.csv").drop(
            columns=["run_id", "images_per_second"]
        )
        for f in (tmp_path, first)
    )
    pd.testing.assert_frame_equal(left, right)
    assert not list(checkpoints.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("made", "complaint"),
    [
        (lambda folder: None, "there is no dataset folder photos; expected "),
        (
            lambda folder: folder.mkdir(),
            "photos holds no images; expected",
        ),
        (
            lambda folder: write_photos(folder, train=1),
            "dataset photos: no class has two train images",
        ),
    ],
)
def test_a_folder_without_images_is_one_line(tmp_path, made, complaint):
    (tmp_path / "mine.py").write_text(EXPERIMENT)
    made(tmp_path / "photos")
    done = run("reproduce", "mine.py", folder=tmp_path)
    assert done.returncode == 1
    assert complaint in done.stderr
    assert done.stderr.count("\n") == 1
