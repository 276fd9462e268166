"""Where a report lies: beside its database, and no other report in the same place."""

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

from sqlalchemy import URL, make_url

from dse.store import DEFAULT_STORAGE
from dse.store.append import StudyRecord
from dse.store.database import Store

FRONT = "front"
"""The folder of fronts; an experiment may not be called so."""
MOST_BYTES = 100
"""Of a folder's name, which must leave room for what a file system adds."""


def reports_of(store: Store) -> Path:
    """The folder of all reports on a database.

    That of the database's file; where it is not called `dse.db`, a folder beside it, so
    that two databases in one folder keep apart. Of a server's, one within `results`.
    """
    url, default = store.engine.url, Path(make_url(DEFAULT_STORAGE).database or "")
    if not store.is_sqlite:
        return default.parent / _of_server(url)
    if url.database in (None, "", ":memory:"):
        return default.parent
    file = Path(url.database or "")
    if file.name == default.name:
        return file.parent
    return file.parent / bounded(f"{file.name}-reports")


def _of_server(url: URL) -> str:
    """The name of a server's database and of the server, without the password."""
    port = f"-{url.port}" if url.port else ""
    told = f"{url.database or ''}@{url.host or 'local'}{port}"
    plain = re.sub(r"[^\w.@-]", "_", told)
    return bounded(plain if plain == told else f"{plain}-{_digest(told)}")


def folder_of(reports: Path, experiment: str, study: StudyRecord) -> Path:
    """Where the report on an experiment lies, or on a search."""
    return reports / experiment / f"{study.dataset}-{study.preset}"


def front_of(reports: Path, experiments: Iterable[str], study: StudyRecord) -> Path:
    """Where the front of these experiments' cells lies, in whatever order they came."""
    together = bounded("+".join(sorted(set(experiments))))
    return folder_of(reports / FRONT, together, study)


def bounded(name: str) -> str:
    """A name of 100 bytes at most: a longer one ends in what tells it from others."""
    if len(name.encode()) <= MOST_BYTES:
        return name
    digest = _digest(name)
    start = name.encode()[: MOST_BYTES - len(digest) - 1]
    return f"{start.decode(errors='ignore')}-{digest}"


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:8]
