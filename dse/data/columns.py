"""The image column and the label column of a set's tables."""

from collections.abc import Sequence
from typing import NamedTuple

from dse.data.layout import Named
from dse.data.names import as_text, listed
from dse.data.tables import LABEL_NAMES, Table
from dse.errors import DseError

IMAGE_NAMES = ("image", "img")


class Columns(NamedTuple):
    """Names of the image column and the label column."""

    image: str
    label: str


def columns_of(tables: Sequence[Table], named: Named, called: str) -> Columns:
    """Choose the image column and the label column, the same in all files.

    Raises:
        DseError: one is missing, or several are possible.
    """
    first = tables[0]
    chosen = Columns(
        chosen_column(
            "image",
            named.image_column,
            first.image_columns,
            IMAGE_NAMES,
            first.schema.names,
            called,
        ),
        chosen_column(
            "label",
            named.label_column,
            first.label_columns,
            LABEL_NAMES[:1],
            first.schema.names,
            called,
        ),
    )
    for table in tables:
        for kind, column in chosen._asdict().items():
            if column not in table.schema.names:
                raise DseError(
                    f"dataset {called}: {as_text(table.place)} has no column "
                    f"{column!r}, which is the {kind} column of "
                    f"{as_text(first.place)}; take one of the files out"
                )
    return chosen


def chosen_column(
    kind: str,
    named: str | None,
    found: Sequence[str],
    preferred: Sequence[str],
    every: Sequence[str],
    called: str,
) -> str:
    """Choose the column that the user named, else the only one possible.

    Args:
        kind: image or label.
        named: the user's choice; None without one.
        found: columns of that kind.
        preferred: usual names, which decide among several.
        every: all columns.
        called: name of the set in messages.

    Raises:
        DseError: there is none, or several are possible.
    """
    if named is not None:
        if named not in every:
            raise DseError(
                f"dataset {called} has no column {named!r} (--{kind}-column); expected "
                f"one of {listed(every, 20)}"
            )
        return named
    usual = [name for name in found if name in preferred]
    if len(usual) == 1:
        return usual[0]
    if len(found) == 1:
        return found[0]
    if not found:
        raise DseError(
            f"dataset {called} has the columns {listed(every, 20)}; expected an image "
            f"column and a label column: name the {kind} column with --{kind}-column"
        )
    raise DseError(
        f"dataset {called} has several {kind} columns ({listed(found, 20)}); say which "
        f"one is meant with --{kind}-column"
    )
