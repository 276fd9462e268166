"""Standard streams that accept any text, also when they are closed."""

import codecs
import contextlib
import io
import os
import sys

PLAIN = {
    "·": "-",
    "…": "...",
    "–": "-",
    "—": "-",
    "×": "x",
    "’": "'",
    "‘": "'",
    "“": '"',
    "”": '"',
    "≥": ">=",
    "≤": "<=",
    "→": "->",
    "−": "-",
    "±": "+-",
    "⁶": "^6",
}
"""Plain forms of signs that `dse` and libraries print, for simple encodings."""

BROKEN_PIPE = 141
"""Exit status that a shell shows for a program whose output nobody reads."""


def _spelt_plainly(error: UnicodeError) -> tuple[str, int]:
    """Error handler for `codecs`: a plain form of the signs, else Python's escape."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lost = error.object[error.start : error.end]
    forms = [
        PLAIN.get(c) or c.encode("ascii", "backslashreplace").decode() for c in lost
    ]
    return "".join(forms), error.end


def prepare_streams() -> None:
    """Make standard output and error accept any text; replace closed ones by /dev/null.

    A file that is opened later must not get the number of a closed stream: what a
    library prints would be written into it.
    """
    with contextlib.suppress(OSError):
        while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
            pass
        os.close(number)
    codecs.register_error("dse.plain", _spelt_plainly)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: PTH123, SIM115
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="dse.plain")


def is_written() -> bool:
    """Flush standard output; return True if that is possible."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        return False
    return True


def abandon() -> None:
    """Redirect standard output to /dev/null: nobody reads it, or it is full."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
        sys.stdout.flush()
