"""The base class of families, recipes and settings, whose fields are described."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Self

from dse.errors import DseError
from dse.fields import Field, plain, unknown_name


class Declared:
    """A frozen dataclass whose fields are made and described by `dse.fields`.

        @dataclass(frozen=True)
        class Nin(Family, name="nin"):
            width: float = share(1.0, "width over the published one", most=2)

    Attributes:
        name: its name in databases and on the command line.
        fields: the description of each field, by name.

    Raises:
        DseError: a value does not fit its field.
    """

    name: ClassVar[str] = ""
    fields: ClassVar[Mapping[str, Field]] = {}

    def __init_subclass__(
        cls, *, name: str = "", as_given: bool = False, **more: Any
    ) -> None:
        """Collect the fields.

        Args:
            name: name of the class.
            as_given: True to keep whole numbers in real fields whole, as in recipes,
                whose identity differs between 1 and 1.0.
            more: arguments of other base classes.
        """
        super().__init_subclass__(**more)
        cls.name = name or cls.name
        own: dict[str, Field] = {}
        for field, kind in vars(cls).get("__annotations__", {}).items():
            if "ClassVar" in str(kind):
                continue
            definition = getattr(vars(cls).get(field), "metadata", {}).get("dse")
            if not isinstance(definition, Field):
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
            own[field] = replace(definition, as_given=as_given)
        fields: dict[str, Field] = {}
        for base in reversed(cls.__mro__[1:]):
            fields |= getattr(base, "fields", {})
        cls.fields = fields | own

    def __init__(self) -> None:
        # Never called in a dataclass, which has its own __init__.
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
        """Make an instance from values of JSON or a sampler.

        Raises:
            DseError: a name is unknown, or a value does not fit its field.
        """
        for unknown in [name for name in values if name not in cls.fields]:
            raise DseError(unknown_name(f"{cls.name} has no", unknown, cls.fields))
        return cls(**values)

    @property
    def values(self) -> dict[str, Any]:
        """Plain values by name, stated or not."""
        return {name: plain(getattr(self, name)) for name in self.fields}

    def changed(self, changes: Mapping[str, Any]) -> Self:
        """This one with other values of some fields.

        Raises:
            DseError: a value does not fit.
        """
        return replace(self, **changes)  # type: ignore[type-var]
