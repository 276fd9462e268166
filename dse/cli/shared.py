"""Flags and checks that several verbs share."""

from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import arg

from dse.cli.flags import flags_of
from dse.data.layout import Named
from dse.errors import DseError
from dse.options import Options
from dse.store import DEFAULT_STORAGE
from dse.study.product import Product

__all__ = [
    "RETRY",
    "Experiments",
    "NamedFlags",
    "OptionFlags",
    "ProductFlags",
    "refuse_holes",
    "storage_field",
]

RETRY = "dse retry STUDY has them tried again"
Experiments = Annotated[
    tuple[str, ...],
    arg(
        metavar="EXPERIMENT [EXPERIMENT ...]",
        help="A shipped name, or the path of a file; several share what they train.",
    ),
]

if TYPE_CHECKING:
    from dse.data.layout import Named as NamedFlags
    from dse.options import Options as OptionFlags
    from dse.study.product import Product as ProductFlags
else:
    NamedFlags, OptionFlags = flags_of(Named), flags_of(Options)
    ProductFlags = flags_of(Product)


def storage_field() -> Any:
    """A field for a database's URL; `repr` leaves it out for its password."""
    return field(default=DEFAULT_STORAGE, repr=False)


def refuse_holes(holes: Mapping[str, int], then: str) -> None:
    """Raise a DseError if runs failed for reasons outside the training."""
    if holes:
        reasons = ", ".join(f"{count} {reason}" for reason, count in holes.items())
        raise DseError(
            f"runs failed and have no tries left ({reasons}): dse status says why and "
            f"where their logs are, {then}"
        )
