"""The verb `describe`, whose flags are the fields of the named family."""

import dataclasses
import json
from collections.abc import Sequence
from typing import Annotated, Any

from tyro.conf import arg

from dse.cli.flags import flags_of, given
from dse.fields import plain

SIDE = Annotated[int, arg(help="Side of the square input, in pixels.")]


@dataclasses.dataclass(frozen=True)
class Describe:
    """Print the exact cost of one point, as the paper's Table 1."""

    classes: Annotated[int, arg(help="Class scores.")] = 1000
    input_size: SIDE = 227
    channels: Annotated[int, arg(help="Channels of the input.")] = 3
    json: Annotated[bool, arg(help="Print JSON instead of a table.")] = False

    def __call__(self) -> None:
        """Print the description."""
        from dse.arch.describe import as_json

        kind: Any = self.family  # type: ignore[attr-defined]
        values = {name: x for name, x in given(self).items() if name in kind.fields}
        point = kind.of(values)
        shape = (self.input_size, self.input_size, self.channels)
        architecture = point.network(shape, self.classes)
        if self.json:
            print(json.dumps(as_json(architecture), indent=2))
            return
        from dse.console.description import print_description

        print_description(point, architecture)


def describe_command(words: Sequence[str]) -> tuple[Any, list[str]]:
    """Build the verb with a family's flags; return it and the words without the family.

    Args:
        words: words after `describe`; without a family, as `--sr 0.5`, the default.
    """
    # Imported here: other verbs' help does not need NumPy.
    from dse.families import DEFAULT, family_called, shipped_families

    named = bool(words) and not words[0].startswith("-")
    kind = family_called(words[0] if named else DEFAULT)
    of_family = flags_of(kind)
    fields: list[tuple[str, Any, Any]] = [("input_size", SIDE, kind.side)]
    fields += [
        (field.name, of_family.__annotations__[field.name], plain(field.default))
        for field in dataclasses.fields(of_family)
    ]
    others = ", ".join(x for x in shipped_families() if x != kind.name)
    says = (
        f"Print the exact cost of one point of {kind.name}, as the paper's Table 1.\n\n"
        f"{kind.__doc__}\n\nAnother family by its name: {others}, or "
        f"path/mine.py:Class.\n\nExample: dse describe {kind.name} {_example(kind())}"
    )
    made = dataclasses.make_dataclass(
        "Describe",
        fields,
        bases=(Describe,),
        frozen=True,
        namespace={"__doc__": says, "family": kind},
    )
    return made, list(words[1:] if named else words)


def _example(point: Any) -> str:
    """An example flag: the family's first field at its default."""
    name = next(iter(point.fields))
    return f"--{name.replace('_', '-')} {point.values[name]}"
