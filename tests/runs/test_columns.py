"""A name of a metaparameter is a column of one kind."""

from dataclasses import dataclass

import pytest

from dse.arch.family import Family
from dse.errors import DseError
from dse.fields import Field, choice, real, whole
from dse.runs.columns import NOUNS, check_columns, columns_of


def kinds(*each):
    return columns_of(
        {f"family{i}": {"width": Field(kind, "")} for i, kind in enumerate(each)}
    )["width"]


@pytest.mark.parametrize(
    ("each", "common"),
    [
        (("whole",), "whole"),
        (("whole", "real"), "real"),
        (("real", "whole", "whole"), "real"),
        (("choice", "text"), "text"),
        (("flag", "flag"), "flag"),
    ],
)
def test_kinds_that_share_a_column(each, common):
    assert kinds(*each) == common


@pytest.mark.parametrize(
    "each", [("whole", "flag"), ("real", "choice"), ("whole", "real", "choice")]
)
def test_kinds_that_do_not(each):
    last = len(each) - 1
    said = (
        f"width is {NOUNS[each[last]]} in family family{last} and {NOUNS[each[0]]} in "
        "family family0; a column of the tables has one kind: rename one"
    )
    with pytest.raises(DseError, match=said):
        kinds(*each)


class Network(Family):
    def architecture(self, input_shape, classes):
        raise NotImplementedError


@dataclass(frozen=True)
class Counts(Network, name="counts"):
    width: int = whole(8, "filters")

    def derived(self):
        return {"share": 4 / (self.width - 3)}


@dataclass(frozen=True)
class Shares(Network, name="shares"):
    width: float = real(1.0, "share of the published width", least=0, most=2)


@dataclass(frozen=True)
class Named(Network, name="named"):
    width: str = choice("wide", ("wide", "narrow"), "a word")


@dataclass(frozen=True)
class Clash(Network, name="clash"):
    share: float = real(1.0, "as a derived number of counts", least=0, most=2)


def test_families_of_one_table():
    check_columns([Counts(), Shares(), Counts(3)])
    with pytest.raises(DseError, match="width is a word in family named"):
        check_columns([Counts(), Shares(), Named()])
    with pytest.raises(DseError, match="a derived number is called share"):
        check_columns([Clash(), Counts()])
