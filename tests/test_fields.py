"""A field says once what a setting is; checks, words and readings follow from it."""

import copy
import dataclasses
import json
import math
import pickle
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest

from dse.declared import Declared
from dse.errors import DseError
from dse.fields import (
    Field,
    Grid,
    Unstated,
    choice,
    flag,
    plain,
    real,
    share,
    text,
    unknown_name,
    whole,
)


def small_letters(value):
    if not isinstance(value, str):
        raise DseError(f"word is {value!r}; expected a text")
    return value.lower()


@dataclass(frozen=True)
class Setting(Declared, name="setting"):
    count: int = whole(8, "how many", least=0, most=64)
    rate: float = real(0.5, "how fast", least=0, most=4, above=True, label="rate {}")
    part: float = share(0.25, "how much", label="{} %")
    kind: str = choice("plain", ("plain", "wild"), "which")
    word: str = text("a", "what", small_letters)
    sure: bool = flag(False, "whether")
    seeds: int | None = whole(None, "how often")
    width: float = share(1, "how wide", most=2, scales=True)
    depth: int = whole(4, "how deep", scales=True)


FIELDS = Setting.fields


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("count", 0, 0),
        ("count", np.int64(64), 64),
        ("rate", 4, 4.0),
        ("rate", np.float32(0.5), 0.5),
        ("rate", Fraction(1, 2), 0.5),
        ("part", 0, 0.0),
        ("part", 1, 1.0),
        ("kind", "wild", "wild"),
        ("word", "ABC", "abc"),
        ("sure", True, True),
        ("seeds", None, None),
        ("seeds", 3, 3),
    ],
)
def test_a_value_has_one_form(name, value, expected):
    checked = getattr(Setting(**{name: value}), name)
    assert (checked, type(checked)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("count", -1, "count is -1; expected a whole number from 0 to 64"),
        ("count", 65, "count is 65; expected a whole number from 0 to 64"),
        ("count", 1.0, "count is 1.0; expected a whole number"),
        ("count", True, "count is True; expected a whole number"),
        ("count", "8", "count is '8'; expected a whole number"),
        ("count", None, "count is None; expected a whole number"),
        ("rate", 0, "rate is 0; expected a number above 0, up to 4"),
        ("rate", math.nan, "rate is nan; expected a number above 0, up to 4"),
        ("rate", math.inf, "rate is inf"),
        ("rate", False, "rate is False"),
        ("rate", 1j, "rate is 1j"),
        ("part", 1.001, "part is 1.001; expected a number from 0 to 1"),
        ("part", -1e-9, "part is -1e-09"),
        ("kind", "tame", "kind is 'tame'; expected one of plain, wild"),
        ("kind", None, "kind is None; expected one of plain, wild"),
        ("kind", ["plain"], "kind is ['plain']; expected one of plain, wild"),
        ("word", 3, "word is 3; expected a text"),
        ("sure", 1, "sure is 1; expected True or False"),
        ("sure", "yes", "sure is 'yes'; expected True or False"),
        ("seeds", 0, "seeds is 0; expected a whole number from 1 to 65,536"),
    ],
)
def test_a_value_that_will_not_do(name, value, said):
    with pytest.raises(DseError) as refused:
        Setting(**{name: value})
    assert str(refused.value).startswith(said)


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        (Field("whole", ""), "a whole number"),
        (Field("real", "", least=0.5), "a number from 0.5"),
        (Field("real", "", most=3), "a number up to 3"),
        (Field("real", "", most=3, below=True), "a number, under 3"),
        (Field("real", "", least=0, above=True), "a number above 0"),
        (Field("real", "", least=0, most=1), "a number from 0 to 1"),
        (Field("real", "", least=0, most=1, below=True), "a number from 0, under 1"),
        (
            Field("real", "", least=0, most=1, above=True),
            "a number above 0, up to 1",
        ),
        (
            Field("real", "", least=0, most=1, above=True, below=True),
            "a number above 0, under 1",
        ),
        (
            Field("whole", "", least=1000, most=2**20),
            "a whole number from 1,000 to 1,048,576",
        ),
        (Field("choice", "", options=("a", "b")), "one of a, b"),
        (Field("text", ""), "a text"),
        (Field("flag", ""), "True or False"),
    ],
)
def test_what_is_expected_in_words(field, expected):
    assert field.expected == expected


def test_ends_that_will_not_do():
    field = Field("real", "", least=0, most=1, above=True, below=True)
    assert field.checked("x", 0.5) == 0.5
    for value in (0, 1, -0.0, 1.0):
        with pytest.raises(DseError, match="expected a number above 0, under 1"):
            field.checked("x", value)


@pytest.mark.parametrize(
    ("name", "value", "written", "named"),
    [
        ("count", 12, "12", "count 12"),
        ("rate", 0.5, "rate 0.5", "rate 0.5"),
        ("rate", 1e-4, "rate 0.0001", "rate 0.0001"),
        ("part", 0.125, "12.5 %", "part 12.5 %"),
        ("part", 1.0, "100 %", "part 100 %"),
        ("part", 1, "100 %", "part 100 %"),
        ("kind", "wild", "wild", "kind wild"),
        ("sure", True, "True", "sure True"),
        ("seeds", None, "none", "seeds none"),
        ("width", 1.0, "1", "width 1"),
    ],
)
def test_a_value_for_people(name, value, written, named):
    assert FIELDS[name].written(value) == written
    assert FIELDS[name].named(name, value) == named


