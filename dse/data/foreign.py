"""Files of strangers: whatever a library raises of their content is one refusal."""

from collections.abc import Iterator
from contextlib import contextmanager

from dse.errors import DseError, first_line


@contextmanager
def refused(what: str, then: str) -> Iterator[None]:
    """Turn what a decoder raises into a refusal; no decoder lists what it may raise.

    Only for lines that hand a file's content to a library.

    Args:
        what: cannot be done, as `x.png cannot be decoded`.
        then: what to do next.

    Raises:
        DseError: in place of it, with what the library said.
    """
    try:
        yield
    except DseError:
        raise
    except Exception as error:  # named in the line, and its cause
        kind, said = type(error).__name__, first_line(error)[:100]
        told = kind if said == kind else f"{kind}: {said}"
        raise DseError(f"{what} ({told}); {then}") from error
