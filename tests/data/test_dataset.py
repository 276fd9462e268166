import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dse.data.contents import Contents, PartContents
from dse.data.dataset import (
    Dataset,
    Images,
    balanced_part,
    channel_statistics,
    split_off,
    train_size,
    validation_split,
)
from dse.errors import DseError


@given(
    counts=st.lists(st.integers(1, 60), min_size=2, max_size=6),
    share=st.floats(0.05, 0.5),
    seed=st.integers(0, 5),
)
def test_a_split_is_balanced_and_loses_nothing(counts, share, seed):
    labels = np.repeat(np.arange(len(counts)), counts)
    split = split_off(labels, share, (seed,))
    together = np.sort(np.concatenate([split.train, split.validation]))
    np.testing.assert_array_equal(together, np.arange(len(labels)))
    for label, count in enumerate(counts):
        held_out = int((labels[split.validation] == label).sum())
        assert held_out == (max(1, round(share * count)) if count > 1 else 0)
        assert held_out < count


def test_the_validation_tenth_is_fixed_by_seed_and_replicate(tiny):
    again = [validation_split(tiny, 0, 1).validation for _ in range(2)]
    np.testing.assert_array_equal(*again)
    assert len(again[0]) == 40
    other = validation_split(tiny, 0, 2).validation
    assert not np.array_equal(again[0], other)


def test_channel_statistics_equal_numpys():
    pixels = np.random.default_rng(0).integers(0, 256, (5, 6, 7, 3), dtype=np.uint8)
    pixels[..., 2] = 9
    mean, deviation = channel_statistics(pixels)
    np.testing.assert_allclose(mean, pixels.mean((0, 1, 2)), rtol=1e-6)
    expected = pixels.std((0, 1, 2))
    np.testing.assert_allclose(deviation, [*expected[:2], 1], rtol=1e-6)


def images(labels, size=28):
    labels = np.array(labels, np.int32)
    return Images(np.zeros((len(labels), size, size, 1), np.uint8), labels)


@pytest.mark.parametrize(
    ("train", "test", "complaint"),
    [
        (images([]), images([0, 1]), "its train part has no images"),
        (images([0, 1]), images([]), "its test part has no images"),
        (
            images([0, 1]),
            images([2]),
            r"image 0 has label 2.*list of 2 \(0 to 1\)",
        ),
        (images([0, 1, 1]), images([0], size=30), "bring them to one size"),
        (images([1, 1]), images([0]), "all of one class"),
        (images([0, 1]), images([0]), "no class has two train images"),
    ],
)
def test_a_set_that_cannot_be_trained_on_is_refused(train, test, complaint):
    with pytest.raises(DseError, match=complaint):
        Dataset("set", "print", ("a", "b"), train, test)


def test_a_balanced_part_is_another_set():
    labels = np.repeat([0, 1, 2], [40, 20, 20]).astype(np.int32)
    pixels = np.arange(80, dtype=np.uint8)[:, None, None, None]
    whole = Dataset(
        "some",
        "f",
        ("a", "b", "c"),
        Images(pixels, labels),
        Images(pixels[:3], labels[[0, 40, 60]]),
    )
    held = {"train": PartContents.of(labels, whole.class_names)}
    held["test"] = PartContents.of(whole.test.labels, whole.class_names)
    contents = Contents(held, "a tenth", "its own", {}, 1, {}, {})
    whole = replace(whole, contents=contents)
    part = balanced_part(whole, 20)
    assert part.contents.short().startswith(
        "20 images of 3 classes (5 of b to 10 of a), of 80 that are there; validation"
    )
    assert Contents.from_json(json.loads(json.dumps(part.contents.to_json()))) == (
        part.contents
    )
    assert np.bincount(part.train.labels).tolist() == [10, 5, 5]
    assert len(np.unique(part.train.pixels)) == 20
    np.testing.assert_array_equal(labels[part.train.pixels.ravel()], part.train.labels)
    assert part.fingerprint == "f-20"
    assert part.test is whole.test
    again = balanced_part(whole, 20)
    np.testing.assert_array_equal(part.train.pixels, again.train.pixels)
    assert balanced_part(whole, 80) is whole


def test_a_class_of_one_image_stays_in_a_part():
    labels = np.repeat(np.arange(3, dtype=np.int32), [20, 20, 1])
    train = Images(np.zeros((41, 4, 4, 1), np.uint8), labels)
    test = Images(np.zeros((3, 4, 4, 1), np.uint8), np.arange(3, dtype=np.int32))
    part = balanced_part(Dataset("x", "x", ("a", "b", "c"), train, test), 20)
    assert np.bincount(part.train.labels).tolist() == [10, 10, 1]
    assert part.fingerprint == "x-21"


def test_the_size_of_train_is_that_of_its_split(tiny):
    for dataset in (tiny, balanced_part(tiny, 37)):
        split = validation_split(dataset, 3, 1)
        assert train_size(dataset) == len(split.train)
