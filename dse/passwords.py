"""Find and hide the passwords of databases in text."""

import re
from collections.abc import Sequence
from urllib.parse import unquote

_IN_URL = re.compile(r"([^\s/:'\"]*):(?!//)\S*@")
NAMES = ("password", "passwd", "passphrase", "secret", "pass", "pwd")
"""Endings of parameter names whose values are hidden; short ones are whole names."""
_NAMED_SO = "|".join(
    "(?<![a-z])" * (len(name) < 5)
    + "".join(f"(?:{x}|%{ord(x):02x}|%{ord(x.upper()):02x})" for x in name)
    for name in NAMES
)
"""Pattern for `NAMES`, in which any letter may be percent-encoded as in URLs."""
_AS_PARAMETER = re.compile(
    rf"((?:{_NAMED_SO})\s*=\s*)"
    r"(?:'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"|[^&\s'\"]+)",
    re.IGNORECASE,
)
_CREDENTIALS = re.compile(r"^([\w+]*:?/{0,2}[^/:]*):(?!//).*@", re.DOTALL)
_NO_PORT = re.compile(r"^([\w+]+://[^/:@]*):(?!\d*(?:[/?]|$))[^/?]*", re.DOTALL)
"""Pattern for a URL without @host, whose password is in the place of the port."""

LEAST_SECRET = 4
"""Fewest letters of a password that is hidden everywhere; shorter ones are words."""


def without_passwords(text: str) -> str:
    """`text` with all passwords in URLs and parameters hidden."""
    return _AS_PARAMETER.sub(r"\1***", _IN_URL.sub(r"\1:***@", text))


def shown(url: str) -> str:
    """`url` without its password, for printing, also if it is malformed."""
    if url.startswith("sqlite:///"):
        return url
    plain = url.replace("+psycopg:", ":", 1)
    pattern, left = (
        (_CREDENTIALS, r"\1:***@") if "@" in plain else (_NO_PORT, r"\1:***")
    )
    return without_passwords(pattern.sub(left, plain))


def hide(word: str) -> str:
    """A word of a command without its password: a URL, or an option with one."""
    option, equals, value = word.partition("=")
    is_option = word.startswith("--") and equals
    return f"{option}={shown(value)}" if is_option else shown(word)


def secrets_in(words: Sequence[str]) -> list[str]:
    """Passwords that `hide` hides in `words`, in each form that a text may quote.

    A library may quote them decoded, without the URL, or as Python writes them. The
    longest come first.
    """
    found = set[str]()
    for word in words:
        found |= _hidden(word, hide(word))
    forms = {
        form
        for secret in found
        for text in (secret, unquote(secret))
        for form in (text, text.strip("'\""), repr(text)[1:-1], *text.splitlines())
    }
    return sorted((x for x in forms if len(x) >= LEAST_SECRET), key=len, reverse=True)


def _hidden(word: str, shown_as: str) -> set[str]:
    """Parts of `word` that are asterisks in its shown form."""
    parts = [re.escape(part) for part in shown_as.split("***")]
    plain = word.replace("+psycopg:", ":", 1)
    match = re.fullmatch("(.*)".join(parts), plain, re.DOTALL)
    return set(match.groups()) if match else set()
