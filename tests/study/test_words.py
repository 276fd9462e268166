"""From words as `--set sr=0.25,0.5` to experiments and spaces (dse.study.settings)."""

import itertools
import re
import subprocess
import sys

import pytest

from dse.errors import DseError
from dse.families.nin import Nin
from dse.families.squeezenet import SqueezeNet
from dse.fields import Grid
from dse.study.presets import PRESETS
from dse.study.product import Product
from dse.study.settings import experiment_of, read_settings, space_of

MINE = """
from dataclasses import dataclass
from dse.arch.build import Build
from dse.arch.family import Family
from dse.fields import choice, flag, whole

@dataclass(frozen=True)
class Mine(Family, name="mine"):
    filters: int = whole(8, "filters", cost="rises")
    deep: bool = flag(False, "whether there is a second layer")
    kernel: int | None = whole(None, "of the first layer; none for 1")
    shape: str = choice("round", ("round", "square"), "nothing")

    def architecture(self, input_shape, classes):
        net = Build(input_shape, classes)
        net.conv("scores", classes, self.kernel or 1)
        net.average("average")
        return net.done()
"""


def product(*settings, **more):
    return Product(settings=settings, **more)


def experiment(*settings, **more):
    return experiment_of(product(*settings, **more))[1]


def name(*settings, **more):
    return experiment_of(product(*settings, **more))[0]


@pytest.fixture
def mine(workplace):
    (workplace / "mine.py").write_text(MINE)
    return "mine.py:Mine"


# What an experiment is


def test_one_value_is_for_all_and_several_are_a_product():
    made = experiment("sr=0.25,0.5", "freq=1,2,4", "base_e=16", "bypass=simple")
    assert list(made.keyed) == list(itertools.product((0.25, 0.5), (1, 2, 4)))
    for (sr, freq), point in made.keyed.items():
        assert point == SqueezeNet(16, 128, freq, sr, bypass="simple")
    # Who states a width means it; the other is the preset's.
    assert all([*point.unstated] == ["incr_e"] for point in made.keyed.values())
    assert made.cells == 6


def test_without_a_word_it_is_the_familys_own_point():
    made = experiment(family="nin")
    assert list(made.keyed.values()) == [Nin()]
    assert made.keyed[()].unstated == ("width",)


def test_the_presets_are_those_of_all():
    made = experiment("sr=0.25,0.5")
    assert made.presets == PRESETS


def test_a_recipes_field_with_one_value_changes_every_preset():
    made = experiment("sr=0.25,0.5", "momentum=0.5", "clip_norm=none", epochs=7)
    assert [*made.recipes_changed] == [""]
    for called, preset in made.presets.items():
        before = PRESETS[called]
        assert (preset.width, preset.replicates) == (before.width, before.replicates)
        changed = {"momentum": 0.5, "clip_norm": None, "epochs": 7}
        # As long as is asked, whatever the preset counts in.
        assert preset.recipe.values == before.recipe.values | changed | {"steps": None}
        assert preset.least_images == 0


def test_a_recipes_field_with_several_values_makes_arms():
    made = experiment("sr=0.25,0.5", "momentum=0.5,0.9", "dropout=none,0.5")
    assert list(made.recipes_changed.values()) == [
        {"momentum": momentum, "dropout": dropout}
        for momentum in (0.5, 0.9)
        for dropout in (None, 0.5)
    ]
    assert len(set(made.recipes_changed)) == 4
    assert list(made.keyed) == [0.25, 0.5]
    assert made.cells == 8


def test_arms_of_values_that_are_nearly_the_same_are_two():
    made = experiment("momentum=0.1234567,0.1234568")
    assert [x["momentum"] for x in made.recipes_changed.values()] == [
        0.1234567,
        0.1234568,
    ]


def test_arms_of_many_fields_have_names_too():
    words = ["momentum=0.5,0.9", "weight_decay=1e-4,2e-4", "clip_norm=1,2"]
    made = experiment(*words, "label_smoothing=0,0.1")
    assert len(made.recipes_changed) == 16


def test_arms_train_equally_long():
    with pytest.raises(DseError, match="changes epochs; expected some of"):
        experiment("epochs=1,2")


def test_a_grid_goes_from_to_by_steps():
    assert list(experiment("base_e=16:64:16").keyed) == [16, 32, 48, 64]
    assert list(experiment("sr=0.1:0.5:0.1").keyed) == [0.1, 0.2, 0.3, 0.4, 0.5]
    assert list(experiment("freq=2:2:1").keyed) == [2]
    made = experiment("momentum=0.5:0.9:0.2", "sr=0.5,1")
    assert [x["momentum"] for x in made.recipes_changed.values()] == [0.5, 0.7, 0.9]


def test_sizes_of_batches_are_compared_where_epochs_are_counted():
    """Not under imagenet's preset, which counts steps."""
    made = experiment("batch_size=32:96:32")
    assert [x["batch_size"] for x in made.recipes_changed.values()] == [32, 64, 96]
    assert {"quick", "narrow", "full"} <= set(made.presets)


