"""Checks of numbers before any work: whole or finite, and within bounds."""

import math
import numbers
import re
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


UNITS = {
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
}
"""Bytes of a unit, by its name in small letters."""


def read_bytes(name: str, written: str) -> int:
    """Parse a size as a person writes it: 524288, 1e6, 0.5MB or 512KiB.

    Raises:
        DseError: it is none, or no whole number of bytes from 1 on.
    """
    found = re.fullmatch(r"\s*([0-9.]+(?:e\+?[0-9]+)?)\s*([a-z]*)\s*", written.lower())
    unit = UNITS.get(found[2] or "b") if found else None
    try:
        size = float(found[1]) * unit if found and unit else math.nan
    except ValueError:
        size = math.nan
    if not 1 <= size <= MOST or size != int(size):
        raise DseError(
            f"{name} is {brief(written)}; expected bytes, as 524288, 512KiB or 0.5MB"
        )
    return int(size)
