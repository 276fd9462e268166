"""How a family is found, what is refused of one, and what each of them has to hold."""

import re
import sys
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pytest

from dse.arch.build import Build
from dse.arch.cost import cost
from dse.arch.family import Family
from dse.arch.graph import Architecture
from dse.arch.layers import Dropout
from dse.cli.describe import Describe
from dse.errors import DseError
from dse.families import (
    COLUMNS,
    FLAGS,
    SETTINGS,
    check_family,
    family_called,
    shipped_families,
)
from dse.families.nin import Nin
from dse.families.squeezenet import SqueezeNet
from dse.fields import choice, share, whole
from dse.runs.columns import columns_of
from dse.runs.recipe import Recipe
from dse.store.database import open_store
from dse.store.query import view

TINY = '''"""Two layers."""
from dataclasses import dataclass

from dse.arch.build import Build
from dse.arch.family import Family
from dse.fields import whole


@dataclass(frozen=True)
class Tiny(Family, name="tiny"):
    filters: int = whole(8, "filters of the first layer", cost="rises", scales=True)

    def architecture(self, input_shape, classes):
        net = Build(input_shape, classes)
        net.conv("conv1", self.filters, kernel=3, stride=2, padding=1)
        net.conv("conv2", classes, kernel=3, stride=2, padding=1)
        net.average("scores")
        return net.done()
'''


@dataclass(frozen=True)
class Whole(Family, name="whole"):
    """A family that can be used, to be spoilt in one thing."""

    filters: int = whole(8, "filters", scales=True)
    wide: float = share(1.0, "how wide", most=2, scales=True)
    kind: str = choice("plain", ("plain", "wild"), "which")

    def architecture(self, input_shape, classes):
        net = Build(input_shape, classes)
        net.conv("conv1", classes, kernel=1)
        net.average("scores")
        return net.done()


def test_those_that_come_with_the_package():
    assert {"nin", "squeezenet"} <= set(shipped_families())
    assert family_called("squeezenet") is SqueezeNet
    assert family_called("nin") is Nin


@pytest.mark.parametrize("name", shipped_families())
def test_a_shipped_family_holds_what_a_family_has_to(name):
    kind = family_called(name)
    assert check_family(kind, name) is kind
    point = kind()
    assert kind.of(point.values) == point
    shape = (kind.side, kind.side, 3)
    network = point.network(shape, 1000)
    assert network.classes == 1000
    assert network == point.architecture(shape, 1000)
    # Pure: the same point has the same identity, and a narrower one less to learn.
    assert network.id == kind.of(point.values).architecture(shape, 1000).id
    narrow = point.scaled(1 / 8)
    assert cost(narrow.network(shape, 1000)).params < cost(network).params
    costs = kind.costs(point.values, shape, 1000)
    assert (costs.params, costs.macs) == (cost(network).params, cost(network).macs)
    for space in kind.spaces.values():
        assert set(space) <= set(kind.fields)
    for source in kind.published().values():
        assert all(isinstance(printed.point, kind) for printed in source.points)


def test_a_family_in_a_file(workplace):
    (workplace / "mine.py").write_text(TINY)
    tiny = family_called("mine.py:Tiny")
    assert (tiny.name, list(tiny.fields)) == ("tiny", ["filters"])
    # 3x3 from 3 channels to 8, 3x3 from 8 to 10.
    network = tiny().network((32, 32, 3), 10)
    assert cost(network).params == (9 * 3 * 8 + 8) + (9 * 8 * 10 + 10)
    assert network.shapes["relu_conv2"] == (8, 8, 10)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nim", r"no family is called 'nim'; expected some of .*mean nin\?\), or a cl"),
        ("", "no family is called ''; expected some of alexnet, googlenet, nin"),
        ("other.py:Tiny", "there is no file other.py; expected path/mine.py:Class"),
        ("mine.py:", "mine.py has no class ''; expected Tiny"),
        ("mine.py:Large", "mine.py has no class 'Large'; expected Tiny"),
        ("mine.py:Build", "Build in mine.py is no family; expected a class Mine"),
        ("mine.py:Family", "Family in mine.py is no family"),
        ("mine.py:whole", "whole in mine.py is no family"),
        ("empty.py:Tiny", r"expected class Mine\(Family, name='mine'\)"),
        ("broken.py:Tiny", "family broken.py cannot be run: ZeroDivisionError: div"),
        ("ended.py:Tiny", "family ended.py cannot be run: SystemExit: 3"),
        ("syntax.py:Tiny", "family syntax.py cannot be run: SyntaxError"),
        ("bare.py:Bare", "Bare.side has no range; write it as side: int = whole"),
    ],
)
def test_a_name_that_means_no_family(workplace, name, said):
    (workplace / "mine.py").write_text(TINY)
    (workplace / "empty.py").touch()
    (workplace / "broken.py").write_text("1 / 0")
    (workplace / "ended.py").write_text("raise SystemExit(3)")
    (workplace / "syntax.py").write_text("class")
    (workplace / "bare.py").write_text(
        "from dse.arch.family import Family\n"
        "class Bare(Family, name='bare'):\n    side: int = 3\n"
    )
    with pytest.raises(DseError, match=said) as refused:
        family_called(name)
    assert "\n" not in str(refused.value)


