"""Training on a streamed set: it learns, and a killed run ends with the same bits."""

import math
import os
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from interruption import Killed, steps_in, told, truncate, without_times
from samples import write_photos

import dse.train.scores as scores
import dse.train.streamed as streamed
import dse.train.streamed_program as streamed_program
from dse.arch.cost import cost
from dse.data.stream import StreamedDataset, stream
from dse.families.squeezenet import SqueezeNet
from dse.runs.cell import Cell
from dse.runs.events import Checkpointed, Done, Failed, Started
from dse.runs.recipe import Recipe
from dse.study.presets import PRESETS
from dse.train.members import Saving
from dse.train.run import Trainer
from dse.train.state import Batches, Normaliser, no_scores
from dse.train.streamed import StreamedFeed, StreamedTraining

SAMPLES = Path(os.environ.get("DSE_TEST_DATA", "no such")) / "imagenet_samples"

RECIPE = Recipe(
    epochs=27,
    steps=80,
    peak_learning_rate=0.02,
    batch_size=8,
    crop_padding=0,
    mirror=True,
    dropout=0.0,
    initializer="he",
    resize=36,
    crop=32,
    pixel_mean=(123.0, 117.0, 104.0),
)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sets") / "photos"
    return stream(str(write_photos(folder, classes=6, train=6)), 36, 32)


@pytest.fixture(autouse=True, scope="module")
def _compiled_once():
    """Compile each cell once for all tests."""
    compiled, real = {}, streamed.compile_functions

    def compile_functions(cell, dataset, train_size):
        part = streamed_program.memory_part(cell.architecture, cell.recipe.batch_size)
        key = cell.id, dataset.side, train_size, part
        if key not in compiled:
            compiled[key] = real(cell, dataset, train_size)
        return compiled[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streamed, "compile_functions", compile_functions)
        patch.setattr(scores, "MOST_WITHOUT_TOP5", 5)  # the photos have six classes
        yield


def cell_of(dataset, recipe=RECIPE):
    network = SqueezeNet(8, 8, sr=0.5).architecture(
        dataset.image_shape, dataset.classes
    )
    return Cell(network, recipe, dataset.name, dataset.fingerprint, dataset.class_names)


def train(dataset, folder, recipe=RECIPE):
    trainer = Trainer(StreamedFeed(dataset), folder, Saving(0.0, 20))
    return list(trainer.train(cell_of(dataset, recipe), (0,)))


@pytest.fixture(scope="module")
def undisturbed(photos):
    return train(photos, None)


def test_a_run_ends_at_its_last_step(undisturbed):
    started, *epochs, done = undisturbed
    assert isinstance(started, Started)
    # 36 images, one of each class validates: 30, so 3 steps of 8 an epoch, 80 in all.
    assert [event.epoch for event in epochs] == list(range(1, 28))
    assert [event.images for event in epochs] == [24] * 26 + [16]
    assert isinstance(done, Done)
    assert set(done.metrics["test"]) == {"loss", "accuracy", "top5_accuracy"}
    assert done.metrics["validation"] == epochs[-1].metrics["validation"]
    assert done.weights["input"]["mean"].tolist() == [123, 117, 104]
    assert done.step_seconds == pytest.approx(sum(e.seconds for e in epochs))


def test_it_learns_colours(undisturbed):
    tested = undisturbed[-1].metrics["test"]
    assert tested["accuracy"] > 0.5  # chance is a sixth
    assert 1 >= tested["top5_accuracy"] >= tested["accuracy"]


def kill_at(monkeypatch, image):
    """Have reading end with an error at the image asked for as number `image`."""
    seen = [0]
    real = StreamedDataset.batches

    def batches(self, part, positions, size):
        for batch in real(self, part, positions, size):
            seen[0] += len(batch[1])
            if seen[0] > image:
                raise Killed
            yield batch

    monkeypatch.setattr(StreamedDataset, "batches", batches)


# In the first epoch, in its evaluation, after a checkpoint within an epoch, late.
@pytest.mark.parametrize("image", [6, 27, 212, 700])
def test_a_killed_run_ends_with_the_same_bits(
    photos, undisturbed, tmp_path, monkeypatch, image
):
    with monkeypatch.context() as patch:
        kill_at(patch, image)
        with pytest.raises(Killed):
            train(photos, tmp_path)
    again = train(photos, tmp_path)
    assert told(again) == told(undisturbed)
    # The last one is of the last step, and keeps the result until it is stored.
    assert isinstance(again[-2], Checkpointed)
    assert again[-2].epoch == 27
    # They stay until the result is in the database: who dies before does not retrain.
    advanced = []
    monkeypatch.setattr(StreamedTraining, "advance", lambda *_: advanced.append(1))
    assert without_times(train(photos, tmp_path)[-1]) == without_times(again[-1])
    assert not advanced


