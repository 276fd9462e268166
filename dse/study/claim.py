"""Claims of a paper about an experiment's cells, in a form that can be tested."""

from dataclasses import dataclass
from typing import Any

from dse.bounds import check_number


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


Claim = Beats | GainsLittle | SizesAsPrinted


def values_of(claim: Claim) -> tuple[Any, ...]:
    """Values of the varied field that a claim names."""
    match claim:
        case Beats(better=better, worse=worse):
            return worse, better
        case GainsLittle(start=start, end=end):
            return start, end
        case SizesAsPrinted(slips=slips):
            return slips
