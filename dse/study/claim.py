"""Claims of a paper about an experiment's cells, in a form that can be tested."""

from dataclasses import dataclass
from typing import Any

from dse.arch.family import Family, Source
from dse.bounds import brief, check_number
from dse.errors import DseError
from dse.runs.staged import unstaged
from dse.study.checks import check_points
from dse.study.series_claim import (
    AddUp,
    LosesLittle,
    MovesFront,
    OfSeries,
    check_series,
)


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

    Raises:
        DseError: the slips are no list.
    """

    sentence: str
    section: str
    slips: tuple[Any, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.slips, list | tuple):
            raise DseError(
                f"the slips of a claim are {brief(self.slips)}; expected a list of "
                "values"
            )


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
        DseError: the factor is not a number from 1 to 10^9, no network is compared, or
            one has no published form.
    """

    sentence: str
    section: str
    factor: float
    smaller: Family
    larger: Family

    def __post_init__(self) -> None:
        check_number("the factor of a claim", self.factor, 1, 1e9)
        check_points((self.smaller, self.larger), "a claim compares")
        for point in (self.smaller, self.larger):
            try:
                point.published_network()
            except DseError as error:
                raise DseError(
                    f"a claim compares {point.name} of {point.short()} as published "
                    f"for {point.side} pixels: {error}"
                ) from error


@dataclass(frozen=True)
class TimesSmaller:
    """A claim that a network's file is so many times smaller, and as accurate.

    Attributes:
        sentence: the claim in words.
        section: where it is from.
        smaller: the point with the smaller file.
        larger: the other point.
        factor: at least how many times smaller, over the replicates of both.
        margin: the largest loss of accuracy that still counts as none.

    Raises:
        DseError: the factor is not from 1 to 10^9, or the margin not from 0 to 1.
    """

    sentence: str
    section: str
    smaller: Any
    larger: Any
    factor: float
    margin: float

    def __post_init__(self) -> None:
        check_number("the factor of a claim", self.factor, 1, 1e9)
        check_number("the margin of a claim", self.margin, 0, 1)


Measured = (
    Beats | GainsLittle | OverfitsLess | TimesSmaller | LosesLittle | AddUp | MovesFront
)
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
        case TimesSmaller(smaller=smaller, larger=larger):
            return larger, smaller
        case SizesAsPrinted(slips=slips):
            return slips
        case TimesFewer() | LosesLittle() | AddUp() | MovesFront():
            return ()


def check_fit(experiment: Any) -> None:
    """Check that an experiment has what its claims and its publication name.

    Args:
        experiment: the experiment.

    Raises:
        DseError: it has no such points, publication or printed sizes.
    """
    keyed = experiment.keyed
    published: dict[str, Source] = {}
    for point in keyed.values():
        family = type(unstaged(point))
        published |= family.published() if issubclass(family, Family) else {}
    if experiment.published is not None and experiment.published not in published:
        raise DseError(
            f"nothing is published as {experiment.published!r}; expected one of "
            f"{', '.join(published) or 'none: the family has no published points'}"
        )
    for claim in experiment.claims:
        if not isinstance(claim, Claim):
            raise DseError(f"a claim is {brief(claim)}; expected one as Beats(...)")
        if not (isinstance(claim.sentence, str) and isinstance(claim.section, str)):
            raise DseError(
                f"the sentence and the section of a claim are {brief(claim.sentence)} "
                f"and {brief(claim.section)}; expected texts"
            )
        if isinstance(claim, OfSeries):
            check_series(claim, experiment.series)
        if isinstance(claim, TimesFewer | OfSeries):
            continue
        of_sizes = isinstance(claim, SizesAsPrinted)
        if len(keyed) < 2 or (of_sizes and experiment.published is None):
            raise DseError(
                f"a claim of {type(claim).__name__} needs an experiment that "
                "varies something, and for printed sizes a published source"
            )
        named = [experiment.key_of(value) for value in values_of(claim)]
        slips = set(named)
        if not of_sizes and len(slips) < len(named):
            raise DseError(
                f"a claim compares {named[0]!r} with itself; expected two points"
            )
        printed = experiment.printed.items()
        sized = {x for x, found in printed if found.size_mib is not None}
        if of_sizes and not sized - slips:
            raise DseError(
                f"a claim of printed sizes is of none: {experiment.published} prints "
                "other networks; vary some of those, or leave the claim out"
            )
