"""Experiments from options: `--family squeezenet --set sr=0.25,0.5 --epochs 5`."""

from dataclasses import dataclass

from dse.declared import Declared
from dse.fields import flag, text, whole

MANY = 10_000
"""Largest number of cells that needs no --yes."""


@dataclass(frozen=True)
class Product(Declared, name="product"):
    """Values of fields of a family and a recipe; every combination is trained."""

    family: str | None = text(
        None, "a family of networks: a shipped name, or path/mine.py:Class"
    )
    settings: tuple[str, ...] = text(
        (),
        "values of a field, as sr=0.25,0.5 or base_e=16:64:16 (from, to, step); texts "
        "are parted by ; as pools=1,4,8;1,3,5. One value is the same for all",
        tuple,
        flag="set",
        repeats=True,
    )
    epochs: int | None = whole(
        None, "passes over the train part; by default the preset's", most=10**6
    )
    called: str | None = text(
        None, "what to call it; by default by what it varies", flag="name"
    )
    yes: bool = flag(False, f"whether more than {MANY:,} cells are meant")

    @property
    def is_asked(self) -> bool:
        """True if any option was given."""
        return self != type(self)()
