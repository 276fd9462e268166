"""Fields of settings, described once beside the default: kind, range and wording.

Families, recipes and options are frozen dataclasses whose fields are made by `whole`,
`real`, `share`, `choice`, `text` or `flag`. Checks, flags of the command line, Optuna's
distributions, columns, labels and axes follow from them.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal, Self

from dse.bounds import MOST, brief, is_number, is_whole
from dse.errors import DseError

Kind = Literal["whole", "real", "choice", "text", "flag"]


GRID_DIGITS = 12
"""Decimals of values in a grid, so that a search and a sweep name the same point."""


@dataclass(frozen=True)
class Grid:
    """Evenly spaced values from `low` to `high`, whole numbers or fractions."""

    low: float
    high: float
    step: float

    def __post_init__(self) -> None:
        if not (self.step > 0 and self.low <= self.high < math.inf):
            raise DseError(
                f"a grid from {self.low:g} to {self.high:g} by {self.step:g} goes "
                "nowhere; expected a step above 0 towards the higher end"
            )

    @property
    def count(self) -> int:
        """Number of values."""
        steps = (self.high - self.low) / self.step
        return math.floor(min(steps, MOST) + 1e-9) + 1

    @property
    def values(self) -> tuple[float, ...]:
        """All values in ascending order, none above `high`; 0.3 is no 0.30000000001."""
        return tuple(
            round(self.low + self.step * i, GRID_DIGITS) for i in range(self.count)
        )


class Unstated:
    """Mixin for a number that nobody stated, so that a preset may choose it."""


class UnstatedWhole(Unstated, int):
    """A whole number that nobody stated; `dataclasses.replace` keeps the type."""


class UnstatedReal(Unstated, float):
    """A real number that nobody stated."""


@dataclass(frozen=True)
class Field:
    """The description of a setting.

    Attributes:
        kind: kind of its values; a share is a real number.
        says: a phrase for the help of its flag and the data dictionary.
        label: format of a value in a figure, `SR {}`; with a % it is in per cent.
        least: smallest valid number.
        most: largest valid number.
        above: True if `least` itself is not valid.
        below: True if `most` itself is not valid.
        options: the words of a choice.
        optional: True if None is valid: the value is then chosen elsewhere.
        cost: how a network's cost changes as the value grows; empty if not known.
        ordered: True if a line from value to value has a meaning.
        scales: True if a preset scales it unless it is stated.
        as_given: True if whole numbers in a real field stay whole.
        flag: its name on the command line, if that differs.
        repeats: True if its flag may be repeated.
        secret: True if `repr` leaves it out, since a URL may have a password.
        later: True if it was added later and is left out of identities at its default.
        spelling: returns the normal form of a value, or raises a DseError.
    """

    kind: Kind
    says: str
    label: str = "{}"
    least: float | None = None
    most: float | None = None
    above: bool = False
    below: bool = False
    options: tuple[str, ...] = ()
    optional: bool = False
    cost: Literal["rises", "falls", ""] = ""
    ordered: bool = True
    scales: bool = False
    as_given: bool = False
    flag: str = ""
    repeats: bool = False
    secret: bool = False
    later: bool = False
    spelling: Callable[[Any], Any] | None = dataclasses.field(
        default=None, compare=False
    )

    def checked(self, name: str, value: Any) -> Any:
        """Check `value` and return its normal form.

        Raises:
            DseError: it is not valid; the message says what was expected.
        """
        # A short way for the valid numbers that millions of points consist of.
        kind = type(value)
        if (kind is int and self.kind == "whole") or (
            kind is float and self.kind == "real"
        ):
            least, most = self.least, self.most
            if least is not None and most is not None and least < value < most:
                return value
        if isinstance(value, Unstated) or (value is None and self.optional):
            return value
        if self.spelling is not None:
            return self.spelling(value)
        if self.kind == "text" and isinstance(value, str):
            return value
        if self.kind == "choice" and value in self.options:
            return value
        if self.kind == "flag" and isinstance(value, bool):
            return value
        if self.kind == "whole" and is_whole(value, -MOST, MOST) and self._fits(value):
            return int(value)
        if self.kind == "real" and is_number(value) and self._fits(value):
            return value if self.as_given else float(value)
        raise DseError(f"{name} is {brief(value)}; expected {self.expected}")

    def _fits(self, number: float) -> bool:
        least = -math.inf if self.least is None else self.least
        most = math.inf if self.most is None else self.most
        if (self.above and number == least) or (self.below and number == most):
            return False
        return least <= number <= most

    @property
    def expected(self) -> str:
        """Description of the valid values."""
        if self.kind == "choice":
            return f"one of {', '.join(self.options)}"
        if self.kind in ("text", "flag"):
            return "a text" if self.kind == "text" else "True or False"
        what = "a whole number" if self.kind == "whole" else "a number"
        ends = []
        if self.least is not None:
            ends.append(f" {'above' if self.above else 'from'} {_number(self.least)}")
        if self.most is not None:
            if self.below or self.above or not ends:
                to = ", under" if self.below else ", up to" if ends else " up to"
            else:
                to = " to"
            ends.append(f"{to} {_number(self.most)}")
        return "".join([what, *ends])

    def listed(self, values: Grid | tuple[Any, ...]) -> tuple[Any, ...]:
        """All values of a grid or a tuple, in this field's type."""
        if not isinstance(values, Grid):
            return values
        return tuple(map(int, values.values)) if self.kind == "whole" else values.values

    def written(self, value: Any) -> str:
        """Format a value for people: `SR 0.5`, `25 %`."""
        if isinstance(value, bool) or not isinstance(value, float | int):
            return self.label.format("none" if value is None else value)
        if value != value:  # None in a column of numbers
            return self.label.format("none")
        if self.kind == "real":
            return self.label.format(f"{100 * value if '%' in self.label else value:g}")
        return self.label.format(int(value))

    def named(self, name: str, value: Any) -> str:
        """Format a value, with the field's name unless the label has words."""
        written = self.written(value)
        has_words = any(letter.isalpha() for letter in self.label.format(""))
        return written if has_words else f"{name} {written}"

    def read(self, name: str, word: str) -> Any:
        """Parse a value that a user wrote, as in `sr=0.5`.

        Raises:
            DseError: it is not valid.
        """
        value: Any = word
        if self.optional and word.lower() == "none" and word not in self.options:
            return None
        if self.kind in ("whole", "real"):
            try:
                value = int(word) if self.kind == "whole" else float(word)
            except ValueError:
                raise DseError(
                    f"{name} is {brief(word)}; expected {self.expected}"
                ) from None
        elif self.kind == "flag":
            value = {"true": True, "yes": True, "false": False, "no": False}.get(
                word.lower(), word
            )
        return self.checked(name, value)

    def to_json(self) -> dict[str, Any]:
        """Attributes that differ from the defaults, and the options, for a database."""
        differing = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name != "spelling" and getattr(self, field.name) != field.default
        }
        return {**differing, "options": list(self.options)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Make a field from the result of `to_json`, ignoring unknown attributes."""
        known = {field.name for field in dataclasses.fields(cls)} - {"spelling"}
        kept = {name: value for name, value in values.items() if name in known}
        return cls(**{**kept, "options": tuple(kept.get("options", ()))})


def _number(number: float) -> str:
    return f"{number:,.0f}" if 1000 <= abs(number) < 2**62 else f"{number:g}"


def _made(default: Any, field: Field) -> Any:
    if default is None:
        field = dataclasses.replace(field, optional=True)
    if default is ...:
        return dataclasses.field(metadata={"dse": field})
    if field.scales:
        default = (UnstatedWhole if field.kind == "whole" else UnstatedReal)(default)
    return dataclasses.field(
        default=default, repr=not field.secret, metadata={"dse": field}
    )


def whole(
    default: Any, says: str, *, least: int = 1, most: int = 2**16, **more: Any
) -> Any:
    """Make a field of whole numbers; with the default `...` a value must be given."""
    return _made(default, Field("whole", says, least=least, most=most, **more))


def real(default: Any, says: str, *, least: float, most: float, **more: Any) -> Any:
    """Make a field of real numbers."""
    return _made(default, Field("real", says, least=least, most=most, **more))


def share(
    default: Any, says: str, *, least: float = 0.0, most: float = 1.0, **more: Any
) -> Any:
    """Make a field of numbers from 0 to 1, unless other bounds are given."""
    return _made(default, Field("real", says, least=least, most=most, **more))


def choice(default: Any, options: tuple[str, ...], says: str, **more: Any) -> Any:
    """Make a field of one of a few words."""
    more = {"ordered": False, **more}
    return _made(default, Field("choice", says, options=options, **more))


def text(
    default: Any, says: str, spelling: Callable[[Any], Any] | None = None, **more: Any
) -> Any:
    """Make a field of text in the normal form of `spelling`."""
    more = {"ordered": False, **more}
    return _made(default, Field("text", says, spelling=spelling, **more))


def flag(default: Any, says: str, **more: Any) -> Any:
    """Make a field that is True or False."""
    return _made(default, Field("flag", says, ordered=False, **more))


def plain(value: Any) -> Any:
    """`value` as a plain number if it is an `Unstated` one."""
    if not isinstance(value, Unstated):
        return value
    return int(value) if isinstance(value, int) else float(value)  # type: ignore[arg-type]


def unknown_name(what: str, name: str, known: Mapping[str, Any]) -> str:
    """Message for a name that is not in `known`, with similar names."""
    near = get_close_matches(name, list(known), n=3)
    said = f"{what} {name!r}; expected some of {', '.join(known)}"
    return f"{said} (did you mean {' or '.join(near)}?)" if near else said


Fields = Mapping[str, Mapping[str, Field]]
"""Fields by family, then by name."""
