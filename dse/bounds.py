"""Checks of numbers before any work: whole or finite, and within bounds."""

import math
import numbers
from typing import TypeGuard

from dse.errors import DseError

MOST = 2**63 - 1
"""Largest whole number that a database can hold."""
MOST_REPLICATES = 10_000
"""Most replicates of a cell."""
LONGEST = 20
"""Most digits of a whole number that an error message shows in full."""


def check_whole(name: str, value: object, least: int, most: int) -> None:
    """Check that `value` is a whole number from `least` to `most`.

    Raises:
        DseError: it is not.
    """
    if not is_whole(value, least, most):
        raise DseError(
            f"{name} is {brief(value)}; expected {least} or more, a whole number of at "
            f"most {most:,}"
        )


def check_number(
    name: str, value: object, least: float, most: float, *, above: bool = False
) -> None:
    """Check that `value` is a finite number from `least` to `most`.

    If `above`, `least` itself is not valid.

    Raises:
        DseError: it is not.
    """
    if not is_number(value) or not least <= value <= most or (above and value == least):
        beginning = f"more than {least:g}" if above else f"{least:g} or more"
        raise DseError(
            f"{name} is {brief(value)}; expected {beginning}, at most {_round(most)}"
        )


def is_whole(value: object, least: int, most: int) -> TypeGuard[int]:
    """Check whether `value` is a whole number from `least` to `most`."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        return False
    return least <= int(value) <= most


def is_number(value: object) -> TypeGuard[float]:
    """Check whether `value` is a finite number."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return False
    return isinstance(value, numbers.Rational) or math.isfinite(value)


def brief(value: object) -> str:
    """Short text of a value for an error message."""
    if isinstance(value, int) and abs(value) >= 10**LONGEST:
        digits = int(abs(value).bit_length() * math.log10(2)) + 1
        first = abs(value) // 10 ** (digits - LONGEST // 2)
        return f"{'-' if value < 0 else ''}{first}… (about {digits:,} digits)"
    said = str(value) if isinstance(value, numbers.Real) else repr(value)
    return said if len(said) <= 60 else f"{said[:60]}…"


def _round(value: float) -> str:
    return f"{value:,.0f}" if value < MOST else f"{value:g}"