@pytest.fixture
def installed(workplace, monkeypatch):
    """A package with entry points, as if it were installed."""
    told = workplace / "theirs-1.0.dist-info"
    told.mkdir()
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1\n")
    (told / "entry_points.txt").write_text(
        "[dse.families]\ntheirs = theirs:Tiny\nother = theirs:Build\n"
        "lost = theirs:Lost\ngone = nowhere:Tiny\ntorn = torn:Tiny\n"
    )
    (workplace / "torn.py").write_text("class Tiny(")
    (workplace / "theirs.py").write_text(TINY)
    monkeypatch.syspath_prepend(workplace)
    yield
    sys.modules.pop("theirs", None)


def test_a_family_of_an_installed_package(installed):
    assert family_called("theirs").name == "tiny"
    for name, said in (
        ("lost", "family lost of theirs:Lost cannot be loaded: .*'Lost'"),
        ("gone", "family gone of nowhere:Tiny cannot be loaded: No module named"),
        ("torn", "family torn of torn:Tiny cannot be loaded: .*never closed"),
        ("other", "entry point other is no family"),
        ("thiers", r"expected some of .*did you mean theirs"),
    ):
        with pytest.raises(DseError, match=said):
            family_called(name)


def named(name):
    """A family of that name."""
    return dataclass(frozen=True)(type("Named", (Whole,), {}, name=name))


@pytest.mark.parametrize("name", ["", "Mine", "1st", "a b", "a.b", "-a", "a" * 41, "ä"])
def test_a_family_is_called_in_plain_letters(name):
    with pytest.raises(DseError, match=r"expected class Named\(Family, name='...'\)"):
        found = named(name or "x")
        found.name = name
        check_family(found, "Named")


def test_a_family_is_not_called_as_a_shipped_one():
    with pytest.raises(DseError, match="is called 'nin', as one that comes with the"):
        check_family(named("nin"), "Named")
    assert check_family(named("nin-2"), "Named").name == "nin-2"


def with_field(name, made):
    """A family with one metaparameter more."""
    body = {"__annotations__": {name: object}, name: made}
    return dataclass(frozen=True)(type("More", (Whole,), body, name="more"))


@pytest.mark.parametrize(
    "name", ["params", "label", "val_accuracy", "epochs", "dropout", "seed"]
)
def test_a_metaparameter_has_a_name_of_its_own(name):
    with pytest.raises(DseError, match=f"has a metaparameter '{name}'; .*call it ot"):
        check_family(with_field(name, whole(1, "taken")), "More")


@pytest.mark.parametrize("name", ["classes", "channels", "input_size", "json"])
def test_a_metaparameter_is_not_called_as_a_flag_of_describe(name):
    with pytest.raises(DseError, match="dse describe has a flag of that name: call it"):
        check_family(with_field(name, whole(1, "taken")), "More")


def test_a_derived_number_may_be_called_as_a_flag():
    @dataclass(frozen=True)
    class More(Whole, name="more"):
        def derived(self):
            return {"channels": 2.0}

    assert check_family(More, "More") is More


@pytest.mark.parametrize("name", ["Depth", "größe", "_x", "a" * 61])
def test_a_metaparameter_is_called_in_plain_letters(name):
    with pytest.raises(DseError, match="expected small letters, digits and _: call it"):
        check_family(with_field(name, whole(1, "spelt")), "More")


@pytest.mark.parametrize("name", ["values", "fields", "short", "scaled", "side"])
def test_a_metaparameter_is_not_called_as_what_families_have(name):
    with pytest.raises(DseError):
        check_family(with_field(name, whole(1, "taken")), "More")


def test_a_metaparameter_has_a_default(workplace):
    (workplace / "mine.py").write_text(TINY.replace("whole(8,", "whole(...,"))
    with pytest.raises(DseError, match="filters") as refused:
        family_called("mine.py:Tiny")
    assert "\n" not in str(refused.value)


def test_numbers_that_cannot_be_derived(workplace):
    derived = (
        "    def derived(self):\n        return {'ratio': 1 / (self.filters - 8)}\n"
    )
    (workplace / "mine.py").write_text(TINY + derived)
    with pytest.raises(DseError, match="ZeroDivisionError") as refused:
        family_called("mine.py:Tiny")
    assert "\n" not in str(refused.value)


def test_a_family_has_a_network():
    @dataclass(frozen=True)
    class Empty(Family, name="empty"):
        filters: int = whole(8, "filters")

    with pytest.raises(DseError, match=r"has no architecture\(self, input_shape, cla"):
        check_family(Empty, "Empty")


def test_a_family_is_frozen():
    class NoDataclass(Family, name="no"):
        filters: int = whole(8, "filters")

    with pytest.raises(DseError, match="write @dataclass"):
        check_family(NoDataclass, "NoDataclass")


