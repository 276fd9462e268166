"""Flags of the command line for declared settings (`dse.declared`)."""

import dataclasses
from collections.abc import Collection
from typing import Annotated, Any, Literal, get_type_hints

from tyro.conf import UseAppendAction, arg

from dse.declared import Declared
from dse.fields import Field


def flags_of(declared: type[Declared], without: Collection[str] = ()) -> Any:
    """Make a dataclass whose fields are the flags of `declared`, without its checks.

    Args:
        declared: the settings.
        without: names of fields that get no flag.
    """
    types = get_type_hints(declared)
    made = [
        (
            name,
            _flag(field, types[name]),
            dataclasses.field(default=_default(declared, name), repr=not field.secret),
        )
        for name, field in declared.fields.items()
        if name not in without
    ]
    return dataclasses.make_dataclass(
        declared.__name__, made, frozen=True, namespace={"__doc__": declared.__doc__}
    )


def _flag(field: Field, type_: Any) -> Any:
    """Type of a field for tyro, with its flag and help."""
    told = arg(help=field.says, name=field.flag or None)
    if field.repeats:
        return Annotated[type_, told, UseAppendAction]
    if field.kind == "choice":
        words: Any = Literal[field.options]
        type_ = words | None if field.optional else words
    return Annotated[type_, told]


def _default(declared: type[Declared], name: str) -> Any:
    return next(
        field.default
        for field in dataclasses.fields(declared)  # type: ignore[arg-type]
        if field.name == name
    )


def given(flags: Any) -> dict[str, Any]:
    """Values of the flags that differ from their defaults, by field."""
    values = {field.name: field for field in dataclasses.fields(flags)}
    return {
        name: getattr(flags, name)
        for name, field in values.items()
        if getattr(flags, name) != field.default
    }
