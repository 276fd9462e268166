"""A run's weights are one file, whole or not there."""

import datetime
import hashlib

import numpy as np
import pytest

from dse.errors import DseError
from dse.runs.events import Done
from dse.runs.weights import Keeper, read_file, save_weights, weights_hash

BEGUN = datetime.datetime(2026, 1, 2, 3, 4, 5, 678)
WEIGHTS = {
    "fire2/squeeze1x1": {
        "kernel": np.arange(6, dtype=np.float32).reshape(1, 1, 2, 3),
        "bias": np.zeros(3, np.float32),
    },
    "input": {"mean": np.array([0.5], np.float32)},
}


def done(weights=WEIGHTS):
    return Done("a" * 16, 3, {"test": {"accuracy": 0.5}}, 1.0, 0.5, 0.5, weights)


def test_what_is_kept_is_read_back(tmp_path):
    kept = save_weights(tmp_path, done(), BEGUN)
    assert kept.path == f"{'a' * 16}-20260102T030405000678-3.safetensors"
    again = read_file(tmp_path / "weights" / kept.path)
    assert {layer: set(arrays) for layer, arrays in again.items()} == {
        "fire2/squeeze1x1": {"kernel", "bias"},
        "input": {"mean"},
    }
    for layer, arrays in WEIGHTS.items():
        for name, array in arrays.items():
            np.testing.assert_array_equal(again[layer][name], array)
            assert again[layer][name].dtype == array.dtype
    assert weights_hash(again) == kept.hash
    [file] = (tmp_path / "weights").iterdir()
    assert file.name == kept.path


def test_the_hash_is_of_names_and_values():
    digest = hashlib.sha256()
    for name, values in (
        ("fire2/squeeze1x1/bias", np.zeros(3, np.float32)),
        ("fire2/squeeze1x1/kernel", np.arange(6, dtype=np.float32)),
        ("input/mean", np.array([0.5], np.float32)),
    ):
        digest.update(name.encode() + values.tobytes())
    assert weights_hash(WEIGHTS) == digest.hexdigest()
    # Not of the order in memory: a view that is turned has the values of its copy.
    kernel = WEIGHTS["fire2/squeeze1x1"]["kernel"]
    turned = np.asfortranarray(kernel)
    other = {**WEIGHTS["fire2/squeeze1x1"], "kernel": turned}
    assert weights_hash({**WEIGHTS, "fire2/squeeze1x1": other}) == digest.hexdigest()


def test_arrays_that_are_views_are_kept_as_they_look(tmp_path):
    view = np.arange(12, dtype=np.float32).reshape(3, 4).T[::2]
    kept = save_weights(tmp_path, done({"a": {"kernel": view}}), BEGUN)
    again = read_file(tmp_path / "weights" / kept.path)
    np.testing.assert_array_equal(again["a"]["kernel"], view)


def test_the_same_run_again_takes_the_place_of_its_file(tmp_path):
    save_weights(tmp_path, done({"a": {"kernel": np.zeros(2)}}), BEGUN)
    kept = save_weights(tmp_path, done(), BEGUN)
    [file] = (tmp_path / "weights").iterdir()
    assert weights_hash(read_file(file)) == kept.hash


def test_a_keeper_keeps_here_or_sends_or_forgets(tmp_path):
    here = Keeper(tmp_path).keep(done(), BEGUN)
    assert (here.weights, here.kept.hash) == ({}, weights_hash(WEIGHTS))
    sent = Keeper(None).keep(done(), BEGUN)
    assert (sent.weights, sent.kept) == (WEIGHTS, None)
    for folder in (tmp_path, None):
        forgotten = Keeper(folder, keeps=False).keep(done(), BEGUN)
        assert (forgotten.weights, forgotten.kept) == ({}, None)
    assert len(list((tmp_path / "weights").iterdir())) == 1


def test_weights_that_cannot_be_written(tmp_path):
    (tmp_path / "weights").write_text("no folder")
    with pytest.raises(DseError, match=r"cannot write the weights .*; free some space"):
        save_weights(tmp_path, done(), BEGUN)
    assert (tmp_path / "weights").read_text() == "no folder"


def test_a_full_disk_leaves_no_half(tmp_path, monkeypatch):
    def full(number):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(DseError, match=r"weights .*: No space left on device; free"):
        save_weights(tmp_path, done(), BEGUN)
    assert list((tmp_path / "weights").iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\x08" + bytes(7) + b"{}"])
def test_a_file_that_is_none(tmp_path, content):
    file = tmp_path / "a.safetensors"
    file.write_bytes(content)
    with pytest.raises(DseError, match="cannot be read") as refused:
        read_file(file)
    assert "\n" not in str(refused.value)


def test_a_file_that_was_cut(tmp_path):
    kept = save_weights(tmp_path, done(), BEGUN)
    file = tmp_path / "weights" / kept.path
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(DseError, match="cannot be read"):
        read_file(file)
    with pytest.raises(DseError, match=r"cannot be read: .*No such file"):
        read_file(tmp_path / "nowhere.safetensors")
