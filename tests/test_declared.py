"""Dataclasses whose fields say what they are, and what is refused of them."""

from dataclasses import dataclass
from typing import ClassVar

import pytest

from dse.declared import Declared
from dse.errors import DseError
from dse.fields import choice, real, share, whole
from dse.options import Options
from dse.runs.recipe import Recipe


@dataclass(frozen=True)
class Box(Declared, name="box"):
    """A box."""

    corners: ClassVar[int] = 8
    height: int = whole(3, "how high")
    colour: str = choice("red", ("red", "blue"), "its colour")


@dataclass(frozen=True)
class Lid(Declared, name="lid"):
    """What is on it."""

    weight: float = share(0.5, "how heavy")


@dataclass(frozen=True)
class Closed(Box, Lid, name="closed"):
    """Both, and more."""

    locks: int | None = whole(None, "how many")


def test_fields_by_name_in_order():
    assert list(Box.fields) == ["height", "colour"]
    assert Box.fields["height"].says == "how high"
    assert Box.name == "box"


def test_fields_of_several_classes_are_one_s():
    assert set(Closed.fields) == {"height", "colour", "weight", "locks"}
    assert Closed.name == "closed"
    assert (Box.name, list(Lid.fields)) == ("box", ["weight"])
    closed = Closed(height=2, weight=1)
    assert closed.values == {
        "height": 2,
        "colour": "red",
        "weight": 1.0,
        "locks": None,
    }
    with pytest.raises(DseError, match=r"weight is 2; expected a number from 0 to 1"):
        Closed(weight=2)


def test_a_field_of_before_may_be_told_anew():
    @dataclass(frozen=True)
    class High(Box, name="high"):
        height: int = whole(30, "how very high", least=20, most=40)

    assert High().height == 30
    assert list(High.fields) == ["height", "colour"]
    with pytest.raises(DseError, match="height is 3; expected a whole number from 20"):
        High(height=3)
    assert Box(height=3).height == 3


def test_from_values_by_name():
    assert Box.of({"height": 5}) == Box(5)
    assert Box.of(Box(5, "blue").values) == Box(5, "blue")
    with pytest.raises(DseError, match=r"box has no 'hieght'; expected some of height"):
        Box.of({"hieght": 5})
    with pytest.raises(DseError, match="height is 0; expected a whole number from 1"):
        Box.of({"height": 0})


def test_a_field_without_a_range():
    with pytest.raises(DseError, match=r"Bare.side has no range; write it as side: in"):

        class Bare(Declared, name="bare"):
            side: int = 3

    with pytest.raises(DseError, match=r"Empty.side has no range"):

        class Empty(Declared, name="empty"):
            side: int


def test_a_class_that_is_no_frozen_dataclass():
    class NoDataclass(Declared, name="no"):
        side: int = whole(3, "its side")

    with pytest.raises(DseError, match=r"NoDataclass is no dataclass; write @datacl"):
        NoDataclass()

    @dataclass
    class Soft(Declared, name="soft"):
        side: int = whole(3, "its side")

    with pytest.raises(DseError, match=r"Soft is not frozen; write @dataclass\(froze"):
        Soft()

    class Heir(Box, name="heir"):
        more: int = whole(3, "no dataclass of its own")

    with pytest.raises(DseError, match=r"Heir is not frozen; write @dataclass\(froze"):
        Heir()


def test_whole_numbers_among_real_ones():
    """A recipe's identity tells 1 from 1.0; of others they are the same."""

    @dataclass(frozen=True)
    class AsGiven(Declared, name="as-given", as_given=True):
        rate: float = real(1.0, "how fast", least=0, most=9)

    assert type(AsGiven(2).rate) is int
    assert type(Lid(1).weight) is float
    assert type(Recipe(1, 1).peak_learning_rate) is int
    assert all(field.as_given for field in Recipe.fields.values())


def test_annotations_may_be_text():
    """As `from __future__ import annotations` makes them."""
    space = {}
    code = (
        "from __future__ import annotations\n"
        "from dataclasses import dataclass\n"
        "from typing import ClassVar\n"
        "from dse.declared import Declared\n"
        "from dse.fields import whole\n"
        "@dataclass(frozen=True)\n"
        "class Late(Declared, name='late'):\n"
        "    corners: ClassVar[int] = 4\n"
        "    side: int = whole(3, 'its side')\n"
    )
    exec(compile(code, "late.py", "exec", dont_inherit=True), space)
    assert list(space["Late"].fields) == ["side"]
    assert space["Late"]().values == {"side": 3}


def test_options_are_an_execution_and_tries_and_names():
    told = Options(workers=2, tries=3, storage="sqlite:///a.db")
    assert (told.workers, told.tries) == (2, 3)
    assert {"workers", "executor", "tries", "retry", "dataset", "seeds"} <= set(
        Options.fields
    )
    with pytest.raises(DseError, match="workers is 0; expected a whole number from 1"):
        Options(workers=0)
    with pytest.raises(DseError, match="seeds is 0; expected a whole number from 1"):
        Options(seeds=0)
    assert "sqlite" not in repr(told)
