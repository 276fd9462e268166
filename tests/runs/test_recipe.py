"""A recipe's ranges, and what it changes of a network."""

import json
import subprocess
import sys

import pytest

from dse.arch.cost import cost
from dse.arch.graph import Convolution, Dropout
from dse.errors import DseError
from dse.families.squeezenet import Metaparameters, squeezenet
from dse.runs.recipe import LATER, Recipe
from dse.study.presets import PRESETS


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"epochs": 0}, "epochs is 0; expected 1 or more"),
        ({"peak_learning_rate": -1.0}, "peak_learning_rate is -1.0"),
        ({"warmup_share": 1.0}, "warmup_share is 1.0; expected 0 or more, under 1"),
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
        ("initializer='zero'", "'zero'; expected one of None, he, xavier, gaussian"),
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
    assert set(LATER) & set(Recipe(1, 0.1).to_json()) == set()
    assert Recipe(1, 0.1, schedule="cosine").to_json()["schedule"] == "cosine"
    assert Recipe(**Recipe(1, 0.1, dropout=0.1).to_json()).dropout == 0.1
    told = Recipe(1, 0.1).differences(Recipe(1, 0.1, label_smoothing=0.1))
    assert told == "label_smoothing 0.1 there, 0.0 here"


def test_a_recipe_changes_dropout_and_draws_and_nothing_else():
    network = squeezenet(Metaparameters(8, 8), (28, 28, 1), 4)
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
    assert Recipe.from_json(json.loads(json.dumps(paper.to_json()))) == paper
    plain = Recipe(3, 0.1)
    assert Recipe.from_json(plain.to_json()) == plain
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
            "steps is 0; expected 1 or more",
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
    network = squeezenet(Metaparameters(), (32, 32, 3), 10)
    applied = Recipe(3, 0.1, initializer="released").applied_to(network)
    convolutions = [x for x in applied.layers if isinstance(x, Convolution)]
    drawn = {x.name: x.initializer for x in convolutions}
    assert drawn.pop("conv10") == "gaussian"
    assert set(drawn.values()) == {"xavier"}
