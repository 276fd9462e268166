"""Results as functions: read, forgotten, exported and imported."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from dse.errors import DseError
from dse.store import DEFAULT_STORAGE, transfer
from dse.store import query as reading
from dse.store.database import open_store
from dse.store.forget import Forgotten
from dse.store.forget import forget as forget_runs
from dse.study.optuna_study import forget_study
from dse.study.search import is_search


def load_runs(study: str | None = None, storage: str = DEFAULT_STORAGE) -> pd.DataFrame:
    """The view `runs`, with true dtypes.

    Args:
        study: a study's name; None for all.
        storage: database URL.
    """
    return reading.view(open_store(storage, create=False), "runs", study)


def query(sql: str, storage: str = DEFAULT_STORAGE) -> pd.DataFrame:
    """The rows that a SELECT on the views runs, cells and epochs asks for.

    Raises:
        DseError: it writes, or is no SQL that the database understands.
    """
    return reading.sql(open_store(storage, create=False), sql)


def forget(
    study: str,
    cells: Sequence[str] = (),
    replicates: Sequence[int] = (),
    storage: str = DEFAULT_STORAGE,
    *,
    failed_only: bool = False,
) -> Forgotten:
    """Take runs of a plan out of the database, so that a sweep trains them anew.

    Args:
        study: its name.
        cells: which of its cells: by id or how it begins, or by metaparameters as
            sr=0.5; all when empty.
        replicates: which of their replicates; all when empty.
        storage: database URL.
        failed_only: whether to leave the completed ones, as `dse retry` does.

    Raises:
        DseError: no such study or cell, the study is a search's, or a sweep is on.
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
    """Write studies with their runs and weights to one file; how many runs it has.

    Args:
        file: the zip file to write.
        study: a study's name; None for all.
        storage: database URL.
    """
    return transfer.export_studies(open_store(storage, create=False), file, study)


def import_studies(file: Path, storage: str = DEFAULT_STORAGE) -> int:
    """Merge an exported file into the database; how many runs were new."""
    if not file.exists():  # before a database is made for it
        raise DseError(f"there is no file {file}; expected a dse export")
    return transfer.import_file(open_store(storage), file)
