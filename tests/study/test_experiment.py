"""An experiment refuses, before any work, what cannot be what a person means."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from dse.arch.build import Build
from dse.arch.family import Family
from dse.errors import DseError
from dse.families.alexnet import AlexNet
from dse.families.nin import Nin
from dse.families.resnet import ResNet
from dse.families.squeezenet import SqueezeNet
from dse.fields import whole
from dse.runs.recipe import Recipe
from dse.study.aliases import aliases_line
from dse.study.claim import Beats, SizesAsPrinted, TimesFewer
from dse.study.experiment import Experiment
from dse.study.loading import load_experiment
from dse.study.points import named_points
from dse.study.preset import Preset

PRESETS = {"quick": Preset(width=1 / 4, replicates=1, recipe=Recipe(1, 0.1))}


def experiment(**more):
    return Experiment(**{"title": "Some", "presets": PRESETS, **more})


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"title": None}, "title of an experiment: None; expected a text"),
        ({"title": 5}, "title of an experiment: 5; expected a text"),
        ({"title": ""}, "title of an experiment: ''; expected a text"),
        (
            {"presets": [PRESETS["quick"]]},
            r"presets of an experiment: \[Preset.*; expected presets by name",
        ),
        ({"presets": {"quick": 3}}, "the preset 'quick' is 3; expected Preset"),
        ({"varied": ["sr"]}, r"varied of an experiment: \['sr'\]; expected a fi"),
        ({"values": (0.5,)}, r"has the values \[0.5\] and varies nothing; say which"),
        ({"published": 3}, "published of an experiment: 3; expected the name"),
        ({"values": 5}, "values of an experiment: 5; expected a list or a tuple"),
        (
            {"values": np.array([0.1, 0.2])},
            "values of an experiment: array.*; expected a list or a tuple",
        ),
        ({"varied": {5: (1,)}}, "a field that varies is called 5; expected a text"),
        (
            {"arms": {"a": {5: 1}}},
            "a setting in the arm 'a' is called 5; expected a te",
        ),
        ({"shows": "mac"}, "shows 'mac'; expected one of size, macs, layers, gap"),
        (
            {"claims": SizesAsPrinted("", "")},
            "claims of an experiment: SizesAsPrinted.*expected a list of claims",
        ),
        ({"claims": ["fewer"]}, "a claim is 'fewer'; expected one as Beats"),
        (
            {"varied": "sr", "values": (0.1, 0.2), "claims": [Beats(3, "", 0.1, 0.2)]},
            "the sentence and the section of a claim are 3 and ''; expected texts",
        ),
        ({"arms": ["slow"]}, r"arms of an experiment: \['slow'\]; expected chan"),
        ({"arms": {"slow": 0.5}}, "the arm 'slow' is 0.5; expected its changes to"),
        (
            {"arms": {"a": {}, "heavy": {"momentum": 5}}},
            "arm heavy: momentum is 5; expected a number from 0, under 1",
        ),
        (
            {"varied": "momentum", "values": (0.5, 5)},
            "arm momentum 5: momentum is 5; expected",
        ),
    ],
)
def test_arguments_of_another_type_or_value(more, said):
    with pytest.raises(DseError, match=said) as refused:
        experiment(anchor=SqueezeNet(), **more)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("slips", ["0.5", 0.5, None])
def test_slips_are_a_list(slips):
    with pytest.raises(DseError, match=r"the slips of a claim are .*; expected a list"):
        SizesAsPrinted("as printed", "5", slips)


def test_a_claim_of_a_network_that_is_not_published_for_imagenet():
    """ResNet-20 is CIFAR's."""
    with pytest.raises(DseError, match="a claim compares resnet of depth 20") as said:
        TimesFewer("fewer", "abstract", 50.0, ResNet(depth=20), AlexNet())
    assert "as published for 224 pixels" in str(said.value)


@pytest.mark.parametrize(
    "name", [5, None, "", "_x", ("a", "b"), "x" * 61, "a\nb", " a", "a\x1b"]
)
def test_a_name_of_points_is_a_text_that_a_figure_shows(name):
    with pytest.raises(DseError, match=r"points are called .*; expected a text of 1"):
        experiment(points={name: [Nin()]})


@pytest.mark.parametrize(
    ("points", "said"),
    [
        ((x for x in [Nin()]), "are a generator; expected a list of networks"),
        ("nin", "are a str; expected a list of networks, or networks by name"),
        (Nin(), "are a Nin; expected a list of networks"),
        ({"a": Nin(), "b": []}, "the series 'b' has no networks; leave it out"),
        ({"a": (x for x in [Nin()])}, "has the point <generator"),
    ],
)
def test_what_is_no_list_of_points(points, said):
    with pytest.raises(DseError, match=said):
        experiment(points=points)


# Names


@dataclass(frozen=True)
class Wide(Family, name="wide"):
    width: int = whole(128, "filters", scales=True)

    def architecture(self, input_shape, classes):
        net = Build(input_shape, classes)
        net.conv("conv", self.width, kernel=1)
        net.conv("scores", classes, kernel=1)
        net.average("average")
        return net.done()


def test_points_are_shown_with_the_widths_that_train():
    some = experiment(points={"wide": [Wide(), Wide(width=16)], "one": Wide(width=4)})
    # Claims name the points as they are listed.
    assert list(some.keyed) == ["wide, width 128", "wide, width 16", "one"]
    assert some.called(1 / 4) == ("wide, width 32", "wide, width 16", "one")
    assert [point.width for point in some.scaled(1 / 4).values()] == [32, 16, 4]
    assert experiment(points=[Wide(), Wide(width=16)]).called(1 / 4) is None
    assert experiment(anchor=Wide()).called(1 / 4) is None


def test_a_series_of_several_families_names_them():
    named = named_points({"mixed": [Nin(width=0.5), AlexNet(width=0.5)], "b": [Wide()]})
    assert list(named) == [
        *("mixed, nin width 0.5", "mixed, alexnet width 0.5", "b, width 128")
    ]


def test_points_that_are_one_network_are_told():
    assert aliases_line([("a", "one"), ("b", "two")]) == ""
    assert aliases_line([("a", "one"), ("b", "two"), ("a", "three")]) == (
        "3 points are 2 networks, a cell each: one = three"
    )
    assert aliases_line([("a", "one")] * 3) == (
        "3 points are 1 network, a cell each: one (3 times)"
    )
    many = [(letter, f"{letter}{i}") for letter in "abcde" for i in range(2)]
    assert aliases_line(many) == (
        "10 points are 5 networks, a cell each: a0 = a1; b0 = b1; c0 = c1; and 2 more"
    )


def test_figure_3b_is_trained_for_hours_with_the_recipe_that_was_chosen():
    _, recipes = load_experiment("fig3b_recipes")
    _, trained = load_experiment("fig3b_trained")
    tried, used = recipes.presets["narrow"], trained.presets["narrow"]
    assert replace(tried.recipe, **recipes.arms["chosen"]) == used.recipe
    assert (recipes.anchor, tried.width) == (trained.anchor, used.width)
