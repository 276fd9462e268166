"""Claims about whole series of an experiment's networks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dse.bounds import brief, check_number
from dse.errors import DseError
from dse.fields import unknown_name
from dse.runs.staged import Network, unstaged


@dataclass(frozen=True)
class LosesLittle:
    """A claim that a series is at most `margin` less accurate than another.

    On average over the networks, which are the same in both, with other stages.

    Attributes:
        sentence: the claim in words.
        section: where it is from.
        series: name of the series.
        of: name of the other series.
        margin: the largest loss that still counts as none, as a share of 1.

    Raises:
        DseError: the margin is not a number from 0 to 1.
    """

    sentence: str
    section: str
    series: str
    of: str
    margin: float

    def __post_init__(self) -> None:
        check_number("the margin of a claim", self.margin, 0, 1)


@dataclass(frozen=True)
class AddUp:
    """A claim that a change costs the same in two groups of networks.

    Each group is a pair of series, of the same networks after and before the change.

    Attributes:
        sentence: the claim in words.
        section: where it is from.
        first: names of the series after and before the change, in one group.
        second: the same in the other group.
        margin: the largest difference of the costs that still counts as none.

    Raises:
        DseError: the margin is not a number from 0 to 1.
    """

    sentence: str
    section: str
    first: tuple[str, str]
    second: tuple[str, str]
    margin: float

    def __post_init__(self) -> None:
        check_number("the margin of a claim", self.margin, 0, 1)


@dataclass(frozen=True)
class MovesFront:
    """A claim that some series are more accurate than others at equal bytes.

    At the size of each network on their front its accuracy is compared with that of the
    best of the others that is no larger. Validation accuracy chooses, test accuracy
    is compared, and the mean over these sizes counts.

    Attributes:
        sentence: the claim in words.
        section: where it is from.
        series: names of the series.
        over: names of the others.
        margin: the least gain, as a share of 1.

    Raises:
        DseError: the margin is not a number from 0 to 1.
    """

    sentence: str
    section: str
    series: tuple[str, ...]
    over: tuple[str, ...]
    margin: float

    def __post_init__(self) -> None:
        check_number("the margin of a claim", self.margin, 0, 1)


OfSeries = LosesLittle | AddUp | MovesFront


def pairs_of(claim: OfSeries) -> tuple[tuple[str, str], ...]:
    """Pairs of series that must be of the same networks."""
    match claim:
        case LosesLittle(series=series, of=of):
            return ((series, of),)
        case AddUp(first=first, second=second):
            return first, second
        case MovesFront():
            return ()


def names_of(claim: OfSeries) -> tuple[Any, ...]:
    """Names of all series in a claim."""
    match claim:
        case MovesFront(series=series, over=over):
            return *series, *over
        case _:
            return tuple(name for pair in pairs_of(claim) for name in pair)


def check_series(claim: OfSeries, series: Mapping[str, Sequence[Network]]) -> None:
    """Check that an experiment has the series of a claim.

    Raises:
        DseError: one is missing, or two are not of the same networks.
    """
    for name in names_of(claim):
        if not isinstance(name, str) or name not in series:
            called = name if isinstance(name, str) else brief(name)
            raise DseError(unknown_name("a claim is of the series", called, series))
    for one, other in pairs_of(claim):
        networks = [[unstaged(x) for x in series[name]] for name in (one, other)]
        if networks[0] != networks[1]:
            raise DseError(
                f"a claim compares {one} with {other}; expected the same networks in "
                "the same order"
            )
