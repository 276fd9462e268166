"""Sets of the hub, whose library is a stand-in here: parts, columns and identity."""

from io import BytesIO

import datasets
import numpy as np
import pytest
from PIL import Image

from dse.data.layout import Named
from dse.data.load import load
from dse.errors import DseError


def split(labels, seed, **more):
    generator = np.random.default_rng(seed)
    images = []
    for _ in labels:
        file = BytesIO()
        pixels = generator.integers(0, 256, (28, 28), np.uint8)
        Image.fromarray(pixels).save(file, "PNG")
        images.append({"bytes": file.getvalue(), "path": None})
    features = datasets.Features(
        image=datasets.Image(),
        fine_label=datasets.ClassLabel(names=["p", "q", "r"]),
        coarse_label=datasets.ClassLabel(names=["u", "v"]),
    )
    coarse = [label % 2 for label in labels]
    rows = {"image": images, "fine_label": labels, "coarse_label": coarse}
    return datasets.Dataset.from_dict({**rows, **more}, features)


@pytest.fixture
def hub(monkeypatch):
    parts = {"train": split([0, 1, 2] * 8, 0), "test": split([0, 1, 2], 1)}
    monkeypatch.setattr(datasets, "load_dataset", lambda name: parts)
    return parts


def test_other_labels_and_other_parts_are_other_sets(hub):
    fine = load("some/set", Named(label_column="fine_label"))
    coarse = load("some/set", Named(label_column="coarse_label"))
    assert (fine.class_names, coarse.class_names) == (("p", "q", "r"), ("u", "v"))
    swapped = Named(label_column="fine_label", train_folder="test", test_folder="train")
    with pytest.raises(DseError, match="no class has two train images"):
        load("some/set", swapped)
    hub["test"] = split([0, 1, 2] * 3, 1)
    names = [
        load("some/set", named).fingerprint
        for named in (swapped, Named(label_column="fine_label"))
    ]
    assert len({fine.fingerprint, coarse.fingerprint, *names}) == 4
    with pytest.raises(DseError, match="several label columns"):
        load("some/set")


def test_a_row_that_names_a_file_elsewhere_is_refused(hub, tmp_path):
    Image.new("L", (28, 28)).save(tmp_path / "secret.png")
    elsewhere = [{"bytes": None, "path": str(tmp_path / "secret.png")}] * 3
    hub["test"] = split([0, 1, 2], 1, image=elsewhere)
    with pytest.raises(DseError, match="holds no image; expected its bytes"):
        load("some/set", Named(label_column="fine_label"))
