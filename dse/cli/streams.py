"""Standard streams that take whatever is printed, or are quietly gone."""

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
"""Signs of ours and of libraries, where a stream has none of them."""

BROKEN_PIPE = 141
"""What a shell shows of a program that went on to write when nobody read any more."""


def _spelt_plainly(error: UnicodeError) -> tuple[str, int]:
    """For `codecs`: a plain form of what cannot be encoded, else Python's escape."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lost = error.object[error.start : error.end]
    told = [
        PLAIN.get(c) or c.encode("ascii", "backslashreplace").decode() for c in lost
    ]
    return "".join(told), error.end


def prepare_streams() -> None:
    """Have standard output and error take any text; closed ones lead nowhere.

    A file that is opened later must not get the number of a closed one: what a library
    prints would be written into it.
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
    """Write out what was printed; whether that can be done."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        return False
    return True


def abandon() -> None:
    """Have nothing more written to standard output, which nobody reads or can hold."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
        sys.stdout.flush()
