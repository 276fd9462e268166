"""End of a command: any exception becomes one clear line and a status.

The traceback of an unexpected one goes to a file that the line names; with DSE_DEBUG=1
it is printed.
"""

import contextlib
import datetime
import os
import shlex
import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn

from dse.cli.streams import abandon, is_written
from dse.data.cache import cache_folder
from dse.errors import DseError, first_line, printable
from dse.passwords import hide, secrets_in, without_passwords

KEPT_LOGS = 20
"""Most error logs that are kept; older ones are deleted."""

OUT_OF_MEMORY = (
    "memory ran out: close other programs, or take fewer workers or smaller images"
)


def line_of(error: Exception, words: Sequence[str]) -> str:
    """Describe an error in a line; keep the traceback of an unexpected one.

    Args:
        error: the exception.
        words: words of the command, without `dse`.
    """
    is_shown = _show(error, words)
    if isinstance(error, DseError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return ": ".join(filter(None, [error.strerror, _names(error)]))
    message = f"internal error, {type(error).__name__}: {first_line(error)}"
    if isinstance(error, MemoryError):
        message = OUT_OF_MEMORY
    return message if is_shown else f"{message}; {_kept(error, words)}"


def end(line: str, status: int, words: Sequence[str] = ()) -> NoReturn:
    """Print a line on standard error, without passwords in `words`, and exit."""
    text = printable(_told(" ".join(map(str.strip, line.splitlines())), words))
    if not is_written():
        abandon()
    with contextlib.suppress(OSError, ValueError):  # it may be closed
        print(f"dse: {text}", file=sys.stderr, flush=True)
    raise SystemExit(status)


def again(words: Sequence[str]) -> str:
    """The command line `dse WORDS...`, without passwords."""
    return shlex.join(["dse", *map(hide, words)])


def _told(text: str, words: Sequence[str]) -> str:
    """Hide the passwords in a text, also those that `words` have."""
    for secret in secrets_in(words):
        text = text.replace(secret, "***")
    return without_passwords(text)


def _names(error: OSError) -> str:
    files = [error.filename, error.filename2]
    return " -> ".join(
        os.fsdecode(x) if isinstance(x, bytes) else str(x)
        for x in files
        if x is not None
    )


def _show(error: Exception, words: Sequence[str]) -> bool:
    """Print the traceback if DSE_DEBUG asks for it; return True if it does."""
    asked = os.environ.get("DSE_DEBUG", "") not in ("", "0")
    if asked:
        print(_traceback(error, words), file=sys.stderr)
    return asked


def _kept(error: Exception, words: Sequence[str]) -> str:
    """Write the traceback to a file, or print it; return where it is, in words."""
    now = datetime.datetime.now()
    text = f"{now.isoformat(' ', 'seconds')} {again(words)}\n{_traceback(error, words)}"
    file = cache_folder("errors") / f"{now:%Y%m%d-%H%M%S-%f}-{os.getpid()}.log"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(text, encoding="utf-8", errors="backslashreplace")
        ours = file.parent.glob("????????-??????-??????-*.log")
        for old in sorted(ours)[:-KEPT_LOGS]:
            old.unlink(missing_ok=True)
    except OSError as refusal:
        print(text, file=sys.stderr)
        why = f"{file} cannot be written, {refusal.strerror}"
        return f"the traceback is above, since {why}"
    return f"the traceback is in {file} (DSE_DEBUG=1 shows it)"


def _traceback(error: Exception, words: Sequence[str]) -> str:
    return _told("".join(traceback.format_exception(error)), words)
