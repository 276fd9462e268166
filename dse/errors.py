"""The one error a user is meant to read."""


class DseError(Exception):
    """Input or surroundings that `dse` cannot work with.

    The message is one line: it names the value, what was expected and what to do
    next. The command line prints it and exits with status 1.
    """
