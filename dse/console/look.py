"""Read the state of studies: the database, and whether a sweep holds it."""

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
    """Findings of earlier readings.

    Attributes:
        changed: time of the reading that last found a change.
        workers: most workers that recently trained at once.
    """

    changed: pd.Timestamp | None = None
    workers: int = 0


def look(
    store: Store, study: str | None = None, seen: Seen | None = None
) -> tuple[Standing, Outlook]:
    """Read the state of a study, or of all.

    Raises:
        DseError: there is no such study, or none at all.
    """
    seen = seen or Seen()
    # First the lock: a sweep that ends between the two reads must not look dead.
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
    """True if a sweep holds the SQLite file; None where that is unknown.

    The lock is taken in shared mode and released at once.
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
    """Open a SQLite database so that it cannot write and waits a second at most."""
    file = store.engine.url.database
    if not store.is_sqlite or file is None:
        return store
    address = f"{Path(file).resolve().as_uri()}?mode=ro"

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(address, uri=True, timeout=1)

    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)
    return replace(store, engine=engine)