@pytest.mark.parametrize(
    ("word", "expected"),
    [("base_e=16:60:16", [16, 32, 48]), ("sr=0.5:1:0.3", [0.5, 0.8])],
)
def test_a_grid_ends_where_it_is_told_to(word, expected):
    """Also where the last step would lead beyond."""
    assert list(experiment(word).keyed) == expected


def test_texts_are_parted_by_semicolons():
    made = experiment("pools=1,4,8;1,3,5; version ;8,4,1")
    assert list(made.keyed) == ["1,4,8", "1,3,5", "version"]
    assert experiment("pools=1,4", "sr=0.5,1").anchor.pools == "1,4"
    assert list(experiment("bypass=none;simple").keyed) == ["none", "simple"]
    assert list(experiment("bypass=none, complex").keyed) == ["none", "complex"]


def test_a_value_that_is_given_twice_counts_once():
    assert list(experiment("sr=0.5,0.50,1").keyed) == [0.5, 1.0]


def test_a_persons_own_family(mine):
    made = experiment("filters=4:8:2", "deep=no,yes", "kernel=none,3", family=mine)
    assert made.cells == 12
    first, *_, last = made.keyed.values()
    assert first.name == "mine"
    assert first.values == {
        "filters": 4,
        "deep": False,
        "kernel": None,
        "shape": "round",
    }
    assert (last.filters, last.deep, last.kernel) == (8, True, 3)


# What it is called


def test_it_is_called_by_what_varies_and_what_is_fixed():
    own = name("sr=0.25,0.5")
    assert own.startswith("squeezenet-sr-")
    assert len(own) == len("squeezenet-sr-") + 8
    # More values are the same study; whatever else is fixed is another.
    assert name("sr=0.25,0.5,0.75") == name("sr=0.1:0.5:0.1") == own
    others = [
        name("sr=0.25,0.5", "freq=1"),
        name("sr=0.25,0.5", "base_e=64"),
        name("sr=0.25,0.5", "momentum=0.5"),
        name("sr=0.25,0.5", epochs=3),
        name("sr=0.25,0.5", "freq=1,2"),
        name("sr=0.25,0.5", "momentum=0.5,0.9"),
        name("freq=1,2"),
        name("sr=0.25"),
        name("width=0.5,1", family="nin"),
    ]
    assert len({own, *others}) == 1 + len(others)
    assert name("freq=1", "sr=0.25,0.5") == name("sr=0.25,0.5", "freq=1")
    assert name("freq=1,2", "sr=0.25,0.5") != own


def test_a_width_that_is_stated_is_another_experiment():
    """128 filters under every preset, or whatever the preset has."""
    assert name("sr=0.25,0.5", "base_e=128") != name("sr=0.25,0.5")


def test_names_of_many_fields_are_cut():
    words = [f"{x}={v}" for x, v in (("base_e", "8,16"), ("incr_e", "8,16"))]
    words += ["sr=0.5,1", "pct_3x3=0.25,0.5", "bypass=none,simple", "version=1.0,1.1"]
    made = name(*words)
    assert len(made) <= 60
    assert made.startswith("squeezenet-base_e-incr_e-sr-pct_3x3-bypa")


def test_a_person_may_call_it():
    assert name("sr=0.25,0.5", called="mine") == "mine"
    for called, said in (
        ("fig3a", "fig3a comes with the package"),
        ("search-x", "names that begin with search- are those of searches"),
        ("front", "the folder front beside a database holds something else"),
        ("a/b", "expected at most 60 letters"),
        ("a.b", "a dot parts an experiment's name from an arm's"),
    ):
        with pytest.raises(DseError, match=said) as refusal:
            name("sr=0.25,0.5", called=called)
        assert "take another" in str(refusal.value)


# What is refused


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["bas_e=5"], r"--set 'bas_e'; expected some of .*did you mean base_e"),
        (["sr"], "--set sr has no values; write them as sr="),
        (["sr="], "--set sr= has no values; write them as sr="),
        (["=0.5"], "--set ''; expected some of"),
        (["sr=0.5", "sr=0.25"], "--set sr is given twice; give its values at once"),
        (["sr=2"], "sr is 2.0; expected a number from 0 to 1"),
        (["sr=half"], "sr is 'half'; expected a number from 0 to 1"),
        (["sr=0.5,,1"], "sr is ''; expected a number"),
        (["sr=nan"], "sr is nan; expected a number"),
        (["base_e=1.5"], "base_e is '1.5'; expected a whole number from 1 to 65,536"),
        (["bypass=odd"], "bypass is 'odd'; expected one of none, simple, complex"),
        (["bypass=1:2:3"], "bypass is '1:2:3'; expected one of none"),
        (["pools=0"], "pools is '0'; expected modules from 1 to 9"),
        (["base_e=16:64:0"], "goes nowhere; expected from:to:step, as 16:64:16"),
        (["base_e=64:16:16"], "goes nowhere; expected from:to:step"),
        (["base_e=16:64:x"], "base_e is 'x'; expected a whole number"),
        (["sr=0.5:1.5:0.5"], "sr is 1.5; expected a number from 0 to 1"),
        (["sr=0.5:nan:0.5"], "sr is nan; expected a number"),
        (["sr=0:1:nan"], "expected"),
        (["momentum=1"], "momentum is 1.0; expected a number from 0, under 1"),
        (["mirror=perhaps"], "mirror is 'perhaps'; expected True or False"),
    ],
)
def test_words_that_make_no_sense(words, said):
    with pytest.raises(DseError) as refusal:
        experiment(*words)
    told = str(refusal.value)
    assert said in told or re.search(said, told)
    assert "\n" not in told


