"""Flags of the command line for declared settings (`dse.declared`)."""

import dataclasses
from typing import Annotated, Any, Literal, get_type_hints

from tyro.conf import UseAppendAction, arg

from dse.declared import Declared
from dse.fields import Field


def flags_of(declared: type[Declared]) -> Any:
    """Make a dataclass whose fields are the flags of `declared`, without its checks."""
    types = get_type_hints(declared)
    made = [
        (
            field.name,
            _flag(declared.fields[field.name], types[field.name]),
            dataclasses.field(default=field.default, repr=field.repr),
        )
        for field in dataclasses.fields(declared)  # type: ignore[arg-type]
    ]
    return dataclasses.make_dataclass(
        declared.__name__, made, frozen=True, namespace={"__doc__": declared.__doc__}
    )


def _flag(field: Field, type_: Any) -> Any:
    """Type of a field for tyro, with its flag and help."""
    argument = arg(help=field.says, name=field.flag or None)
    if field.repeats:
        return Annotated[type_, argument, UseAppendAction]
    if field.kind == "choice":
        words: Any = Literal[field.options]
        type_ = words | None if field.optional else words
    return Annotated[type_, argument]


def given(flags: Any) -> dict[str, Any]:
    """Values of the flags that differ from their defaults, by field."""
    return {
        field.name: value
        for field in dataclasses.fields(flags)
        if (value := getattr(flags, field.name)) != field.default
    }
