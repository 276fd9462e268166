"""Which files of a folder are images of which part and class, and what is said."""

import hashlib
import json
import os
import random
import socket
import unicodedata
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from samples import striped, write_image_folder

from dse.data.folders import open_source
from dse.data.layout import Named, lay_out
from dse.data.load import load
from dse.data.walk import Found
from dse.errors import DseError

COUNT = 12


def save(folder, count=COUNT, first=0, extension="png"):
    """Images in a folder, no two alike anywhere in a test."""
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(first, first + count):
        seed = [index, *os.fsencode(folder)]
        pixels = np.random.default_rng(seed).integers(0, 256, (28, 28), np.uint8)
        Image.fromarray(pixels).save(folder / f"{index}.{extension}")


def opened(folder, **named):
    return open_source(folder, str(folder), Named(**named))


def counts(source):
    return {part: len(own.labels) for part, own in source.parts.items()}


def places(source, part="train"):
    return {file.place: label for file, label in source.used[part]}


def test_file_names_decide_nothing(tmp_path):
    for name in ("cat", "dog"):
        save(tmp_path / name)
        Image.new("L", (28, 28)).save(tmp_path / name / "test_1.png")
        Image.new("L", (28, 28)).save(tmp_path / name / "train val.png")
    source = opened(tmp_path)
    assert counts(source) == {"train": 2 * COUNT + 4}
    assert source.class_names == ("cat", "dog")


@pytest.mark.parametrize(
    ("train", "validation", "test"),
    [
        ("train", "val", "test"),
        ("Training", "VALID", "Testing"),
        ("TRAIN", "Validation", "eval"),
        ("train ", "dev", "Evaluation"),
    ],
)
def test_parts_in_any_spelling(tmp_path, train, validation, test):
    for part, count in ((train, 12), (validation, 5), (test, 7)):
        for name in ("a", "b"):
            save(tmp_path / part / name, count)
    dataset = load(str(tmp_path))
    assert counts(opened(tmp_path)) == {"train": 24, "validation": 10, "test": 14}
    assert len(dataset.train) == 34
    assert dataset.own_validation.tolist() == list(range(24, 34))
    assert len(dataset.test) == 14
    assert "validation: its own part; test: its own part" in dataset.contents.short()


def test_a_class_may_be_called_as_a_part(tmp_path):
    for name in ("train", "bus"):
        save(tmp_path / name)
    assert opened(tmp_path).class_names == ("bus", "train")
    save(tmp_path / "test")
    with pytest.raises(DseError, match="test, train are called as parts, but hold no"):
        opened(tmp_path)
    source = opened(tmp_path, train_folder=".")
    assert counts(source) == {"train": 3 * COUNT}
    assert source.class_names == ("bus", "test", "train")


def test_a_folder_that_is_named_holds_classes(tmp_path):
    for place in ("root/train/a", "root/train/b", "root/test/a", "root/test/b"):
        save(tmp_path / place)
    with pytest.raises(DseError, match=r"root was named as a part.*\(root/test, root/"):
        opened(tmp_path, train_folder="root")
    source = opened(tmp_path, train_folder="root/train", test_folder="root/test")
    assert counts(source) == {"train": 2 * COUNT, "test": 2 * COUNT}
    with pytest.raises(DseError, match="lie in one folder, root/test/a, so they have"):
        opened(tmp_path, train_folder="root/train", test_folder="root/test/a")


def test_folders_within_classes_count_to_the_class(tmp_path):
    for place in ("cats/2023", "dogs/2023", "owls/2023/may"):
        save(tmp_path / place)
    source = opened(tmp_path)
    assert counts(source) == {"train": 3 * COUNT}
    assert source.class_names == ("cats", "dogs", "owls")
    assert source.notes == (
        "folders within the classes of train (cats/2023, dogs/2023, owls/2023) count "
        "to the class",
    )
    save(tmp_path / "dogs/2024")
    with pytest.raises(DseError, match=r"--train-folder \. where the top folders are"):
        opened(tmp_path)
    assert counts(opened(tmp_path, train_folder="./")) == {"train": 4 * COUNT}
    save(tmp_path / "val/cats")
    assert counts(opened(tmp_path, train_folder=".")) == {
        "train": 4 * COUNT,
        "validation": COUNT,
    }