@pytest.mark.parametrize(
    ("name", "word", "value"),
    [
        ("count", "12", 12),
        ("rate", "1e-3", 0.001),
        ("part", "1", 1.0),
        ("kind", "wild", "wild"),
        ("word", "ABC", "abc"),
        ("sure", "yes", True),
        ("sure", "False", False),
        ("seeds", "none", None),
        ("seeds", "5", 5),
    ],
)
def test_a_value_as_a_person_writes_it(name, word, value):
    read = FIELDS[name].read(name, word)
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize(
    ("name", "word", "said"),
    [
        ("count", "many", "count is 'many'; expected a whole number from 0 to 64"),
        ("count", "1.5", "count is '1.5'; expected a whole number from 0 to 64"),
        ("count", "none", "count is 'none'; expected a whole number from 0 to 64"),
        ("count", "99", "count is 99; expected a whole number from 0 to 64"),
        ("rate", "nan", "rate is nan; expected a number above 0, up to 4"),
        ("rate", "1e999", "rate is inf; expected a number above 0, up to 4"),
        ("rate", "", "rate is ''; expected a number above 0, up to 4"),
        ("sure", "maybe", "sure is 'maybe'; expected True or False"),
        ("kind", "none", "kind is 'none'; expected one of plain, wild"),
    ],
)
def test_a_word_that_is_no_value(name, word, said):
    with pytest.raises(DseError) as refused:
        FIELDS[name].read(name, word)
    assert str(refused.value).startswith(said)


def test_numbers_beyond_text():
    for refused in (
        lambda: FIELDS["count"].checked("count", 10**5000),
        lambda: FIELDS["count"].read("count", "9" * 5000),
    ):
        with pytest.raises(DseError, match="; expected a whole number") as error:
            refused()
        assert len(str(error.value)) < 150


def test_none_may_be_one_of_the_options():
    field = Field("choice", "", options=("none", "some"), optional=True)
    assert field.read("x", "none") == "none"
    assert field.checked("x", None) is None


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_survives_json(name):
    told = json.loads(json.dumps(FIELDS[name].to_json()))
    assert Field.from_json(told) == FIELDS[name]


def test_json_of_another_version():
    told = {"kind": "whole", "says": "how many", "of_later": 3}
    assert Field.from_json(told) == Field("whole", "how many")
    # A plain field says no more than it must.
    plain_field = Field("whole", "how many").to_json()
    assert plain_field == {"kind": "whole", "says": "how many", "options": []}


def test_a_default_of_none_makes_a_field_optional():
    assert FIELDS["seeds"].optional
    assert not FIELDS["count"].optional


def test_what_nobody_stated_is_known():
    point = Setting()
    stated = Setting(width=1.0, depth=4)
    assert isinstance(point.width, Unstated)
    assert isinstance(point.depth, Unstated)
    assert not isinstance(stated.width, Unstated)
    assert not isinstance(stated.depth, Unstated)
    # As a number it is like any other, and another change leaves it unstated.
    assert point == stated
    assert hash(point) == hash(stated)
    assert isinstance(dataclasses.replace(point, count=1).width, Unstated)
    for same in (copy.deepcopy(point), pickle.loads(pickle.dumps(point))):
        assert isinstance(same.width, Unstated)
        assert isinstance(same.depth, Unstated)


def test_plain_values():
    values = Setting().values
    assert (values["width"], type(values["width"])) == (1.0, float)
    assert (values["depth"], type(values["depth"])) == (4, int)
    assert plain("word") == "word"
    assert plain(None) is None


def test_no_repr_shows_a_secret():
    @dataclass(frozen=True)
    class Place(Declared, name="place"):
        url: str = text("", "where", secret=True)
        side: int = whole(1, "how large")

    place = Place(url="postgresql://me:secret@there/db")
    assert repr(place).endswith("Place(side=1)")
    assert place.url == "postgresql://me:secret@there/db"


def test_grids():
    assert Grid(1, 7, 3).values == (1, 4, 7)
    assert Grid(0.0, 0.3, 0.1).values == pytest.approx((0, 0.1, 0.2, 0.3))
    # The high end need not be a step away: nothing lies beyond it.
    assert Grid(1, 9, 3).values == (1, 4, 7)
    assert (Grid(1, 9, 3).count, Grid(5, 5, 1).count) == (3, 1)
    assert Grid(0, 10**15, 1).count == 10**15 + 1


@pytest.mark.parametrize(
    ("low", "high", "step"),
    [(1, 2, 0), (1, 2, -1), (2, 1, 1), (0, math.inf, 1), (0, math.nan, 1)],
)
def test_a_grid_that_goes_nowhere(low, high, step):
    with pytest.raises(DseError, match="goes nowhere; expected a step above 0"):
        Grid(low, high, step)


def test_a_name_that_is_unknown():
    known = {"epochs": 1, "batch_size": 2}
    assert unknown_name("--set", "epoch", known) == (
        "--set 'epoch'; expected some of epochs, batch_size (did you mean epochs?)"
    )
    far = unknown_name("--set", "zzz", known)
    assert far == "--set 'zzz'; expected some of epochs, batch_size"
