"""Passwords of databases: how they are found in text, and hidden."""

import re
from collections.abc import Sequence
from urllib.parse import unquote

_IN_URL = re.compile(r"([^\s/:'\"]*):(?!//)\S*@")
NAMES = ("password", "passwd", "passphrase", "secret", "pass", "pwd")
"""How names of parameters end whose value is hidden; the short ones are whole names."""
_NAMED_SO = "|".join(
    "(?<![a-z])" * (len(name) < 5)
    + "".join(f"(?:{x}|%{ord(x):02x}|%{ord(x.upper()):02x})" for x in name)
    for name in NAMES
)
"""In any letters, or as URLs may spell them."""
_AS_PARAMETER = re.compile(
    rf"((?:{_NAMED_SO})\s*=\s*)"
    r"(?:'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"|[^&\s'\"]+)",
    re.IGNORECASE,
)
_CREDENTIALS = re.compile(r"^([\w+]*:?/{0,2}[^/:]*):(?!//).*@", re.DOTALL)
_NO_PORT = re.compile(r"^([\w+]+://[^/:@]*):(?!\d*(?:[/?]|$))[^/?]*", re.DOTALL)
"""What stands for a port and is none: a password whose @host was left out."""

LEAST_SECRET = 4
"""Letters of a password that is hidden wherever it stands; a shorter one is a word."""


def without_passwords(text: str) -> str:
    """`text` with the passwords of the URLs in it hidden."""
    return _AS_PARAMETER.sub(r"\1***", _IN_URL.sub(r"\1:***@", text))


def shown(url: str) -> str:
    """`url` as it may be printed, without its password, also where it is malformed."""
    if url.startswith("sqlite:///"):
        return url
    plain = url.replace("+psycopg:", ":", 1)
    pattern, left = (
        (_CREDENTIALS, r"\1:***@") if "@" in plain else (_NO_PORT, r"\1:***")
    )
    return without_passwords(pattern.sub(left, plain))


def hide(word: str) -> str:
    """A word of a command as it may be printed: a URL, or an option with one."""
    option, equals, value = word.partition("=")
    is_option = word.startswith("--") and equals
    return f"{option}={shown(value)}" if is_option else shown(word)


def secrets_in(words: Sequence[str]) -> list[str]:
    """What `hide` hides in words, in each form in which it may come back.

    A library quotes it decoded, cut out of its URL, or as Python writes it. The longest
    come first.
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
    """What stands in `word` where its shown form has asterisks."""
    parts = [re.escape(part) for part in shown_as.split("***")]
    plain = word.replace("+psycopg:", ":", 1)
    told = re.fullmatch("(.*)".join(parts), plain, re.DOTALL)
    return set(told.groups()) if told else set()