# Orbax reads arrays at once and is heard of the first that fails alone.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_torn_checkpoint_leaves_the_one_before(
    photos, undisturbed, tmp_path, monkeypatch
):
    with monkeypatch.context() as patch:
        kill_at(patch, 212)
        with pytest.raises(Killed):
            train(photos, tmp_path)
    [folder] = (tmp_path / "checkpoints").iterdir()
    # The first two of 20 images of the eighth epoch are in: 7 epochs, 2 steps.
    assert steps_in(folder) == [20, 21]
    truncate(folder / "21")
    read = []
    monkeypatch.setattr(
        StreamedTraining,
        "advance",
        lambda self, epoch, stop, real=StreamedTraining.advance: (
            read.append(int(self.states()[0].step)),
            real(self, epoch, stop),
        )[1],
    )
    again = train(photos, tmp_path)
    assert read[0] == 20
    assert without_times(again[-1]) == without_times(undisturbed[-1])


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_where_no_checkpoint_can_be_read_the_run_begins_anew(
    photos, undisturbed, tmp_path, monkeypatch, capsys
):
    with monkeypatch.context() as patch:
        kill_at(patch, 212)
        with pytest.raises(Killed):
            train(photos, tmp_path)
    [folder] = (tmp_path / "checkpoints").iterdir()
    for checkpoint in folder.iterdir():
        truncate(checkpoint)
    with monkeypatch.context() as patch:
        kill_at(patch, 100)  # new checkpoints are of earlier steps, and are kept
        with pytest.raises(Killed):
            train(photos, tmp_path)
    assert capsys.readouterr().err.count("cannot be read") == 2
    assert steps_in(folder) == [6, 9]
    again = train(photos, tmp_path)
    assert without_times(again[-1]) == without_times(undisturbed[-1])


def test_parts_of_a_batch_are_the_whole(photos, undisturbed, monkeypatch):
    monkeypatch.setattr(streamed_program, "memory_part", lambda *_: 2)
    in_parts = train(photos, None)
    assert streamed.compile_functions(cell_of(photos), photos, 30).parts == 4
    # Sums in another order; ties of pools, as plain photos have, make more of it.
    for parted, whole, far in zip(
        in_parts[1:4], undisturbed[1:4], (1e-4, 1e-4, 5e-3), strict=True
    ):
        for split in ("train", "validation"):
            expected = whole.metrics[split]["loss"]
            assert parted.metrics[split]["loss"] == pytest.approx(expected, rel=far)


class Gpu:
    """As much as `memory_part` asks of a device."""

    platform = "gpu"

    def memory_stats(self):
        return {"bytes_limit": 16 * 2**30}


def test_a_part_divides_the_batch_and_fits(monkeypatch):
    network = SqueezeNet().architecture((227, 227, 3), 1000)
    # 12 million activations: an image's alone are more than a CPU's cache.
    assert streamed_program.memory_part(network, 512) == 1
    monkeypatch.setattr(jax, "devices", lambda: [Gpu()])
    size = streamed_program.memory_part(network, 512)
    held = 4 * 4 * cost(network).activations
    assert 512 % size == 0
    assert held * size <= 0.7 * 16 * 2**30 < held * 2 * size


def test_divergence_is_told(photos):
    wild = Recipe.of({**RECIPE.to_json(), "peak_learning_rate": 1e9, "clip_norm": None})
    *_, failed = train(photos, None, wild)
    assert isinstance(failed, Failed)
    assert failed.reason == "diverged"


@pytest.mark.parametrize(
    ("bias", "labels", "expected"),
    [
        # The likeliest, the fifth, the sixth, and no image.
        ([5, 4, 3, 2, 1, 0], [0, 4, 5, -1], (1, 2)),
        # Of equal scores the first class counts, as in argmax: 0 and 4, not 5.
        ([0, 0, 0, 0, 0, 0], [0, 4, 5, -1], (1, 2)),
        ([math.nan, 4, 3, 2, 1, 0], [1, 2, 3, 4], (0, 0)),
    ],
)
def test_top_5_by_hand(photos, bias, labels, expected):
    """Scores of one image by a network whose last bias alone counts."""
    program = streamed.compile_functions(cell_of(photos), photos, 30)
    weights = {
        name: {part: np.zeros_like(array) for part, array in arrays.items()}
        for name, arrays in (
            program.engine.initialise(jax.random.key(0)).parameters
        ).items()
    }
    weights["conv10"]["bias"] = np.array(bias, np.float32)
    pixels = jnp.zeros((4, 36, 36, 3), jnp.uint8)
    images = Batches(pixels, jnp.array(labels))
    found = jax.jit(program.engine.evaluate)(
        weights, no_scores(), images, Normaliser(jnp.zeros(3), jnp.ones(3))
    )
    assert (float(found.correct), float(found.correct5)) == expected


@pytest.mark.slow
@pytest.mark.skipif(
    not SAMPLES.is_dir(), reason="DSE_TEST_DATA names no ImageNet samples"
)
def test_the_papers_protocol_on_sixteen_photos():
    """SqueezeNet itself, 256 to 227 pixels and 1,000 classes, for two steps."""
    samples = stream(str(SAMPLES), 256, 227)
    recipe = replace(PRESETS["imagenet"].recipe, epochs=2, steps=2, batch_size=16)
    network = SqueezeNet().architecture(samples.image_shape, samples.classes)
    cell = Cell(network, recipe, "samples", samples.fingerprint, samples.class_names)
    _, first, second, end = Trainer(StreamedFeed(samples)).train(cell, (0,))
    # Scores begin near zero: 1,000 classes, all as likely.
    assert first.metrics["train"]["loss"] == pytest.approx(math.log(1000), rel=0.05)
    assert second.images == 16
    # One of each class, so none is left to validate, and no score of no images.
    assert math.isnan(second.metrics["validation"]["accuracy"])
    assert (end.reason, type(end)) == ("untrained", Failed)
