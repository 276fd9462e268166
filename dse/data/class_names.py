"""Names of classes from a file: a text with a name a line, or the notes of a set."""

from pathlib import Path

from dse.data.names import as_text
from dse.data.tables import LONGEST_LABEL, MAGIC, open_table
from dse.data.walk import read_regular
from dse.errors import DseError

MOST_BYTES = 2**24


def read_class_names(path: Path, classes: int) -> tuple[str, ...]:
    """Read the names of a network's classes, in their order.

    Args:
        path: a text file in UTF-8 with a name a line, a Parquet file of images whose
            labels have names, or a folder with such a file.
        classes: number of classes.

    Raises:
        DseError: it cannot be read, or names another number of classes.
    """
    called = as_text(path)
    if not path.exists():
        raise DseError(f"there is no file {called} of class names")
    tables = sorted(path.rglob("*.parquet")) if path.is_dir() else []
    if path.is_dir() and not tables:
        raise DseError(f"folder {called} has no Parquet file that names classes")
    file = tables[0] if tables else path
    with file.open("rb") as opened:
        is_table = opened.read(len(MAGIC)) == MAGIC
    names = _of_table(file) if is_table else _of_text(file)
    if len(names) != classes:
        raise DseError(
            f"{called} names {len(names):,} classes; the network has {classes:,}: "
            "expected a name a line, in the order of its scores"
        )
    return tuple(names)


def _of_table(file: Path) -> list[str]:
    table = open_table(file, as_text(file))
    columns = [] if table is None else table.label_columns
    names = table.class_list(columns[0]) if table is not None and columns else []
    if not names:
        raise DseError(f"{as_text(file)} names no classes")
    return names


def _of_text(file: Path) -> list[str]:
    try:
        text = read_regular(file, MOST_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DseError(
            f"{as_text(file)} is no text in UTF-8 (byte {error.start:,}); expected a "
            "class name a line"
        ) from error
    names = [line.strip() for line in text.splitlines()]
    for number, name in enumerate(names, 1):
        if not name or len(name) > LONGEST_LABEL:
            raise DseError(
                f"line {number} of {as_text(file)} has {len(name):,} letters; expected "
                f"a class name of 1 to {LONGEST_LABEL:,}"
            )
    return names
