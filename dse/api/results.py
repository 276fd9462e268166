"""Functions on results: read, forget, export and import them."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from dse.errors import DseError
from dse.store import DEFAULT_STORAGE, statement, transfer
from dse.store import query as reading
from dse.store.database import open_store
from dse.store.forget import Forgotten
from dse.store.forget import forget as forget_runs
from dse.study.optuna_study import forget_study
from dse.study.search import is_search


def load_runs(study: str | None = None, storage: str = DEFAULT_STORAGE) -> pd.DataFrame:
    """Read the view `runs`, each column with its own dtype.

    Args:
        study: a study's name; None for all.
        storage: database URL.
    """
    return reading.view(open_store(storage, create=False), "runs", study)


def query(sql: str, storage: str = DEFAULT_STORAGE) -> pd.DataFrame:
    """Read the rows that a SELECT on the views runs, cells and epochs returns.

    Raises:
        DseError: it writes, or the database does not understand it.
    """
    return statement.sql(open_store(storage, create=False), sql)


def forget(
    study: str,
    cells: Sequence[str] = (),
    replicates: Sequence[int] = (),
    storage: str = DEFAULT_STORAGE,
    *,
    failed_only: bool = False,
) -> Forgotten:
    """Delete runs of a study from the database, so that a sweep trains them anew.

    Args:
        study: its name.
        cells: cells by id or its beginning, or by metaparameters as sr=0.5; all when
            empty.
        replicates: replicates of these cells; all when empty.
        storage: database URL.
        failed_only: True to keep the completed runs, as `dse retry` does.

    Raises:
        DseError: no such study or cell, the study is a search's, or a sweep runs.
    """
    store = open_store(storage, create=False)
    record = reading.study_called(store, study)
    if is_search(record):
        raise DseError(
            f"study {study} is a search, whose sampler has learnt from every run; "
            "begin another in another --storage"
        )
    with store.sweeping([record.trains]) as held:
        gone = forget_runs(held, study, cells, replicates, failed_only=failed_only)
        for name in gone.studies:
            if not is_search(reading.study_called(held, name)):
                forget_study(held, name)
    return gone


def export_studies(
    file: Path, study: str | None = None, storage: str = DEFAULT_STORAGE
) -> int:
    """Write studies with runs and weights to a file; return its number of runs.

    Args:
        file: the zip file to write.
        study: a study's name; None for all.
        storage: database URL.
    """
    return transfer.export_studies(open_store(storage, create=False), file, study)


def import_studies(file: Path, storage: str = DEFAULT_STORAGE) -> int:
    """Merge an exported file into the database; return the number of new runs."""
    if not file.exists():  # checked before a database is created
        raise DseError(f"there is no file {file}; expected a dse export")
    return transfer.import_file(open_store(storage), file)
