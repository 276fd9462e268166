import math
from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest

from dse.errors import DseError
from dse.families.alexnet import AlexNet
from dse.families.nin import Nin
from dse.families.squeezenet import SqueezeNet
from dse.families.vgg import Vgg
from dse.runs.cell import Cell
from dse.runs.events import Done, EpochEnded, Failed, Started
from dse.runs.recipe import Recipe
from dse.train.losses import correct
from dse.train.memory import MemoryFeed
from dse.train.run import Trainer
from dse.train.stepped import SteppedTraining


def cell(dataset, recipe, **metaparameters):
    point = SqueezeNet(**{"base_e": 8, "incr_e": 8, "sr": 0.5, **metaparameters})
    return cell_of(dataset, recipe, point)


def cell_of(dataset, recipe, point):
    architecture = point.architecture(dataset.image_shape, dataset.classes)
    return Cell(
        architecture,
        recipe.resolved(dataset.name, dataset.image_shape),
        dataset.name,
        dataset.fingerprint,
        dataset.class_names,
    )


LEARNING = Recipe(4, 0.05, batch_size=16, warmup_share=0.3)


@pytest.fixture(scope="module")
def events(tiny):
    return list(Trainer(MemoryFeed(tiny)).train(cell(tiny, LEARNING), (0, 1)))


def test_a_run_tells_its_story_in_order(events):
    kinds = [(type(e).__name__, e.replicate) for e in events]
    story = ["Started", *["EpochEnded"] * 4, "Done"]
    assert kinds == [(kind, r) for r in (0, 1) for kind in story]
    epochs = [e.epoch for e in events if isinstance(e, EpochEnded)]
    assert epochs == [1, 2, 3, 4] * 2


def test_it_learns_what_can_be_learnt(events):
    done = [e for e in events if isinstance(e, Done)]
    assert min(e.metrics["test"]["accuracy"] for e in done) > 0.6
    assert done[0].compile_seconds > 0 == done[1].compile_seconds
    assert 0 < done[0].step_seconds <= done[0].train_seconds


def test_test_images_are_scored_once_and_at_the_end(events):
    assert all("test" not in e.metrics for e in events if isinstance(e, EpochEnded))
    last = next(e for e in events if isinstance(e, EpochEnded) and e.epoch == 4)
    done = next(e for e in events if isinstance(e, Done))
    assert done.metrics["validation"] == last.metrics["validation"]


def test_a_replicate_alone_has_the_same_bits(events, tiny):
    [_, *_, alone] = Trainer(MemoryFeed(tiny)).train(cell(tiny, LEARNING), (1,))
    together = events[-1]
    assert alone.metrics == together.metrics
    for name, arrays in together.weights.items():
        for part, values in arrays.items():
            np.testing.assert_array_equal(alone.weights[name][part], values)


def test_weights_carry_the_normalisation_of_the_train_part(events, tiny):
    done = next(e for e in events if isinstance(e, Done))
    assert set(done.weights["input"]) == {"mean", "deviation"}
    whole = tiny.train.pixels.mean()
    assert done.weights["input"]["mean"][0] == pytest.approx(whole, rel=0.01)


def test_a_loss_that_is_not_finite_ends_the_run(tiny):
    wild = Recipe(3, 1e30, batch_size=16, warmup_share=0.0, clip_norm=None)
    events = list(Trainer(MemoryFeed(tiny)).train(cell(tiny, wild), (0,)))
    assert isinstance(events[0], Started)
    assert isinstance(events[-1], Failed)
    assert events[-1].reason == "diverged"
    assert "epoch 1" in events[-1].detail
    assert not [e for e in events if isinstance(e, EpochEnded)]


@pytest.mark.parametrize(("part", "epoch"), [("validation", 1), ("test", 2)])
def test_scores_that_are_not_finite_end_the_run(tiny, monkeypatch, part, epoch):
    """Running averages, or the last update, may overflow after a finite train loss."""
    real, scored = SteppedTraining.score, []

    def score(self, images):
        scored.append(images)
        [found] = real(self, images)
        last = len(scored) == (1 if part == "validation" else 3)
        return [{**found, "loss": math.nan if last else found["loss"]}]

    monkeypatch.setattr(SteppedTraining, "score", score)
    recipe = Recipe(2, 0.05, batch_size=16)
    *_, failed = Trainer(MemoryFeed(tiny)).train(cell(tiny, recipe), (0,))
    assert (failed.reason, failed.detail) == (
        "diverged",
        f"{part} loss is nan in epoch {epoch}",
    )


def test_a_score_that_is_no_number_is_no_right_answer():
    scores = jnp.array([[jnp.nan, jnp.nan], [0.0, jnp.nan], [1.0, 0.0]])
    np.testing.assert_array_equal(correct(scores, jnp.array([0, 0, 0])), [0, 0, 1])


def test_training_at_chance_is_untrained(tiny):
    still = Recipe(1, 1e-9, batch_size=16)
    failed = list(Trainer(MemoryFeed(tiny)).train(cell(tiny, still), (0,)))[-1]
    assert isinstance(failed, Failed)
    assert failed.reason == "untrained"
    assert "no better than chance, 0.2500" in failed.detail


@pytest.mark.parametrize(
    ("point", "last"),
    [
        (Nin(width=1 / 12, head="average", pool2="average"), "cccp6"),
        (Nin(width=1 / 12, head="dense", pool2="average"), "scores"),
        (AlexNet(width=1 / 8), "fc5"),
        (Vgg(depth=11, width=1 / 8), "scores"),
    ],
    ids=lambda point: getattr(point, "name", ""),
)
def test_a_network_of_another_family_learns(tiny, point, last):
    """With all kinds of layers that SqueezeNet has none of."""
    recipe = replace(LEARNING, peak_learning_rate=0.02, dropout=0.0, initializer="he")
    *_, done = Trainer(MemoryFeed(tiny)).train(cell_of(tiny, recipe, point), (0,))
    assert isinstance(done, Done)
    assert done.metrics["test"]["accuracy"] > 0.6
    assert {last, "input"} <= set(done.weights)


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"epochs": 0}, "epochs is 0"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"peak_learning_rate": 0.0}, "peak_learning_rate is 0"),
        ({"warmup_share": 1.0}, "warmup_share is 1"),
    ],
)
def test_bad_recipes(values, complaint):
    with pytest.raises(DseError, match=complaint):
        Recipe(**{"epochs": 1, "peak_learning_rate": 0.1, **values})


def test_recipes_say_how_they_differ():
    one, other = Recipe(3, 0.1), Recipe(4, 0.1, mirror=True)
    said = one.differences(other)
    assert said == "epochs 4 there, 3 here, mirror True there, None here"
    assert one.differences(one) == ""


def test_a_cell_is_its_architecture_recipe_and_data(tiny):
    base = cell(tiny, LEARNING)
    assert base.id == cell(tiny, LEARNING).id
    assert base.id != cell(tiny, Recipe(5, 0.05, batch_size=16)).id
    assert base.id != cell(tiny, LEARNING, sr=0.25).id
