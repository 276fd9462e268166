"""The one error a user is meant to read, and what it must never tell."""

import re

_IN_URL = re.compile(r"([^\s/:'\"]*):(?!//)\S*@")
_AS_PARAMETER = re.compile(r"(password=)[^&\s]*", re.IGNORECASE)


class DseError(Exception):
    """Input or surroundings that `dse` cannot work with.

    The message is one line: it names the value, what was expected and what to do
    next. The command line prints it and exits with status 1.
    """


def first_line(error: Exception) -> str:
    """What an error says first, or its kind where it says nothing; no passwords."""
    said = (str(error).splitlines() or [type(error).__name__])[0]
    return without_passwords(said)[:200]  # a cut one would not be known as such


def harmless(text: str) -> str:
    """`text` with what would steer a terminal spelt out, as Python does."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode() for c in text
    )


def without_passwords(text: str) -> str:
    """`text` with the passwords of the URLs in it hidden."""
    return _AS_PARAMETER.sub(r"\1***", _IN_URL.sub(r"\1:***@", text))
