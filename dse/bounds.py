"""Numbers are checked before any work: whole or finite, and no larger than is meant."""

import math
import numbers
from typing import TypeGuard

from dse.errors import DseError

MOST = 2**63 - 1
"""The largest whole number that a database holds."""
MOST_REPLICATES = 10_000
"""Of a cell."""
LONGEST = 20
"""Digits of a whole number that a refusal still shows."""


def check_whole(name: str, value: object, least: int, most: int) -> None:
    """Refuse what is no whole number from `least` to `most`.

    Raises:
        DseError: it is none.
    """
    if not is_whole(value, least, most):
        raise DseError(
            f"{name} is {brief(value)}; expected {least} or more, a whole number of at "
            f"most {most:,}"
        )


def check_number(
    name: str, value: object, least: float, most: float, *, above: bool = False
) -> None:
    """Refuse what is no finite number from `least` to `most`.

    Args:
        name: what it is called.
        value: it.
        least: the smallest that will do.
        most: the largest.
        above: whether `least` itself will not do.

    Raises:
        DseError: it is none.
    """
    if not is_number(value) or not least <= value <= most or (above and value == least):
        beginning = f"more than {least:g}" if above else f"{least:g} or more"
        raise DseError(
            f"{name} is {brief(value)}; expected {beginning}, at most {_round(most)}"
        )


def is_whole(value: object, least: int, most: int) -> TypeGuard[int]:
    """Whether it is a whole number from `least` to `most`."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        return False
    return least <= int(value) <= most


def is_number(value: object) -> TypeGuard[float]:
    """Whether it is a finite number."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return False
    return isinstance(value, numbers.Rational) or math.isfinite(value)


def brief(value: object) -> str:
    """A value as a refusal shows it."""
    if isinstance(value, int) and abs(value) >= 10**LONGEST:
        digits = int(abs(value).bit_length() * math.log10(2)) + 1
        first = abs(value) // 10 ** (digits - LONGEST // 2)
        return f"{'-' if value < 0 else ''}{first}… (about {digits:,} digits)"
    said = str(value) if isinstance(value, numbers.Real) else repr(value)
    return said if len(said) <= 60 else f"{said[:60]}…"


def _round(value: float) -> str:
    return f"{value:,.0f}" if value < MOST else f"{value:g}"
