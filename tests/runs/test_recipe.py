"""A recipe's ranges, and what it changes of a network."""

import json
import subprocess
import sys

import pytest

from dse.arch.cost import cost
from dse.arch.layers import Convolution, Dense, Dropout
from dse.errors import DseError
from dse.families.googlenet import GoogLeNet
from dse.families.nin import Nin
from dse.families.squeezenet import SqueezeNet
from dse.runs.recipe import Recipe
from dse.study.presets import PRESETS


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"epochs": 0}, "epochs is 0; expected a whole number from 1 to 1,000,000"),
        ({"peak_learning_rate": -1.0}, "peak_learning_rate is -1.0"),
        ({"peak_learning_rate": 0}, "peak_learning_rate is 0; expected a number above"),
        ({"warmup_share": 1.0}, "warmup_share is 1.0; expected a number from 0, under"),
        ({"momentum": 1}, "momentum is 1; expected a number from 0, under 1"),
        ({"weight_decay": -1e-9}, "weight_decay is -1e-09; expected a number from 0"),
        ({"clip_norm": 0}, "clip_norm is 0; expected a number above 0"),
        ({"mirror": 1}, "mirror is 1; expected True or False"),
        ({"label_smoothing": -0.1}, "label_smoothing is -0.1"),
        ({"dropout": 1.5}, "dropout is 1.5"),
    ],
)
def test_values_out_of_range(change, complaint):
    with pytest.raises(DseError, match=complaint):
        Recipe(**{"epochs": 1, "peak_learning_rate": 0.1, **change})


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ("schedule='step'", "schedule is 'step'; expected one of linear, cosine"),
        ("initializer='zero'", "'zero'; expected one of he, xavier, gaussian"),
    ],
)
def test_words_out_of_range(change, complaint):
    """In a process of its own: here a type checker would complain before us."""
    script = f"from dse.runs.recipe import Recipe; Recipe(1, 0.1, {change})"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True
    )
    assert complaint in done.stderr


def test_fields_of_later_do_not_move_the_identity_of_earlier_cells():
    # What a recipe of the first version said, no more and no less.
    assert Recipe(1, 0.1).to_json() == {
        "epochs": 1,
        "peak_learning_rate": 0.1,
        "batch_size": 64,
        "warmup_share": 0.1,
        "momentum": 0.9,
        "weight_decay": 2e-4,
        "clip_norm": 1.0,
        "crop_padding": None,
        "mirror": None,
        "seed": 0,
    }
    assert Recipe(1, 0.1, schedule="cosine").to_json()["schedule"] == "cosine"
    assert Recipe(**Recipe(1, 0.1, dropout=0.1).to_json()).dropout == 0.1
    told = Recipe(1, 0.1).differences(Recipe(1, 0.1, label_smoothing=0.1))
    assert told == "label_smoothing 0.1 there, 0.0 here"
    assert Recipe(2, 0.1).changes_from(Recipe(1, 0.1)) == "epochs 2"


def test_whole_numbers_stay_such_in_an_identity():
    """Cells of before were trained by recipes with 1 as a rate, and with 1.0."""
    assert json.dumps(Recipe(1, 1).to_json()["peak_learning_rate"]) == "1"
    assert json.dumps(Recipe(1, 1.0).to_json()["peak_learning_rate"]) == "1.0"


def test_a_recipe_changes_dropout_and_draws_and_nothing_else():
    network = SqueezeNet(8, 8).architecture((28, 28, 1), 4)
    assert Recipe(1, 0.1).applied_to(network) == network
    changed = Recipe(1, 0.1, dropout=0.2, initializer="xavier").applied_to(network)
    assert cost(changed) == cost(network)
    assert [x.name for x in changed.layers] == [x.name for x in network.layers]
    convolutions = [x for x in changed.layers if isinstance(x, Convolution)]
    assert {x.initializer for x in convolutions} == {"xavier"}
    [dropout] = [x for x in changed.layers if isinstance(x, Dropout)]
    assert dropout.rate == 0.2


def test_a_recipe_survives_json():
    paper = PRESETS["imagenet"].recipe
    assert Recipe.of(json.loads(json.dumps(paper.to_json()))) == paper
    plain = Recipe(3, 0.1)
    assert Recipe.of(plain.to_json()) == plain
    assert "resize" not in plain.to_json()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"resize": 256}, "streamed images need the first three, others none"),
        ({"steps": 5}, "steps 5; streamed images need"),
        (
            {"resize": 32, "crop": 40, "pixel_mean": (0.0,)},
            "crop is 40; expected 1 to resize, 32",
        ),
        (
            {"resize": 40, "crop": 32, "pixel_mean": (0.0,), "steps": 0},
            "steps is 0; expected a whole number from 1",
        ),
    ],
)
def test_what_streaming_needs(change, complaint):
    with pytest.raises(DseError, match=complaint):
        Recipe(3, 0.1, **change)


def test_streamed_images_have_no_frame_unless_it_is_asked_for():
    streamed = {"resize": 40, "crop": 32, "pixel_mean": (0.0,)}
    assert Recipe(3, 0.1, **streamed).resolved("mine", (32, 32, 3)).crop_padding == 0
    assert Recipe(3, 0.1).resolved("mine", (32, 32, 3)).crop_padding == 4


def test_the_released_initialisation():
    network = SqueezeNet().architecture((32, 32, 3), 10)
    applied = Recipe(3, 0.1, initializer="released").applied_to(network)
    convolutions = [x for x in applied.layers if isinstance(x, Convolution)]
    drawn = {x.name: x.initializer for x in convolutions}
    assert drawn.pop("conv10") == "gaussian"
    assert set(drawn.values()) == {"xavier"}


def test_the_released_initialisation_of_another_family():
    """Its last layer too is drawn from N(0, 0.01²), whatever it had before."""
    network = Nin(head="dense").architecture((32, 32, 3), 10)
    applied = Recipe(3, 0.1, initializer="released").applied_to(network)
    *others, last = [x for x in applied.layers if isinstance(x, Convolution | Dense)]
    assert {x.initializer for x in others} == {"xavier"}
    assert (last.name, last.initializer) == ("scores", "gaussian")
    assert last.deviation == 0.01


@pytest.mark.parametrize(
    ("point", "shape", "last"),
    [
        # A norm after the last convolution, and a head beside the classifier.
        (Nin(norm="batch"), (32, 32, 3), "cccp6"),
        (GoogLeNet(heads="auxiliary"), (224, 224, 3), "loss3/classifier"),
    ],
)
def test_the_last_kernel_is_that_of_what_predicts(point, shape, last):
    network = point.architecture(shape, 10)
    applied = Recipe(3, 0.1, initializer="released").applied_to(network)
    fine = [x.name for x in applied.layers if vars(x).get("initializer") == "gaussian"]
    assert fine == [last]
