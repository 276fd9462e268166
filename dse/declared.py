"""A frozen dataclass whose fields say what they are: families, recipes, settings."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Self

from dse.errors import DseError
from dse.fields import Field, plain, unknown_name


class Declared:
    """A frozen dataclass all of whose fields say what they are.

        @dataclass(frozen=True)
        class Nin(Family, name="nin"):
            width: float = share(1.0, "width over the published one", most=2)

    Attributes:
        name: what it is called, in databases and on the command line.
        fields: what is known of each field, by name.

    Raises:
        DseError: a value is none of its field's.
    """

    name: ClassVar[str] = ""
    fields: ClassVar[Mapping[str, Field]] = {}

    def __init_subclass__(
        cls, *, name: str = "", as_given: bool = False, **more: Any
    ) -> None:
        """Collect the fields.

        Args:
            name: what the class is called.
            as_given: whether whole numbers among real ones stay such, as in recipes,
                whose identity tells 1 from 1.0.
            more: of other bases.
        """
        super().__init_subclass__(**more)
        cls.name = name or cls.name
        own: dict[str, Field] = {}
        for field, kind in vars(cls).get("__annotations__", {}).items():
            if "ClassVar" in str(kind):
                continue
            told = getattr(vars(cls).get(field), "metadata", {}).get("dse")
            if not isinstance(told, Field):
                raise DseError(
                    f"{cls.__name__}.{field} has no range; write it as {field}: int = "
                    'whole(8, "what it is", most=64), or as real, share, choice, text'
                )
            inherited = any(field in getattr(x, "fields", {}) for x in cls.__mro__[1:])
            if not inherited and hasattr(cls.__mro__[1], field):
                raise DseError(
                    f"{cls.__name__}.{field} is what every {cls.__mro__[1].__name__} "
                    "has already; call it otherwise"
                )
            own[field] = replace(told, as_given=as_given)
        fields: dict[str, Field] = {}
        for base in reversed(cls.__mro__[1:]):
            fields |= getattr(base, "fields", {})
        cls.fields = fields | own

    def __init__(self) -> None:
        # A dataclass has an __init__ of its own.
        raise DseError(
            f"{type(self).__name__} is no dataclass; write @dataclass(frozen=True) "
            "above the class"
        )

    def __post_init__(self) -> None:
        parameters: Any = type(self).__dict__.get("__dataclass_params__")
        if parameters is None or not parameters.frozen:
            raise DseError(
                f"{type(self).__name__} is not frozen; write @dataclass(frozen=True) "
                "above the class"
            )
        for name, field in self.fields.items():
            value = getattr(self, name)
            checked = field.checked(name, value)
            if checked is not value:
                object.__setattr__(self, name, checked)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """From JSON, or from a sampler.

        Raises:
            DseError: a name is none of its fields', or a value is wrong.
        """
        for unknown in [name for name in values if name not in cls.fields]:
            raise DseError(unknown_name(f"{cls.name} has no", unknown, cls.fields))
        return cls(**values)

    @property
    def values(self) -> dict[str, Any]:
        """The plain values by name, whoever chose them."""
        return {name: plain(getattr(self, name)) for name in self.fields}

    @property
    def key(self) -> str:
        """The values in one spelling: sorted JSON."""
        return json.dumps(self.values, sort_keys=True)
