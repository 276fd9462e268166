"""Claims of a paper about an experiment's cells, in a form that can be tested."""

from dataclasses import dataclass
from typing import Any

from dse.arch.family import Family
from dse.bounds import check_number
from dse.study.checks import check_points


@dataclass(frozen=True)
class Beats:
    """A claim that one value of the varied field is more accurate than another.

    Attributes:
        sentence: the paper's sentence.
        section: its section.
        better: the value with the higher accuracy.
        worse: the other value.
    """

    sentence: str
    section: str
    better: Any
    worse: Any


@dataclass(frozen=True)
class GainsLittle:
    """A claim that accuracy rises by `margin` at most from one value to another.

    Attributes:
        sentence: the paper's sentence.
        section: its section.
        start: a value of the varied field.
        end: another value.
        margin: the largest gain that still counts as none, as a share of 1.

    Raises:
        DseError: the margin is not a number from 0 to 1.
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
    """A claim that every size is as printed, at the paper's width.

    Attributes:
        sentence: the paper's sentence.
        section: its section.
        slips: values of the varied field whose printed size cannot be right.
    """

    sentence: str
    section: str
    slips: tuple[Any, ...] = ()


@dataclass(frozen=True)
class OverfitsLess:
    """A claim that one value of the varied field overfits less than another.

    Overfitting is the accuracy on train images, in the last epoch and as trained on,
    less the accuracy on test images.

    Attributes:
        sentence: the source's sentence.
        section: its section.
        less: the value that overfits less.
        more: the other value.
    """

    sentence: str
    section: str
    less: Any
    more: Any


@dataclass(frozen=True)
class TimesFewer:
    """A claim that a network has so many times fewer parameters than another.

    It is right if the exact factor rounds to `factor` in the digits that this has
    before its final zeros: 48.8 is "50 times", 48.8 is not "49.5 times".

    Attributes:
        sentence: the source's sentence.
        section: its section.
        factor: how many times.
        smaller: the network with fewer parameters, as published, of 1,000 classes.
        larger: the other network.

    Raises:
        DseError: the factor is not a number from 1 to 10^9, or no network is compared.
    """

    sentence: str
    section: str
    factor: float
    smaller: Family
    larger: Family

    def __post_init__(self) -> None:
        check_number("the factor of a claim", self.factor, 1, 1e9)
        check_points((self.smaller, self.larger), "a claim compares")


Measured = Beats | GainsLittle | OverfitsLess
"""Claims that runs decide."""
Claim = Measured | SizesAsPrinted | TimesFewer


def values_of(claim: Claim) -> tuple[Any, ...]:
    """Values of the varied field that a claim names."""
    match claim:
        case Beats(better=better, worse=worse):
            return worse, better
        case GainsLittle(start=start, end=end):
            return start, end
        case OverfitsLess(less=less, more=more):
            return less, more
        case SizesAsPrinted(slips=slips):
            return slips
        case TimesFewer():
            return ()
