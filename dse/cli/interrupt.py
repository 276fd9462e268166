"""Turn Ctrl-C and SIGTERM into one exception that is not lost."""

import contextlib
import signal
import sys
from collections.abc import Iterator, Sequence
from typing import NoReturn

AGAIN_SECONDS = 0.5


class Arrived:
    """Whether a signal has arrived, whatever became of its exception."""

    def __init__(self) -> None:
        self._yes = False

    def note(self) -> None:
        self._yes = True

    def __bool__(self) -> bool:
        return self._yes


@contextlib.contextmanager
def interruptible(arrived: Arrived) -> Iterator[None]:
    """Make Ctrl-C and SIGTERM raise a KeyboardInterrupt that is not lost.

    Python prints and ignores one that is raised inside a callback of the garbage
    collector or of a weak reference. So it is not printed there, and it is raised again
    every AGAIN_SECONDS until the command has ended.

    Args:
        arrived: is true from the first signal on. A compiled module that is imported
            at that moment turns the exception into an ImportError of its own.
    """
    previous_hook = sys.unraisablehook

    def lost(what: "sys.UnraisableHookArgs") -> None:
        if not issubclass(what.exc_type, KeyboardInterrupt):
            previous_hook(what)

    def interrupt(*_: object) -> NoReturn:
        arrived.note()
        signal.setitimer(signal.ITIMER_REAL, AGAIN_SECONDS)
        raise KeyboardInterrupt

    listened = [
        number
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)
        if signal.getsignal(number) is not signal.SIG_IGN
    ]
    before = {number: signal.signal(number, interrupt) for number in listened}
    sys.unraisablehook = lost
    try:
        yield
    finally:
        while not _ignored(listened):
            pass
        sys.unraisablehook = previous_hook
        for number, handler in before.items():
            signal.signal(number, handler)


def _ignored(numbers: Sequence[signal.Signals]) -> bool:
    """Ignore signals and stop the alarm; return True if none arrived meanwhile."""
    try:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        signal.setitimer(signal.ITIMER_REAL, 0)
    except KeyboardInterrupt:
        return False
    return True
