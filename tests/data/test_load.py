import datasets
import numpy as np
import pytest
from PIL import Image
from samples import striped, write_image_folder

from dse.data import load as loading
from dse.data.load import EMBEDDED, load
from dse.errors import DseError


def test_the_embedded_set_is_balanced_and_whole():
    dataset = load()
    assert dataset.name == EMBEDDED
    assert dataset.image_shape == (28, 28, 1)
    assert np.bincount(dataset.train.labels).tolist() == [1000] * 10
    assert np.bincount(dataset.test.labels).tolist() == [200] * 10
    assert dataset.class_names[0] == "T-shirt/top"


def test_image_folder(tiny, tiny_folder):
    dataset = load(str(tiny_folder))
    assert dataset.name == "stripes"
    assert dataset.class_names == ("class_0", "class_1", "class_2", "class_3")
    order = np.argsort(tiny.train.labels, kind="stable")
    np.testing.assert_array_equal(dataset.train.labels, tiny.train.labels[order])
    np.testing.assert_array_equal(dataset.train.pixels, tiny.train.pixels[order])


def test_the_second_load_reads_the_cache(tiny_folder, monkeypatch):
    first = load(str(tiny_folder))
    monkeypatch.setattr(loading, "decode_source", None)
    second = load(str(tiny_folder))
    np.testing.assert_array_equal(first.train.pixels, second.train.pixels)
    assert second.class_names == first.class_names
    assert second.fingerprint == first.fingerprint


def test_a_cache_that_cannot_be_written_is_done_without(tiny_folder, monkeypatch):
    monkeypatch.setenv("DSE_CACHE", "/proc/nowhere")
    assert len(load(str(tiny_folder)).train) == 400


def test_a_changed_file_changes_the_fingerprint(tmp_path):
    write_image_folder(tmp_path / "train", striped(20, 2, seed=3))
    before = load(str(tmp_path))
    file = next((tmp_path / "train").rglob("*.png"))
    Image.fromarray(np.full((28, 28), 77, np.uint8)).save(file)
    after = load(str(tmp_path))
    assert before.fingerprint != after.fingerprint
    assert not np.array_equal(before.train.pixels, after.train.pixels)


def test_parquet_with_words_for_labels_and_colour(tmp_path):
    generator = np.random.default_rng(0)
    images = [
        Image.fromarray(generator.integers(0, 256, (30, 26, 3), dtype=np.uint8))
        for _ in range(24)
    ]
    rows = {"picture": images, "label": ["cat", "dog"] * 12}
    table = datasets.Dataset.from_dict(rows).cast_column("picture", datasets.Image())
    table.to_parquet(tmp_path / "train-00000-of-00001.parquet")
    dataset = load(str(tmp_path))
    assert dataset.class_names == ("cat", "dog")
    assert dataset.image_shape == (30, 26, 3)
    # No test part: a sixth of each class of twelve is held out.
    assert np.bincount(dataset.test.labels).tolist() == [2, 2]
    assert len(dataset.train) == 20


def parquet(folder, labels, sizes=None, names=None):
    """A Parquet set of plain images with these labels."""
    images = [
        Image.fromarray(np.full(size or (28, 28), row, np.uint8))
        for row, size in enumerate(sizes or [None] * len(labels))
    ]
    features = datasets.Features(
        {
            "image": datasets.Image(),
            "label": datasets.ClassLabel(names=names)
            if names
            else datasets.Value("int64"),
        }
    )
    table = datasets.Dataset.from_dict({"image": images, "label": labels}, features)
    table.to_parquet(folder / "train-00000-of-00001.parquet")


def test_missing_folder():
    with pytest.raises(DseError, match=r"no dataset folder \./nowhere; expect"):
        load("./nowhere")
    with pytest.raises(DseError, match="there is no dataset folder mnist"):
        load("mnist")


def test_empty_folder(tmp_path):
    with pytest.raises(DseError, match="holds no images; expected"):
        load(str(tmp_path))


def test_folder_without_images(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing to see\n")
    with pytest.raises(DseError, match=r"no images \(no image\); expected images in"):
        load(str(tmp_path))


def test_images_without_classes(tmp_path):
    Image.new("L", (28, 28)).save(tmp_path / "a.png")
    Image.new("L", (28, 28)).save(tmp_path / "b.png")
    with pytest.raises(DseError, match="lie in no folder, so none has a label"):
        load(str(tmp_path))


def test_mixed_sizes(tmp_path):
    parquet(tmp_path, [0, 1, 0], sizes=[None, (28, 30), None])
    with pytest.raises(DseError, match=r"2 sizes \(2 of 28x28, 1 of 30x28\)"):
        load(str(tmp_path))


def test_corrupt_image(tmp_path):
    write_image_folder(tmp_path / "train", striped(8, 2, seed=3))
    file = tmp_path / "train" / "class_1" / "0003.png"
    file.write_bytes(file.read_bytes()[:60])
    with pytest.raises(DseError, match=r"class_1/0003\.png cannot be decoded"):
        load(str(tmp_path))


def test_label_outside_the_class_list(tmp_path):
    parquet(tmp_path, [0, 1, -1, 0], names=["a", "b"])
    with pytest.raises(DseError, match=r"train image 2 has label -1.*list of 2"):
        load(str(tmp_path))


def test_one_class_only(tmp_path):
    parquet(tmp_path, [1, 1, 1, 1, 1, 1])
    with pytest.raises(DseError, match="all of one class"):
        load(str(tmp_path))


def test_unreachable_hub(monkeypatch):
    def refuse(*_, **__):
        raise ConnectionError("no way\nout")

    monkeypatch.setattr(datasets, "load_dataset", refuse)
    with pytest.raises(DseError, match=r"opened \(ConnectionError: no way\)"):
        load("somebody/something")


def test_torn_cache_is_made_again(tiny_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("DSE_CACHE", str(tmp_path))
    dataset = load(str(tiny_folder))
    [file] = (tmp_path / "pixels").iterdir()
    file.write_bytes(file.read_bytes()[:1000])
    np.testing.assert_array_equal(
        load(str(tiny_folder)).train.pixels, dataset.train.pixels
    )
