"""Sentences of a paper about an experiment's cells, and what would count as true."""

from dataclasses import dataclass
from typing import Any

from dse.bounds import check_number


@dataclass(frozen=True)
class Beats:
    """One value of what varies is more accurate than another.

    Attributes:
        sentence: what the paper says.
        section: where it says so.
        better: a value of what varies.
        worse: another.
    """

    sentence: str
    section: str
    better: Any
    worse: Any


@dataclass(frozen=True)
class GainsLittle:
    """From one value of what varies to another, accuracy rises by `margin` at most.

    Attributes:
        sentence: what the paper says.
        section: where it says so.
        start: a value of what varies.
        end: another.
        margin: the gain that would still be none, a share of 1.

    Raises:
        DseError: the margin is no number from 0 to 1.
    """

    sentence: str
    section: str
    start: Any
    end: Any
    margin: float

    def __post_init__(self) -> None:
        check_number("the margin of a claim", self.margin, 0, 1)


@dataclass(frozen=True)
class SizesAsPrinted:
    """At the paper's width, every size is what the paper prints.

    Attributes:
        sentence: what the paper says.
        section: where it says so.
        slips: values of what varies whose printed size cannot be right.
    """

    sentence: str
    section: str
    slips: tuple[Any, ...] = ()


Claim = Beats | GainsLittle | SizesAsPrinted


def values_of(claim: Claim) -> tuple[Any, ...]:
    """The values of what varies that a claim names."""
    match claim:
        case Beats(better=better, worse=worse):
            return worse, better
        case GainsLittle(start=start, end=end):
            return start, end
        case SizesAsPrinted(slips=slips):
            return slips