@pytest.mark.parametrize(
    ("folders", "complaint"),
    [
        (["Train set/a", "Train set/b", "Test set/a", "Test set/b"], "hold the same"),
        (["train/a", "train/b", "holdout/a", "holdout/b"], "hold the same classes"),
        (["train/a", "train/b", "test data/b", "test data/c"], "the same classes"),
        (["train_data/a", "train_data/b", "test_data/a"], r"same classes \(a\)"),
        (["one/a", "one/b", "two/b"], r"folders one and two hold .* \(b\)"),
        (["my_train/a", "my_train/b", "test1/b", "test1/c"], r"same classes \(b\)"),
        (["cat/train", "cat/test", "dog/train"], "expected test/cat, parts first"),
        (["x/train/a", "x/test/a", "docs"], "name .*/x itself, if it is the set"),
        (["train/a", "train/b", "extra/a"], "or take extra out"),
        (["cat/train", "dog/Test"], "cat/train, dog/Test are called as parts, but lie"),
        (["train", "test", "unsorted"], "but hold no class folders"),
        (
            ["train/a", "train/b", "test/images"],
            r"a class that train lacks \('images'\)",
        ),
        (["train/a", "train/b", "test"], "in one folder, test, so they have no labels"),
        (["train/a", "train/b", "Train/a", "Train/b"], "are both its train part"),
        (["train/hor", "train/ver", "test/Hor", "test/Ver"], "in capitals alone"),
        (["val/a", "val/b", "test/a", "test/b"], "none to train on; rename"),
        (["all/a", "all/b"], "holds one folder; name .*/all itself"),
        (["a"], "lie in one folder, .*/a, so none has a label"),
        (["train", "test"], "in one folder, test, so they have no labels"),
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(tmp_path, folders, complaint):
    for folder in folders:
        save(tmp_path / folder)
    with pytest.raises(DseError, match=complaint):
        opened(tmp_path)


def test_unicode_forms_are_pointed_out(tmp_path):
    composed = unicodedata.normalize("NFC", "café")
    save(tmp_path / "train" / composed)
    save(tmp_path / "train" / "tea")
    save(tmp_path / "test" / unicodedata.normalize("NFD", composed))
    save(tmp_path / "test" / "tea")
    with pytest.raises(DseError, match="differs from 'café' in Unicode alone"):
        opened(tmp_path)


def test_a_person_names_the_parts(tmp_path):
    for part, count in (("first half", 12), ("second half", 6), ("val", 4)):
        for name in ("a", "b"):
            save(tmp_path / part / name, count)
    both = {"train_folder": "first half", "test_folder": "second half/"}
    assert counts(opened(tmp_path, **both)) == {
        "train": 24,
        "validation": 8,
        "test": 12,
    }
    source = opened(tmp_path, train_folder="first half")
    assert counts(source) == {"train": 24, "validation": 8}
    assert {left.reason for left in source.left_out} == {"in no part that was named"}
    for odd in ("../x", "/tmp", "", "third"):
        with pytest.raises(DseError, match="--train-folder"):
            opened(tmp_path, train_folder=odd)
    with pytest.raises(DseError, match="are both 'val'"):
        opened(tmp_path, train_folder="val", test_folder="val")


def test_links_are_followed_once(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    save(elsewhere)
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "a.txt").write_text("no image")
    folder = tmp_path / "set"
    save(folder / "cat")
    save(folder / "dog")
    (folder / "fox").symlink_to(elsewhere)
    for name in ("more", "notes"):
        (folder / name).symlink_to(notes)
    (folder / "dog" / "again").symlink_to(folder)
    (folder / "dog" / "gone.png").symlink_to(folder / "nothing.png")
    source = opened(folder)
    assert source.class_names == ("cat", "dog", "fox")
    assert counts(source) == {"train": 3 * COUNT}
    assert {(left.place, left.reason) for left in source.left_out} == {
        ("dog/again", "a link in a circle"),
        ("dog/gone.png", "a link that leads nowhere"),
        ("more/a.txt", "no image"),
        ("notes", "linked at more already"),
    }
    (folder / "wolf").symlink_to(elsewhere)
    with pytest.raises(DseError, match="fox and wolf are links to one folder"):
        opened(folder)


def test_special_files_are_refused(tmp_path):
    for name in ("cat", "dog"):
        save(tmp_path / name)
    odd = tmp_path / "cat" / "odd.png"
    os.mkfifo(odd)
    with pytest.raises(DseError, match=r"cat/odd\.png is a pipe, a socket or a device"):
        opened(tmp_path)
    odd.unlink()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(odd))
        with pytest.raises(DseError, match="is a pipe, a socket"):
            opened(tmp_path)
    odd.unlink()
    for target in ("/dev/zero", "/proc/self", "/proc/self/environ"):
        odd.symlink_to(target)
        with pytest.raises(DseError, match="take it out of the folder"):
            opened(tmp_path)
        odd.unlink()


@pytest.mark.parametrize(
    "name",
    ["images [v2]", "images (1)", "images*", "imagefolder", "shapes", "a?b", " x "],
)
def test_the_folder_that_was_named_and_nothing_else(tmp_path, name, monkeypatch):
    for folder in (name, "images", "imagesx"):
        for label in ("cat", "dog"):
            save(tmp_path / folder / label)
    ran = tmp_path / "ran"
    script = f"open({str(ran)!r}, 'w')\n"
    (tmp_path / name / f"{name.strip()}.py").write_text(script)
    (tmp_path / name / "README.md").write_text(
        "---\nconfigs:\n- config_name: default\n  data_files: ../images/**\n---\n"
    )
    (tmp_path / name / "dataset_infos.json").write_text("[]")
    source = opened(tmp_path / name)
    assert counts(source) == {"train": 2 * COUNT}
    assert not ran.exists()
    monkeypatch.chdir(tmp_path / name)
    assert load(".").name == name


def test_what_is_not_used_is_counted_and_said(tmp_path):
    for name in ("a", "b"):
        save(tmp_path / name)
        save(tmp_path / name, COUNT, COUNT, "avif")
    (tmp_path / "a" / ".hidden.png").write_bytes((tmp_path / "a/0.png").read_bytes())
    save(tmp_path / ".ipynb_checkpoints")
    (tmp_path / "a" / "photo.heic").write_bytes(b"ftypheic")
    (tmp_path / "notes.txt").write_text("BM, GIF8 and P5 are how images begin\n")
    (tmp_path / "metadata.csv").write_text("file_name,label\na/0.png,b\n")
    save(tmp_path, 1)
    contents = load(str(tmp_path)).contents
    assert contents.formats == {"PNG": 24, "AVIF": 24}
    [line] = contents.left_out_lines()
    assert line.startswith("48 of 50 image files are used; not: ")
    for told in (
        "2 hidden (.ipynb_checkpoints, a/.hidden.png)",
        "1 HEIC is not read (a/photo.heic)",
        "2 no image (metadata.csv, notes.txt)",
        "1 in no class folder (0.png)",
    ):
        assert told in line
    assert line in contents.warnings()


def test_an_image_without_an_extension_is_one(tmp_path):
    for name in ("a", "b"):
        save(tmp_path / name)
        (tmp_path / name / "0.png").rename(tmp_path / name / "0")
        (tmp_path / name / "1.png").rename(tmp_path / name / "1.PNG")
        (tmp_path / name / "2.png").rename(tmp_path / name / "2.dat")
    assert counts(opened(tmp_path)) == {"train": 2 * COUNT}


def test_bytes_that_are_no_utf8(tmp_path):
    for name in (b"dog", b"caf\xe9"):
        save(tmp_path / os.fsdecode(name))
    assert load(str(tmp_path)).class_names == (r"caf\xe9", "dog")
    save(tmp_path / r"caf\xe9")
    with pytest.raises(DseError, match="two class folders are both shown as"):
        load(str(tmp_path))


def test_what_is_odd_is_said(tmp_path):
    for part, count in (("train", 12), ("test", 4)):
        for name in ("a", "b"):
            save(tmp_path / part / name, count)
    # Eight test images are of their own; then one more is a train image as well, and
    # two train images are the same under two labels.
    train = tmp_path / "train"
    (tmp_path / "test" / "a" / "x.png").write_bytes((train / "a/0.png").read_bytes())
    (train / "b" / "x.png").write_bytes((train / "a/1.png").read_bytes())
    Image.new("L", (28, 28), 9).save(train / "a" / "blank.png")
    (train / "c").mkdir()
    save(train / "c", 3)
    contents = load(str(tmp_path)).contents
    assert contents.doubles == {"test": 1}
    assert contents.warnings() == [
        "1 of 9 test images are in train, too, pixel by pixel",
        "2 train images are there again under another label",
        "1 images have a single value in all pixels",
        "1 classes have no test image",
    ]
    assert contents.parts["train"].smallest == ("c", 3)
    assert contents.parts["train"].largest == ("a", 13)


def test_a_test_of_train_images_alone_is_refused(tmp_path):
    for name in ("a", "b"):
        save(tmp_path / "train" / name)
        for index in range(3):
            file = tmp_path / "test" / name / f"{index}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes((tmp_path / f"train/{name}/{index}.png").read_bytes())
    with pytest.raises(DseError, match="all of its 6 test images are in train"):
        load(str(tmp_path))


def table(file, labels, names=None, image="image", label="label", **more):
    """A Parquet file; its class list stands where the Hugging Face library puts it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng([len(labels), *os.fsencode(file)])
    images = []
    for _ in labels:
        path = file.with_suffix(".png")
        pixels = generator.integers(0, 256, (28, 28), np.uint8)
        Image.fromarray(pixels).save(path)
        images.append({"bytes": path.read_bytes(), "path": None})
        path.unlink()
    rows = pa.table({**more, image: images, label: labels})
    features = {image: {"_type": "Image"}}
    if names is not None:
        features[label] = {"names": names, "_type": "ClassLabel"}
    told = json.dumps({"info": {"features": features}})
    pq.write_table(rows.replace_schema_metadata({"huggingface": told}), file)


def test_the_values_that_occur_are_the_classes(tmp_path):
    table(tmp_path / "train.parquet", [1, 7] * 12)
    dataset = load(str(tmp_path))
    assert dataset.class_names == ("1", "7")
    assert sorted(np.unique(dataset.train.labels)) == [0, 1]


def test_each_file_has_its_own_class_list(tmp_path):
    table(tmp_path / "train-00000-of-00002.parquet", [0, 1] * 6, ["cat", "dog"])
    table(tmp_path / "train-00001-of-00002.parquet", [0, 1] * 6, ["dog", "cat"])
    table(tmp_path / "test-00000-of-00001.parquet", [0, 0, 1], ["dog", "cat"])
    dataset = load(str(tmp_path))
    assert dataset.class_names == ("cat", "dog")
    assert dataset.train.labels.tolist() == [0, 1] * 6 + [1, 0] * 6
    assert dataset.test.labels.tolist() == [1, 1, 0]


@pytest.mark.parametrize(
    ("train", "test", "complaint"),
    [
        (["cat", "dog"] * 6, ["Cat", "Dog"], "differs from 'cat' in capitals alone"),
        ([0, 1] * 6, [0, 2], r"a class that train lacks \('2'\)"),
        ([0, 1] * 6, [0, -1], "test image 1 has label -1"),
        ([0, None] * 6, [0, 1], "train image 1 has label -1"),
        ([0.5, 1.5] * 6, [0.5], "label '0.5' is no class"),
        ([[0], [1]] * 6, [[0]], "is no class; expected"),
        ([True, False] * 6, [True], "label 'True' is no class"),
        (["x" * 2000, "y"] * 6, ["y"], "its label has 2,000 letters"),
        ([0, 1] * 6, ["0", "1"], "classes that train lacks"),
    ],
)
def test_labels_that_are_a_mistake(tmp_path, train, test, complaint):
    table(tmp_path / "train.parquet", train)
    table(tmp_path / "test.parquet", test)
    with pytest.raises(DseError, match=complaint):
        load(str(tmp_path))


def test_among_several_columns_the_usual_names_are_taken(tmp_path):
    blank = [{"bytes": b"no image", "path": None}] * 24
    more = {"mask": blank, "class": [7] * 24}
    table(tmp_path / "a" / "train.parquet", [0, 1] * 12, **more)
    assert load(str(tmp_path / "a")).class_names == ("0", "1")
    file = tmp_path / "b" / "train.parquet"
    table(file, [0, 1] * 12, image="left", mask=blank)
    with pytest.raises(DseError, match=r"several image columns \(mask, left\); say"):
        load(str(tmp_path / "b"))
    named = Named(image_column="left")
    assert len(load(str(tmp_path / "b"), named).train) == 20
    with pytest.raises(DseError, match=r"no column 'right' \(--image-column\)"):
        load(str(tmp_path / "b"), Named(image_column="right"))
    coarse = {"class": [0] * 24}
    table(tmp_path / "c" / "train.parquet", [0, 1] * 12, label="fine_label", **coarse)
    with pytest.raises(DseError, match="several label columns"):
        load(str(tmp_path / "c"))
    named = Named(label_column="fine_label")
    assert load(str(tmp_path / "c"), named).classes == 2


def test_rows_that_name_files_elsewhere_are_refused(tmp_path):
    secret = tmp_path / "secret.png"
    Image.new("L", (28, 28)).save(secret)
    images = [{"bytes": None, "path": str(secret)}] * 12
    (tmp_path / "set").mkdir()
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    rows = pa.table({"image": pa.array(images, kind), "label": [0, 1] * 6})
    pq.write_table(rows, tmp_path / "set" / "train.parquet")
    with pytest.raises(DseError, match="row 0 holds no image; expected its bytes"):
        load(str(tmp_path / "set"))


def test_parquet_files_and_class_folders_together_are_refused(tmp_path):
    table(tmp_path / "train.parquet", [0, 1] * 12)
    save(tmp_path / "assets", 1)
    dataset = load(str(tmp_path))
    assert len(dataset.train) == 20
    told = "1 image files beside its Parquet are not used"
    assert told in dataset.contents.warnings()
    save(tmp_path / "cat")
    with pytest.raises(DseError, match=r"holds Parquet files \(train\.parquet\) and"):
        load(str(tmp_path))


def rewritten(file, **columns):
    """The rows of a Parquet file with other columns, or other metadata."""
    rows = pq.read_table(file)
    note = columns.pop("note", rows.schema.metadata[b"huggingface"])
    for name, values in columns.items():
        rows = rows.drop_columns([name]).append_column(name, values)
    pq.write_table(rows.replace_schema_metadata({"huggingface": note}), file)


def test_parquet_files_of_a_part_are_read_or_refused(tmp_path):
    table(tmp_path / "train-0.parquet", [0, 1] * 12)
    rows = {"image": ["cat/1.png", "cat/2.png"], "label": [0, 1]}
    pq.write_table(pa.table(rows), tmp_path / "notes.parquet")
    assert len(load(str(tmp_path)).train) == 20  # of notes nobody expects images
    (tmp_path / "notes.parquet").rename(tmp_path / "train-1.parquet")
    complaint = r"train-1\.parquet is called as its train part, but has no column of"
    with pytest.raises(DseError, match=complaint):
        load(str(tmp_path))
    (tmp_path / "train-1.parquet").unlink()
    table(tmp_path / "unsupervised.parquet", [0, 1] * 12)
    told = "unsupervised.parquet is called as no part, and not used"
    assert told in load(str(tmp_path)).contents.warnings()
    assert len(load(str(tmp_path), Named(train_folder="unsupervised")).train) == 20
    (tmp_path / "train-0.parquet").rename(tmp_path / "probe.parquet")
    with pytest.raises(DseError, match=r"probe\.parquet and unsupervised\.parquet are"):
        load(str(tmp_path))
    both = load(str(tmp_path), Named(train_folder="."))
    assert len(both.train) + len(both.test) == 48
    both = load(str(tmp_path), Named(test_folder="probe"))
    assert (len(both.train), len(both.test)) == (24, 24)
    told = "unsupervised.parquet is trained on, as what no option names"
    assert told in both.contents.warnings()


def test_a_part_without_rows_is_refused(tmp_path):
    table(tmp_path / "train.parquet", [0, 1] * 12)
    table(tmp_path / "test.parquet", [0])
    pq.write_table(
        pq.read_table(tmp_path / "test.parquet").slice(1), tmp_path / "test.parquet"
    )
    with pytest.raises(DseError, match="its test part has no images; put some in, or"):
        load(str(tmp_path))


def test_two_classes_of_one_name_in_a_list_are_refused(tmp_path):
    table(tmp_path / "train.parquet", [0, 1, 2] * 6, ["crane", "heron", "crane"])
    with pytest.raises(DseError, match="its class list has 'crane' as 0 and as 2"):
        load(str(tmp_path))


@pytest.mark.parametrize("note", ["null", "[]", "{}", '{"info": null}', '{"info": []}'])
def test_a_note_that_notes_nothing_changes_nothing(tmp_path, note):
    table(tmp_path / "train.parquet", [0, 1] * 12)
    rewritten(tmp_path / "train.parquet", note=note)
    assert load(str(tmp_path)).class_names == ("0", "1")


def test_a_damaged_note_is_named(tmp_path):
    table(tmp_path / "train.parquet", [0, 1] * 12, ["cat", "dog"])
    rewritten(tmp_path / "train.parquet", note='{"info": {"feat')
    with pytest.raises(DseError, match="the note of the Hugging Face library in train"):
        load(str(tmp_path))


@pytest.mark.parametrize(
    "kind",
    [
        pa.binary(),
        pa.large_binary(),
        pa.binary_view(),
        pa.dictionary(pa.int32(), pa.binary()),
    ],
)
def test_bytes_of_any_kind_are_images(tmp_path, kind):
    file = tmp_path / "train.parquet"
    table(file, [0, 1] * 12)
    images = [x["bytes"] for x in pq.read_table(file).column("image").to_pylist()]
    words = pa.array(["cat", "dog"] * 12, pa.string_view())
    rewritten(file, note="{}", image=pa.array(images, kind), label=words)
    dataset = load(str(tmp_path))
    assert dataset.class_names == ("cat", "dog")
    assert len(dataset.train) == 20


def named_before(folder):
    """As earlier versions called a folder: a hash over all that lies there."""
    digest = hashlib.sha256()
    for file in sorted(file for file in folder.rglob("*") if file.is_file()):
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        digest.update(f"{file.relative_to(folder).as_posix()}:{content}\n".encode())
    return digest.hexdigest()[:16]


def test_a_note_beside_the_images_changes_no_identity(tmp_path):
    folder = tmp_path / "set"
    write_image_folder(folder / "train", striped(40, 2, seed=0))
    write_image_folder(folder / "test", striped(10, 2, seed=1))
    alone = load(str(folder))
    assert alone.fingerprint == named_before(folder)
    assert (alone.formerly, alone.misread) == ((), "")
    (folder / ".DS_Store").write_bytes(b"x")
    (folder / ".git").mkdir()
    (folder / ".git" / "HEAD").write_text("ref")
    with_hidden = named_before(folder)
    (folder / "notes.txt").write_text("mine")
    # A database of an earlier version knows it with any of them.
    beside = load(str(folder))
    assert beside.fingerprint == alone.fingerprint
    assert {with_hidden, named_before(folder)} <= {*beside.formerly}
    (folder / ".DS_Store").unlink()
    assert with_hidden in load(str(folder)).formerly
    # Some files had the library read something else.
    (folder / "metadata.csv").write_text("file_name,label\n")
    steered = load(str(folder))
    assert steered.fingerprint == alone.fingerprint
    assert steered.misread == named_before(folder)
    more = striped(11, 2, seed=7)
    Image.fromarray(more.pixels[10, :, :, 0]).save(folder / "train/class_0/more.png")
    assert load(str(folder)).fingerprint != alone.fingerprint


def test_layouts_that_were_read_the_same_keep_their_identity(tmp_path):
    # Held against the earlier reading once, by hand: ids, labels and pixels.
    write_image_folder(tmp_path / "a" / "train", striped(40, 2, seed=0))
    write_image_folder(tmp_path / "a" / "val", striped(10, 2, seed=1))
    write_image_folder(tmp_path / "b" / "train", striped(40, 2, seed=0))
    table(tmp_path / "c" / "cifar.parquet", [0, 1] * 12, ["x", "y"])
    for folder, named in (("a", Named(test_folder="val")), ("b", None), ("c", None)):
        dataset = load(str(tmp_path / folder), named)
        assert dataset.fingerprint == named_before(tmp_path / folder), folder
        assert dataset.misread == ""
    table(tmp_path / "d" / "train.parquet", [0, 1] * 12, ["x", "y"])
    table(tmp_path / "d" / "test.parquet", [-1] * 4, ["x", "y"])
    dataset = load(str(tmp_path / "d"))
    assert dataset.formerly == (named_before(tmp_path / "d"),)
    # Its own validation part was its test part then.
    assert load(str(tmp_path / "a")).misread == named_before(tmp_path / "a")
    # A library split such names.
    save(tmp_path / "e" / "a::b")
    save(tmp_path / "e" / "c")
    assert load(str(tmp_path / "e")).fingerprint != named_before(tmp_path / "e")


def test_what_was_read_wrongly_before_is_another_set(tmp_path):
    for part in ("Training", "Testing"):
        for name in ("a", "b"):
            save(tmp_path / part / name)
    dataset = load(str(tmp_path))
    assert dataset.misread
    assert dataset.misread != dataset.fingerprint


def test_names_are_framed_in_an_identity(tmp_path):
    # Joined without lengths, these two sets would read the same.
    for folder, names in (("x", ("a", "b\nc")), ("y", ("a\nb", "c"))):
        for name in names:
            save(tmp_path / folder / name, 1)
    with pytest.raises(DseError):
        load(str(tmp_path / "x"))  # too few images, but it has an identity
    from dse.data.identity import content_digest, identify

    keys = [
        identify(opened(tmp_path / name), 1 / 6, content_digest).key for name in "xy"
    ]
    assert keys[0] != keys[1]


def test_what_lies_beside_kept_pixels_is_told_anew(tmp_path):
    for name in ("a", "b"):
        save(tmp_path / name)
    assert load(str(tmp_path)).contents.left_out == ()
    (tmp_path / "a" / "x.heic").write_bytes(b"x")
    contents = load(str(tmp_path)).contents
    assert contents.left_out == (("HEIC is not read", 1, ("a/x.heic",)),)
    assert contents.warnings()[0].startswith("24 of 25 image files are used")


def test_pixels_that_were_kept_for_another_set_are_not_believed(tmp_path, monkeypatch):
    monkeypatch.setenv("DSE_CACHE", str(tmp_path / "cache"))
    for folder in ("one", "two"):
        for name in ("a", "b"):
            save(tmp_path / folder / name)
    one = load(str(tmp_path / "one"))
    [kept] = (tmp_path / "cache" / "pixels").iterdir()
    load(str(tmp_path / "two"))
    [other] = {*(tmp_path / "cache" / "pixels").iterdir()} - {kept}
    kept.write_bytes(other.read_bytes())
    again = load(str(tmp_path / "one"))
    np.testing.assert_array_equal(again.train.pixels, one.train.pixels)


def test_naming_what_is_read_anyway_changes_no_identity(tmp_path):
    for part in ("Train", "Test"):
        for name in ("a", "b"):
            save(tmp_path / part / name)
    named = Named(train_folder="Train", test_folder="Test")
    assert load(str(tmp_path), named).fingerprint == load(str(tmp_path)).fingerprint


def test_a_test_part_is_not_trained_on_for_want_of_another(tmp_path):
    for folder in ("cats", "dogs", "test/cats", "test/dogs"):
        save(tmp_path / "set" / folder)
    with pytest.raises(DseError, match="folders cats, dogs are no part, and of its"):
        opened(tmp_path / "set")
    table(tmp_path / "tables" / "cats_dogs.parquet", [0, 1] * 6)
    table(tmp_path / "tables" / "test.parquet", [0, 1])
    with pytest.raises(DseError, match="called as no part, and of its parts, test, no"):
        opened(tmp_path / "tables")


def test_a_list_in_one_file_and_numbers_in_another_are_refused(tmp_path):
    table(tmp_path / "train-00000-of-00002.parquet", [0, 1] * 6, ["cat", "dog"])
    table(tmp_path / "train-00001-of-00002.parquet", [0, 1] * 6)
    with pytest.raises(DseError, match=r"train labels are in no class list \(0, 1\)"):
        load(str(tmp_path))


def test_classes_that_are_nearly_alike_are_said(tmp_path):
    for name in ("Cat", "cat", "dog"):
        save(tmp_path / name)
    [note] = opened(tmp_path).notes
    assert note == "classes are called nearly alike: 'Cat' and 'cat'"


def test_many_folders_with_a_class_of_one_name_are_compared_quickly():
    images = [Found(f"c{i}/{name}/0.png", 1) for i in range(3000) for name in ("x", i)]
    layout = lay_out(images, Named(), "many")
    assert len(layout.parts["train"]) == 6000


# Random folders, against an independent walk.

SPELLED = {"train": "train", "TRAIN": "train", "Training": "train"}
SPELLED |= {
    "test": "test",
    "Testing": "test",
    "val": "validation",
    "Valid": "validation",
}
CLASSES = ["cat", "dog", "Dog", "__x__", "a b", "train", "test_1", "café", "cafe\u0301"]
FILES = ["{}.png", "test_{}.png", "{}", "{}.JPG", ".{}.png", "{}.txt", "{}.heic"]


def random_folder(root: Path, draw: random.Random, encoded: dict[str, list[bytes]]):
    """Parts, classes and files as they fall."""
    parts = (
        draw.sample(list(SPELLED), draw.randint(1, 3)) if draw.random() < 0.6 else [""]
    )
    names = draw.sample(CLASSES, draw.randint(1, 4))
    for part in parts:
        for name in draw.sample(names, draw.randint(1, len(names))):
            folder = root / part / name
            if draw.random() < 0.1:
                target = root.with_name(f"{root.name}_{draw.randint(0, 2)}")
                target.mkdir(exist_ok=True)
                if not folder.exists():
                    folder.parent.mkdir(parents=True, exist_ok=True)
                    folder.symlink_to(target)
            if draw.random() < 0.1:
                folder = folder / "deeper"
            if draw.random() < 0.05:
                folder = folder / ".hidden"
            folder.mkdir(parents=True, exist_ok=True)
            for index in range(draw.randint(2, 5)):
                form = draw.choice(FILES[: 4 if draw.random() < 0.8 else None])
                kind = "JPEG" if form.endswith("JPG") else "PNG"
                content = draw.choice(encoded[kind])
                if form.endswith(("txt", "heic")):
                    content = b"words"
                (folder / form.format(index)).write_bytes(content)
    if draw.random() < 0.2:
        (root / "loose.png").write_bytes(draw.choice(encoded["PNG"]))
    if draw.random() < 0.1:
        (root / names[0]).mkdir(exist_ok=True)
        (root / names[0] / "up").symlink_to(root)


def images_by_pillow(root: Path) -> set[str]:
    """Every image under `root`, hidden or not, as Pillow and os.walk find them."""
    found, seen = set(), set()
    for place, folders, names in os.walk(root, followlinks=True):
        real = os.path.realpath(place)
        if real in seen and os.path.realpath(root) == real:
            folders[:] = []
            continue
        seen.add(real)
        for name in names:
            file = Path(place) / name
            try:
                with Image.open(file, formats=("PNG", "JPEG")):
                    found.add(file.relative_to(root).as_posix())
            except OSError:
                pass
    return found


@pytest.mark.parametrize("block", range(5))
def test_every_image_is_used_or_named_in_random_folders(tmp_path, block):
    """A hundred folders a block: 500 in all."""
    generator = np.random.default_rng(block)
    encoded = {}
    for kind in ("PNG", "JPEG"):
        files = [tmp_path / f"{i}.{kind.lower()}" for i in range(20)]
        for file in files:
            pixels = generator.integers(0, 256, (8, 8), np.uint8)
            Image.fromarray(pixels).save(file, kind)
        encoded[kind] = [file.read_bytes() for file in files]
    draw = random.Random(block)
    read = 0
    for number in range(100):
        root = tmp_path / f"set{number}"
        root.mkdir()
        random_folder(root, draw, encoded)
        there = images_by_pillow(root)
        try:
            source = opened(root)
        except DseError as error:
            assert len(str(error).splitlines()) == 1
            continue
        read += 1
        used = {p: places(source, p) for p in source.used}
        named = {left.place for left in source.left_out}
        all_used = [place for part in used.values() for place in part]
        assert len(all_used) == len(set(all_used))
        for image in there:
            above = [image.rsplit("/", i)[0] for i in range(image.count("/") + 1)]
            assert image in all_used or {image, *above} & named, image
        assert not set(all_used) & named
        assert set(all_used) <= there
        for part, labels in used.items():
            for place, label in labels.items():
                steps = place.split("/")
                parted = (
                    any(
                        len(x.split("/")) > 2 and SPELLED.get(x.split("/")[0])
                        for x in all_used
                    )
                    and steps[0] in SPELLED
                )
                assert label == steps[1 if parted else 0]
                if parted and len(used) > 1:
                    assert SPELLED[steps[0]] == part
    assert read >= 20