def test_a_network_that_cannot_be_made_says_where():
    @dataclass(frozen=True)
    class Faulty(Family, name="faulty"):
        filters: int = whole(8, "filters")

        def architecture(self, input_shape, classes):
            if self.filters == 8:
                return {}[classes]
            if self.filters == 7:
                sys.exit(0)
            if self.filters == 5:
                return Architecture(input_shape, (Dropout("drop", ("input",), 50),))
            if self.filters == 6:
                Build(input_shape, classes).conv("conv", 8, kernell=3)
            return None

    with pytest.raises(DseError, match=r"faulty has no network of filters 8: KeyErr.*"):
        Faulty().network((32, 32, 3), 10)
    # A network that was made without the builder is checked too.
    with pytest.raises(DseError, match="rate of layer 'drop' is 50; expected a number"):
        Faulty(5).network((32, 32, 3), 10)
    # The place is the person's line, not one of the package that it led to.
    said = rf"filters 6: TypeError: .*kernell.*{Path(__file__).name}, line \d+"
    with pytest.raises(DseError, match=said):
        Faulty(6).network((32, 32, 3), 10)
    with pytest.raises(DseError, match="has no network of filters 7: SystemExit: 0"):
        Faulty(7).network((32, 32, 3), 10)
    with pytest.raises(DseError, match="gives NoneType as its network; expected an A"):
        Faulty(9).network((32, 32, 3), 10)


def test_no_column_and_no_setting_is_forgotten(workplace):
    """What metaparameters may not be called is what views and recipes have."""
    assert SETTINGS.split() == [field.name for field in fields(Recipe)]
    store = open_store("sqlite:///a.db")
    columns = {x for name in ("runs", "cells", "epochs") for x in view(store, name)}
    assert columns - set(COLUMNS.split()) == set()
    assert set(FLAGS.split()) == {field.name for field in fields(Describe)}


def test_what_is_left_open_is_scaled():
    point = Whole()
    assert point.unstated == ("filters", "wide")
    # Half up, and a whole number no smaller than its least.
    assert point.scaled(0.3125).values == {
        "filters": 3,
        "wide": 0.3125,
        "kind": "plain",
    }
    assert point.scaled(0.001).values["filters"] == 1
    assert point.scaled(1.0) == point
    assert point.scaled(0.5).unstated == ()
    stated = Whole(filters=8)
    assert stated.unstated == ("wide",)
    assert stated.scaled(0.5).values == {"filters": 8, "wide": 0.5, "kind": "plain"}
    assert Whole(8, 1.0).scaled(0.5) == Whole(8, 1.0)
    with pytest.raises(DseError, match=r"wide is 3.0; expected a number from 0 to 2"):
        point.scaled(3.0)


def test_a_point_in_a_few_words():
    assert Whole(4, 0.5).short() == "filters 4, wide 0.5"
    assert Whole(4, 0.5, "wild").short() == "filters 4, wide 0.5, kind wild"


def test_costs_of_a_family_without_a_closed_form():
    classes = np.array([8, 16])
    costs = Whole.costs({"filters": classes}, (8, 8, 3), 10)
    # A 1x1 convolution from 3 channels to 10 on 64 positions.
    assert costs.params.tolist() == [40, 40]
    assert costs.macs.tolist() == [64 * 30] * 2
    assert costs.bytes_fp32.tolist() == [160, 160]


def test_shipped_families_share_a_database():
    """A column of the views has one kind: `depth` is a number in all that have it."""
    fields = {name: family_called(name).fields for name in shipped_families()}
    assert columns_of(fields)["depth"] == "whole"


@pytest.mark.parametrize(
    ("name", "values", "given", "side"),
    [
        ("nin", {}, (3, 3, 3), 4),
        ("nin", {"head": "dense"}, (1, 2, 3), 4),
        ("googlenet", {}, (0, 4, 3), 1),
    ],
)
def test_an_input_that_is_too_small(name, values, given, side):
    family = family_called(name)
    with pytest.raises(DseError, match="too small: nothing is left") as refused:
        family(**values).network(given, 10)
    assert f"{name} of {family(**values).short()} needs {side}x{side} pixels" in str(
        refused.value
    )


@pytest.mark.parametrize(
    ("name", "width", "said"),
    [
        ("alexnet", 0.005, "leaves none of 96 filters of a layer; expected 0.0105 or"),
        ("resnet", 0.001, "leaves none of 64 filters of a layer; expected 0.00782 or"),
        ("vgg", 0.001, "leaves none of 64 filters"),
        ("googlenet", 0.01, "leaves none of 16 filters of a layer; expected 0.0313 or"),
    ],
)
def test_a_width_at_which_a_layer_vanishes(name, width, said):
    family = family_called(name)
    with pytest.raises(DseError, match=f"width is {width}, which {said}") as refused:
        family(width=width).network((224, 224, 3), 1000)
    advised = float(re.search(r"expected (\S+) or more", str(refused.value))[1])
    family(width=advised).network((224, 224, 3), 1000)  # what it says is enough
