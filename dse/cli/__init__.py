"""The command line `dse VERB ...`: parse, call the verbs of `dse`, print."""

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Sequence
from typing import NoReturn

from dse.cli.ending import again, end, line_of
from dse.cli.interrupt import Arrived, interruptible
from dse.cli.parsing import parse
from dse.cli.streams import BROKEN_PIPE, abandon, is_written, prepare_streams
from dse.cli.studies import Plan, Reproduce, Search, Sweep
from dse.errors import DseError
from dse.execute.environment import leave_out_ignored, say_what_is_ignored

__all__ = ["command", "main"]


def command(arguments: Sequence[str] | None = None) -> None:
    """Run the script `dse`: `main`, without waiting for threads of libraries.

    A checkpoint that is being written at Ctrl-C leaves threads that wait for minutes;
    all that has to be closed is closed by then.
    """
    try:
        main(arguments)
    except SystemExit as end:
        left = set(threading.enumerate()) - {threading.main_thread()}
        if isinstance(end.code, int) and any(not thread.daemon for thread in left):
            with contextlib.suppress(OSError, ValueError):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(end.code)
        raise


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; exit with 1 (failed), 2 (usage), 130 (Ctrl-C), 141 (no reader)."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    prepare_streams()
    arrived = Arrived()
    try:
        with interruptible(arrived):
            command = parse(words)
            _settle(command)
            command()
            sys.stdout.flush()
    except BrokenPipeError:
        _leave_pipe()
    except SystemExit as ended:
        if isinstance(ended.__context__, BrokenPipeError) or not is_written():
            _leave_pipe()  # rich turned it into an exit, or nobody reads tyro's help
        raise
    except KeyboardInterrupt:
        _interrupted(words)
    except Exception as error:  # noqa: BLE001 - any error becomes a line
        if arrived and not isinstance(error, DseError | OSError):
            _interrupted(words)  # a library turned the interruption into its own error
        end(line_of(error, words), 1, words)


def _interrupted(words: Sequence[str]) -> NoReturn:
    end(
        f"interrupted; what is finished is kept, go on with: {again(words)}", 130, words
    )


def _leave_pipe() -> NoReturn:
    """Exit silently, as other programs do when nobody reads their output."""
    abandon()
    raise SystemExit(BROKEN_PIPE)


def _settle(command: Callable[[], None]) -> None:
    """Remove the variables that training ignores; verbs that train print them first.

    It is done this early because modules that are imported later may read them.
    """
    if isinstance(command, Plan | Sweep | Reproduce | Search):
        say_what_is_ignored(os.environ, threads=False)
    leave_out_ignored()
