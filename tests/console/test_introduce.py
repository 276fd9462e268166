"""What a person sees of a set, and whether a study goes on with it."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from samples import SMALL_EXPERIMENT, striped, write_image_folder

import dse as package
from dse.cli import main
from dse.console.dataset import watching
from dse.data.load import load
from dse.errors import DseError
from dse.runs.recipe import Recipe
from dse.runs.records import StudyRecord
from dse.session import known_as
from dse.store.database import open_store
from dse.store.enter import register_study


def test_a_person_is_told_how_reading_goes(monkeypatch, capsys):
    clock = iter([0.0, 1.0, 2.5, 3.0, 10.0, 20.0])
    monkeypatch.setattr("dse.console.dataset.time.monotonic", lambda: next(clock))
    with watching("mine\x1b[2J") as watch:
        for done in (1000, 2000, 3000, 4000, 5000):
            watch(done, 5000)
    assert capsys.readouterr().err == (
        "reading mine\\x1b[2J: 2,000 of 5,000 images\n"
        "reading mine\\x1b[2J: 4,000 of 5,000 images\n"
    )


@pytest.fixture
def mine(tmp_path):
    """A set with a validation part, an odd file and a double."""
    folder = tmp_path / "mine"
    for part, count, seed in (("train", 60, 0), ("val", 8, 1), ("Testing", 12, 2)):
        write_image_folder(folder / part, striped(count, 2, seed))
    (folder / "photo.heic").write_bytes(b"heic")
    double = next((folder / "train" / "class_0").iterdir()).read_bytes()
    (folder / "Testing" / "class_0" / "x.png").write_bytes(double)
    return folder


def test_dse_data_says_what_is_read(mine, capsys):
    main(["data", str(mine)])
    assert capsys.readouterr().out.splitlines() == [
        "mine: 2 classes",
        "train: 60 images of 2 classes (30 each)",
        "validation: 8 images of 2 classes (4 each)",
        "test: 13 images of 2 classes (6 of class_1 to 7 of class_0)",
        "validation: its own part; test: its own part",
        "images: grey, from L in PNG; sizes: 81 of 28x28",
        "81 of 82 image files are used; not: 1 HEIC is not read (photo.heic)",
        "warning: 1 of 13 test images are in another part, too, pixel by pixel",
        "warning: 81 of 82 image files are used; not: 1 HEIC is not read (photo.heic)",
    ]


def test_dse_data_takes_what_is_named(mine, capsys):
    main(["data", str(mine), "--test-folder", "val"])
    told = capsys.readouterr().out.splitlines()
    assert told[2] == "test: 8 images of 2 classes (4 each)"
    with pytest.raises(SystemExit):
        main(["data", str(mine), "--test-folder", "nowhere"])
    assert "--test-folder nowhere holds no images" in capsys.readouterr().err


def test_every_command_says_what_it_read(dse, workplace, mine):
    file = workplace / "parted.py"
    file.write_text(SMALL_EXPERIMENT.replace("DATASET", str(mine)))
    line = (
        "mine: 60 images of 2 classes (30 each); validation: its own part; test: its "
        "own part, 13 images"
    )
    status, printed = dse("reproduce", "parted.py")
    assert status == 0, printed.err
    assert printed.out.splitlines()[0] == line
    assert "warning: 1 of 13 test images are in another part" in printed.out
    report = workplace / "results" / "parted" / "mine-quick"
    config = json.loads((report / "config.json").read_text())
    assert config["data"]["validation"] == "its own part"
    assert config["data"]["parts"]["train"]["images"] == 60
    assert config["data"]["doubles"] == {"test": 1}
    caption = "60 train and 8 validation and 13 test"
    assert caption in (report / "figure.svg").read_text() or caption_split(report)


def caption_split(report):
    """The caption may be folded between words."""
    from dse.report.captions import data_line

    config = json.loads((report / "config.json").read_text())
    return data_line(load(str(report.parents[2] / "mine"))).startswith(
        "mine: 60 train and 8 validation and 13 test images"
    ) and bool(config)


def test_a_study_of_before_goes_on_where_the_images_are_the_same(tmp_path):
    write_image_folder(tmp_path / "set" / "train", striped(60, 2, 0))
    write_image_folder(tmp_path / "set" / "test", striped(12, 2, 1))
    store = open_store(f"sqlite:///{tmp_path}/dse.db")
    alone = load(str(tmp_path / "set"))
    assert known_as(alone, ["a/set-quick"], store) is alone
    (tmp_path / "set" / ".DS_Store").write_bytes(b"x")
    dataset = load(str(tmp_path / "set"))
    [former] = dataset.formerly
    register_study(store, study_of(former))
    assert known_as(dataset, ["a/set-quick"], store).fingerprint == former
    assert known_as(dataset, ["new/set-quick"], store).fingerprint == former
    # Another study was begun without that file: each goes on by its own identity.
    register_study(store, study_of(alone.fingerprint, "b/set-quick"))
    assert known_as(dataset, ["b/set-quick"], store) is dataset
    assert known_as(dataset, ["a/set-quick"], store).fingerprint == former
    with pytest.raises(DseError, match="a/set-quick and b/set-quick know the images"):
        known_as(dataset, ["a/set-quick", "b/set-quick"], store)
    # A part of it is known by the same.
    part = package_part(dataset)
    assert part.formerly == (f"{former}-20",)


def package_part(dataset):
    from dse.data.dataset import balanced_part

    return balanced_part(dataset, 20)


def study_of(fingerprint, name="a/set-quick"):
    recipe = Recipe(epochs=1, peak_learning_rate=0.1)
    return StudyRecord(name, "a", "quick", "set", fingerprint, recipe, 1)


def test_a_study_of_before_is_refused_where_they_were_read_otherwise(tmp_path):
    write_image_folder(tmp_path / "set" / "Training", striped(60, 2, 0))
    write_image_folder(tmp_path / "set" / "Testing", striped(12, 2, 1))
    store = open_store(f"sqlite:///{tmp_path}/dse.db")
    dataset = load(str(tmp_path / "set"))
    register_study(store, study_of(dataset.misread))
    assert known_as(dataset, ["another/set-quick"], store) is dataset
    with pytest.raises(DseError, match="an earlier version, which read set otherwise"):
        known_as(dataset, ["a/set-quick"], store)
    same = replace(dataset, misread="")
    assert known_as(same, ["a/set-quick"], store) is same


@pytest.mark.slow
def test_predict_answers_for_the_good_files(tmp_path, mine, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "parted.py"
    file.write_text(SMALL_EXPERIMENT.replace("DATASET", str(mine)))
    package.sweep("parted.py", package.Options(seeds=1, executor="serial"))
    runs = package.load_runs()
    run = str(runs[runs["status"] == "complete"]["run_id"].iloc[0])
    whole = next((mine / "Testing" / "class_1").iterdir())
    Image.fromarray(np.zeros((30, 30), np.uint8)).save(tmp_path / "large.png")
    (tmp_path / "bad.png").write_bytes(whole.read_bytes()[:90])
    capsys.readouterr()
    files = [whole, tmp_path / "bad.png", tmp_path / "large.png", whole, "none.png"]
    with pytest.raises(SystemExit) as end:
        main(["predict", run, *map(str, files)])
    assert end.value.code == 1
    printed = capsys.readouterr()
    assert printed.out.splitlines() == [printed.out.splitlines()[0]] * 2
    assert printed.out.startswith(f"{whole}: class_")
    told = printed.err.splitlines()
    assert len(told) == 4
    assert "bad.png cannot be decoded" in told[0]
    assert "large.png: images are 30x30x1 (height, width, channels)" in told[1]
    assert "there is no image file none.png" in told[2]
    assert told[3] == "dse: 3 of 5 files were not classified"
    # A turned photo is seen upright, as in training.
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = Image.open(whole).rotate(90, expand=True)
    turned.save(tmp_path / "turned.png", exif=exif)
    main(["predict", run, str(tmp_path / "turned.png")])
    upright = printed.out.splitlines()[0].split(": ", 1)[1]
    assert capsys.readouterr().out.splitlines()[0].endswith(upright)
