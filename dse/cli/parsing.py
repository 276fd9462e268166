"""Parse words into a command; a mistake in them ends with one line and status 2."""

import contextlib
import io
import os
import shutil
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Union
from unittest.mock import patch

import tyro
from tyro.conf import subcommand

from dse.cli.compress import Compress, Sensitivity
from dse.cli.describe import Describe, describe_command
from dse.cli.ending import end
from dse.cli.fit import Fit
from dse.cli.results import Export, Forget, Import, Predict, Query, Retry, Status
from dse.cli.studies import Check, Data, Plan, Reproduce, Search, Sweep
from dse.passwords import hide

LONGEST_WORD = 60
"""Most letters of a word that a usage error quotes; tyro wraps longer ones."""

VERBS = (
    *(Describe, Data, Plan, Sweep, Reproduce, Check, Search),
    *(Compress, Sensitivity, Fit),
    *(Status, Retry, Forget, Query, Predict, Export, Import),
)


def commands(words: Sequence[str]) -> tuple[Any, list[str]]:
    """The verbs for tyro, and the words that it is to parse.

    `describe` has the flags of the family that the next word may name.
    """
    describe, rest = Describe, list(words)
    if words[:1] == ["describe"]:
        describe, after = describe_command(words[1:])
        rest = ["describe", *after]
    named = [
        Annotated[verb, subcommand(verb.__name__.lower())]
        for verb in (describe, *VERBS[1:])
    ]
    return Union[tuple(named)], rest  # noqa: UP007 - members of a tuple


def parse(words: list[str]) -> Callable[[], None]:
    """Parse `words` into a command; a mistake ends with one line and status 2."""
    parsed, complaint = _parsed(words)
    if parsed is None:
        # Parse printable words for the message: no passwords, none that tyro wraps.
        quotable = [_clipped(hide(word)) for word in words]
        complaint = _parsed(quotable)[1] or complaint
        end(_first_paragraph(complaint), 2, words)
    return parsed


def _parsed(words: list[str]) -> tuple[Callable[[], None] | None, str]:
    """The command in `words`, or None and tyro's error message."""
    complaint = io.StringIO()
    try:
        # `_first_paragraph` needs whole lines; in a few columns tyro never ends.
        helps = {"-h", "--help"} & set(words)
        columns = max(shutil.get_terminal_size().columns, 40) if helps else 1000
        verbs, rest = commands(words)
        with (
            contextlib.redirect_stderr(complaint),
            patch.dict(os.environ, COLUMNS=str(columns)),
        ):
            parsed: Any = tyro.cli(
                verbs,
                prog="dse",
                description="Design-space exploration of convolutional networks.",
                args=rest,
            )
    except SystemExit as ended:
        if ended.code in (0, None):
            raise
        return None, complaint.getvalue()
    return parsed, ""


def _clipped(word: str) -> str:
    return word if len(word) <= LONGEST_WORD else f"{word[:LONGEST_WORD]}…"


def _first_paragraph(panel: str) -> str:
    """Text within tyro's frame (of box lines or hyphens) as one line."""
    lines = [line.strip("│╭╮╰╯ ") for line in panel.splitlines()[1:]]
    said = []
    for line in lines:
        if set(line) - set("─-"):
            said.append(line)
        elif said:
            break
    return f"{' '.join(said)} (dse --help and dse VERB --help say what is expected)"
