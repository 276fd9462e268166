"""What is read to say how studies stand: the database, and whether a sweep holds it."""

import fcntl
import sqlite3
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
from sqlalchemy import NullPool, create_engine

from dse.console.state import Outlook, outlook
from dse.store.database import Store
from dse.store.lock import SWEEP_LOCK
from dse.store.status import Standing, read_standing


@dataclass(frozen=True)
class Seen:
    """What earlier readings told.

    Attributes:
        changed: when something was last seen to have been written.
        workers: that were seen to train at once, lately.
    """

    changed: pd.Timestamp | None = None
    workers: int = 0


def look(
    store: Store, study: str | None = None, seen: Seen | None = None
) -> tuple[Standing, Outlook]:
    """Read how a study stands, or all.

    Raises:
        DseError: there is no such study, or none at all.
    """
    seen = seen or Seen()
    # First the lock: a sweep that ends after this has marked its runs as ended.
    driven = sweep_holds(store)
    read = read_standing(store, study)
    times = [*read.open_runs["created_at"]]
    times += [] if seen.changed is None else [seen.changed]
    idle = (pd.Timestamp.now("UTC") - max(times)).total_seconds() if times else 0.0
    state = outlook(
        read.cells,
        read.open_runs,
        read.fields,
        driven=driven,
        idle_seconds=idle,
        workers=seen.workers,
    )
    return read, state


def sweep_holds(store: Store) -> bool | None:
    """Whether a sweep holds a SQLite file; None where that cannot be told.

    The lock is tried as readers share it, and given back at once.
    """
    if not store.is_sqlite:
        return None
    try:
        with (store.place.own / SWEEP_LOCK).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    except OSError:
        return None
    return False


def reading_store(store: Store) -> Store:
    """The same database by connections that cannot write, nor wait for long."""
    file = store.engine.url.database
    if not store.is_sqlite or file is None:
        return store
    address = f"{Path(file).resolve().as_uri()}?mode=ro"

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(address, uri=True, timeout=1)

    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)
    return replace(store, engine=engine)
