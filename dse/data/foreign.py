"""Conversion of a library's errors about a file into `DseError`."""

from collections.abc import Iterator
from contextlib import contextmanager

from dse.errors import DseError, first_line


@contextmanager
def refused(what: str, then: str) -> Iterator[None]:
    """Convert any exception of a library into a `DseError`.

    Decoders do not document all that they raise. Use it only around lines that hand
    a file's content to a library.

    Args:
        what: the failure, as `x.png cannot be decoded`.
        then: what to do next.

    Raises:
        DseError: the library raised an exception; its message is included.
    """
    try:
        yield
    except DseError:
        raise
    except Exception as error:  # named in the message, and its cause
        kind, said = type(error).__name__, first_line(error)[:100]
        reason = kind if said == kind else f"{kind}: {said}"
        raise DseError(f"{what} ({reason}); {then}") from error
