"""The error that is meant for users, and text that is safe on a terminal."""

import re
import unicodedata

from dse.passwords import without_passwords

_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
_JOINERS = "\u200c\u200d"
"""Characters that join letters in some scripts; they are invisible and harmless."""


class DseError(Exception):
    """Input or surroundings that `dse` cannot work with.

    The message is one line: it names the value, what was expected and what to do
    next, and shows no password of a URL. The command line prints it and exits with
    status 1.
    """

    def __init__(self, message: str) -> None:
        super().__init__(without_passwords(message))


def first_line(error: BaseException) -> str:
    """First line of an error's text, or its class if it has none.

    Passwords and memory addresses are removed.
    """
    said = (str(error).splitlines() or [type(error).__name__])[0]
    said = _ADDRESS.sub("", said)
    return without_passwords(said)[:200]  # cut last: a cut password is not recognised


def printable(text: str) -> str:
    r"""`text` with all characters that could control a terminal escaped, as \x1b.

    These are control characters, line breaks, changes of the writing direction,
    invisible characters, and bytes that are not text.
    """
    if text.isprintable():
        return text
    return "".join(map(_spelt, text))


def _spelt(letter: str) -> str:
    kind, number = unicodedata.category(letter), ord(letter)
    if kind in ("Cc", "Cf", "Cs", "Zl", "Zp") and letter not in _JOINERS:
        if 0xDC80 <= number <= 0xDCFF:  # a byte of a name that is not UTF-8
            number -= 0xDC00
        if number < 0x100:
            return f"\\x{number:02x}"
        return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
    return letter
