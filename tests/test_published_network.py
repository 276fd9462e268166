"""The authors' ImageNet network as a run: exact, kept, and right about real images."""

import io
import os
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

import dse
from dse.cli import main
from dse.compress.container import read_network
from dse.compress.networks import network_shapes
from dse.compress.published import write_published
from dse.data.class_names import read_class_names
from dse.errors import DseError
from dse.families.squeezenet import SqueezeNet
from dse.store.database import open_store
from dse.store.query import load_network, weights_path

PLACE = Path(os.environ.get("DSE_TEST_DATA", "nowhere"))
PUBLISHED = PLACE / "compressed_SqueezeNet.net"
SAMPLES = PLACE / "imagenet_samples" / "test-00000-of-00001.parquet"
needs_data = pytest.mark.skipif(
    not (PUBLISHED.is_file() and SAMPLES.is_file()),
    reason="DSE_TEST_DATA has no published network, or no images for it",
)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A database with the published network as run 1, and the 16 images as files."""
    folder = tmp_path_factory.mktemp("published")
    storage = f"sqlite:///{folder}/dse.db"
    assert dse.import_published(PUBLISHED, SAMPLES.parent, storage).run == 1
    for row in pq.read_table(SAMPLES).to_pylist():
        (folder / f"{row['label']}.jpg").write_bytes(row["image"]["bytes"])
    return folder


@needs_data
def test_the_run_is_the_published_file(place):
    storage = f"sqlite:///{place}/dse.db"
    store = open_store(storage)
    [run] = dse.load_runs(storage=storage).to_dict("records")
    assert (run["params"], run["status"]) == (1_248_424, "complete")
    assert np.isnan(run["test_accuracy"])
    content = weights_path(store, 1).read_bytes()
    assert run["bytes"] == len(content) < 675_763
    architecture = SqueezeNet().published_network()
    shapes = network_shapes(architecture)
    tensors = read_network(content, shapes)
    kernels = {layer: shapes[layer]["kernel"] for layer in architecture.kernels}
    assert write_published(tensors, kernels) == PUBLISHED.read_bytes()
    stored = load_network(store, 1)
    kernels = [stored.weights[layer]["kernel"] for layer in architecture.kernels]
    assert sum(map(np.count_nonzero, kernels)) == 415_921
    # The mean is that of red, green, blue; the authors' (104, 117, 123) is of BGR.
    assert stored.weights["input"]["mean"].tolist() == [123, 117, 104]
    assert (stored.recipe.resize, stored.recipe.crop) == (256, 227)
    # Importing it again changes nothing.
    again = dse.import_published(PUBLISHED, None, storage)
    assert (again.run, again.new, again.weights) == (1, False, 415_921)
    assert load_network(store, 1).class_names[0] == "n01440764_tench"


@needs_data
@pytest.mark.slow
def test_at_least_12_of_16_images_have_their_class_in_the_top_5(place):
    names = read_class_names(SAMPLES.parent, 1000)
    files = sorted(place.glob("*.jpg"))
    answers = list(dse.predict(1, files, f"sqlite:///{place}/dse.db"))
    assert [answer.refusal for answer in answers] == [""] * 16
    for answer in answers:
        shares = [share for _, share in answer.best]
        assert len(shares) == 5
        assert shares == sorted(shares, reverse=True)
        assert (answer.name, answer.probability) == answer.best[0]
    known = [names[int(answer.file.stem)] in dict(answer.best) for answer in answers]
    assert sum(known) >= 12


@needs_data
@pytest.mark.slow
def test_images_of_any_kind(place, tmp_path, capsys, monkeypatch):
    """Grey, CMYK, turned, tiny, huge, and files that are no images."""
    monkeypatch.chdir(tmp_path)
    whole = Image.open(place / "285.jpg").convert("RGB")  # an Egyptian cat
    whole.convert("L").save("grey.png")
    whole.convert("CMYK").save("cmyk.jpg", quality=95)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    whole.transpose(Image.Transpose.ROTATE_90).save("turned.png", exif=exif)
    Image.new("RGB", (1, 1), "red").save("tiny.png")
    Image.new("L", (9000, 9000)).save("huge.png")
    Path("none.jpg").write_text("no image")
    Path("cut.jpg").write_bytes((place / "285.jpg").read_bytes()[:3000])
    storage = f"sqlite:///{place}/dse.db"
    fine = ["grey.png", "cmyk.jpg", "turned.png", "tiny.png"]
    bad = ["huge.png", "none.jpg", "cut.jpg", "gone.jpg"]
    answers = {
        str(x.file): x for x in dse.predict(1, map(Path, [*fine, *bad]), storage)
    }
    for name in fine[:3]:
        assert "n02124075_Egyptian_cat" in dict(answers[name].best), name
    assert answers["tiny.png"].name
    for name in bad:
        assert not answers[name].best
        assert name in answers[name].refusal
    with pytest.raises(SystemExit) as ended:
        main(["predict", "1", "grey.png", "none.jpg", "--storage", storage])
    assert ended.value.code == 1
    printed = capsys.readouterr()
    assert printed.out.startswith("grey.png: n02")
    assert printed.out.count("%)") == 5
    assert "1 of 2 files were not classified" in printed.err


@needs_data
@pytest.mark.slow
def test_it_leaves_and_comes_back_with_an_export(place, tmp_path):
    file, storage = tmp_path / "all.zip", f"sqlite:///{tmp_path}/other.db"
    assert dse.export_studies(file, None, f"sqlite:///{place}/dse.db") == 1
    assert dse.import_studies(file, storage) == 1
    first, second = (
        load_network(open_store(url), 1).weights
        for url in (f"sqlite:///{place}/dse.db", storage)
    )
    for layer, named in first.items():
        for name, array in named.items():
            np.testing.assert_array_equal(second[layer][name], array)


@needs_data
def test_compression_says_what_it_lacks(place):
    options = dse.Options(storage=f"sqlite:///{place}/dse.db")
    with pytest.raises(DseError, match="was trained elsewhere, on images that are not"):
        dse.compress_runs(1, options, bits=6)


@pytest.mark.parametrize("content", [b"", b"\0" * 200, b"x" * 675_763])
def test_another_file_is_refused_in_a_line(tmp_path, content):
    file = tmp_path / "other.net"
    file.write_bytes(content)
    with pytest.raises(DseError, match="is not the network that SqueezeNet's authors"):
        dse.import_published(file, None, f"sqlite:///{tmp_path}/dse.db")
    assert not (tmp_path / "dse.db").exists()


def test_classes_belong_to_a_published_network(tmp_path, capsys):
    archive = tmp_path / "some.zip"
    archive.write_bytes(b"PK")
    with pytest.raises(SystemExit):
        main(["import", str(archive), "--classes", str(archive)])
    assert "--classes names those of a published network" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a\nb\n", "names 2 classes; the network has 3"),
        ("a\n\nc\n", r"line 2 of .* has 0 letters"),
        ("a\nb\n" + "c" * 1001, r"line 3 of .* has 1,001 letters"),
    ],
)
def test_class_names_that_do_not_fit(tmp_path, content, said):
    file = tmp_path / "names.txt"
    file.write_text(content)
    with pytest.raises(DseError, match=said):
        read_class_names(file, 3)


def test_class_names_are_read_a_line_each(tmp_path):
    file = tmp_path / "names.txt"
    file.write_bytes("\ufefftench, Tinca tinca\r\ngoldfish\nÄsche\n".encode())
    assert read_class_names(file, 3) == ("tench, Tinca tinca", "goldfish", "Äsche")
    file.write_bytes(b"a\nb\n\xff\n")
    with pytest.raises(DseError, match=r"is no text in UTF-8 \(byte 4\)"):
        read_class_names(file, 3)
    with pytest.raises(DseError, match="there is no file"):
        read_class_names(tmp_path / "gone.txt", 3)
    with pytest.raises(DseError, match="has no Parquet file that names classes"):
        read_class_names(tmp_path, 3)
    table = tmp_path / "bare.parquet"
    buffer = io.BytesIO()
    Image.new("L", (1, 1)).save(buffer, "PNG")
    import pyarrow as pa

    pq.write_table(pa.table({"image": [buffer.getvalue()], "label": [0]}), table)
    with pytest.raises(DseError, match="names no classes"):
        read_class_names(tmp_path, 3)