def test_epochs_are_given_once():
    with pytest.raises(DseError, match="--set epochs and --epochs are both given"):
        experiment("epochs=3", epochs=4)
    with pytest.raises(DseError, match="epochs is 0; expected a whole number from 1"):
        experiment(epochs=0)


def test_a_family_that_is_not_there(workplace):
    with pytest.raises(DseError, match=r"'ni'.*did you mean nin"):
        experiment(family="ni")
    with pytest.raises(DseError, match=r"there is no file gone\.py"):
        experiment(family="gone.py:Mine")


def test_very_many_cells_are_meant():
    words = ["base_e=1:200:1", "incr_e=1:100:1"]
    with pytest.raises(DseError, match=r"--set makes 20,000 cells; .*--yes"):
        experiment(*words)
    assert experiment(*words, yes=True).cells == 20_000


ENDLESS = """
import resource, sys
from dse.errors import DseError
from dse.study.product import Product
from dse.study.settings import experiment_of
resource.setrlimit(resource.RLIMIT_AS, (2**33, 2**33))
try:
    experiment_of(Product(settings=(sys.argv[1], "freq=1,2,3"), yes=True))
except DseError as error:
    print(error)
"""


@pytest.mark.parametrize("word", ["sr=0:1:1e-12", "sr=0:1:1e-300", "base_e=1:65536:1"])
def test_a_grid_without_end_is_refused_at_once(word):
    """Before its values are written down, which would take all memory."""
    command = [sys.executable, "-c", ENDLESS, word]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    assert (done.returncode, done.stderr) == (0, "")
    assert "values; expected" in done.stdout
    assert done.stdout.count("\n") == 1


# Spaces


def test_a_space_is_what_varies_around_what_is_fixed():
    words = ["sr=0.25:0.75:0.25", "bypass=none,simple", "freq=1", "pools=1,4;1,3"]
    called, space = space_of(product(*words), 1 / 8)
    assert space.anchor == SqueezeNet(16, 16, freq=1)
    assert space.values == {
        "sr": Grid(0.25, 0.75, 0.25),
        "bypass": ("none", "simple"),
        "pools": ("1,4", "1,3"),
    }
    assert space.settings == 3 * 2 * 2
    assert called == f"squeezenet-{space.digest}"
    # All that it is decides what it is called: a search goes on in the same alone.
    others = [
        space_of(product(*words), 1)[0],
        space_of(product(*words[:3], "pools=1,4;1,5"), 1 / 8)[0],
        space_of(product(*words[:2], "freq=2", words[3]), 1 / 8)[0],
        space_of(product(*words, called="mine"), 1 / 8)[0],
    ]
    assert len({called, *others}) == 5
    assert others[-1] == f"mine-{space.digest}"
    assert space_of(product(*words), 1 / 8)[0] == called


def test_a_space_of_another_family(mine):
    called, space = space_of(product("width=0.25:1:0.25", family="nin"), 1)
    assert called.startswith("nin-")
    assert space.listed("width") == (0.25, 0.5, 0.75, 1.0)
    _, own = space_of(product("filters=2,4", "kernel=none,3", family=mine), 1)
    assert own.values == {"filters": (2, 4), "kernel": (None, 3)}


@pytest.mark.parametrize(
    ("words", "more", "said"),
    [
        (["sr=0.5,1", "momentum=0.5"], {}, "a search has one recipe, .* momentum"),
        (["sr=0.5,1", "momentum=0.5,0.9"], {}, "a search has one recipe, .* momentum"),
        (["sr=0.5,1"], {"epochs": 3}, "a search has one recipe, .* epochs"),
        (["sr=0.5"], {}, "a search varies nothing; .*--space narrow or paper"),
        ([], {"family": "nin"}, "a search varies nothing; .*--set width="),
        (["sr=0.5,1"], {"called": "fig3a"}, "fig3a comes with the package"),
    ],
)
def test_spaces_that_make_no_sense(words, more, said):
    with pytest.raises(DseError, match=said):
        space_of(product(*words, **more), 1)


def test_settings_are_read_apart():
    told = read_settings(product("sr=0.5,1", "freq=1", "momentum=0.5", "dropout=0,0.1"))
    assert told.anchor == SqueezeNet(freq=1)
    assert told.varied == {"sr": (0.5, 1.0)}
    assert told.recipe == {"momentum": 0.5}
    assert told.recipes == {"dropout": (0.0, 0.1)}
