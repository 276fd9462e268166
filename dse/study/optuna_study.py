"""The Optuna study that mirrors the runs of a study.

A trial is a cell, of a fixed plan or proposed by a sampler, and gets its result once.
The runs table is the source of truth, so a plan's lost study can be made again.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.exceptions import StorageInternalError
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError

from dse.errors import DseError
from dse.fields import Field
from dse.passwords import shown
from dse.runs.records import Point
from dse.store.database import Store
from dse.store.engine import engine_options
from dse.store.messages import clear_faults

UNFINISHED = (TrialState.RUNNING, TrialState.WAITING)
DIRECTIONS = (StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE)
"""Directions of validation accuracy and of bytes."""

CELL_ID = "cell_id"


@contextmanager
def storage_faults(store: Store) -> Iterator[None]:
    """Turn database errors under Optuna into errors of one line.

    Raises:
        Unreachable: in place of a temporary error.
        DseError: in place of any other.
    """
    try:
        with clear_faults(store.url):
            yield
    except StorageInternalError as error:
        cause = error.__cause__
        if isinstance(cause, DBAPIError):
            with clear_faults(store.url):
                raise cause from error
        raise DseError(
            f"database {shown(store.url)}: {str(cause or error).splitlines()[0]}; what "
            "is in is kept, repeat the command when that is mended"
        ) from error


def open_study(store: Store, name: str) -> optuna.Study:
    """Open or create the study in Optuna's tables."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with storage_faults(store), store.alone():
        return optuna.create_study(
            study_name=name,
            storage=_storage(store),
            directions=DIRECTIONS,
            load_if_exists=True,
        )


def forget_study(store: Store, name: str) -> None:
    """Delete the study from Optuna's tables; a sweep makes that of a plan again."""
    with suppress(KeyError), storage_faults(store):
        optuna.delete_study(study_name=name, storage=_storage(store))


def _storage(store: Store) -> optuna.storages.RDBStorage:
    options = engine_options(store.engine.url)
    storage = optuna.storages.RDBStorage(store.url, engine_kwargs=dict(options))
    if store.write_ahead:
        # Trials that are lost in a power failure are made again.
        event.listen(storage.engine, "connect", _do_not_wait_for_the_disk)
    return storage


def _do_not_wait_for_the_disk(connection: Any, _: object) -> None:
    connection.execute("PRAGMA synchronous = NORMAL")


class PlanProjection:
    """The cells of a fixed plan as trials, each made when its values are known.

    Args:
        store: the database.
        study: the study's name.
        several: True for points of several families. Parameter names then begin with
            the family, since parameters of one name must be of one kind.
    """

    def __init__(self, store: Store, study: str, *, several: bool) -> None:
        self._store, self._study = store, open_study(store, study)
        self._several = several
        self._had: dict[str, BaseDistribution] = {}
        with storage_faults(store):
            self._trial_cells = self._cells_told()
        self._in_doubt = False

    def _may_have(self, name: str, distribution: BaseDistribution) -> bool:
        """Check that Optuna accepts the parameter: a choice cannot get new options."""
        before = self._had.get(name, distribution)
        return not isinstance(before, CategoricalDistribution) or before == distribution

    def _cells_told(self) -> set[str]:
        trials = self._study.get_trials(deepcopy=False)
        for trial in trials:
            self._had |= trial.distributions
        return cells_of(t for t in trials if t.state not in UNFINISHED)

    def is_told(self, cell_id: str) -> bool:
        """True if the cell is a finished trial."""
        return cell_id in self._trial_cells

    def tell(
        self, cell_id: str, point: Point, val_accuracy: float | None, size: float
    ) -> None:
        """Make the cell a trial; `val_accuracy` is None if none of its runs completed.

        This is one transaction; enqueue, ask and tell would be a dozen.
        """
        reached = None if val_accuracy is None else (val_accuracy, float(size))
        family, values = point.metaparameters.name, point.metaparameters.values
        prefix = f"{family}." if self._several else ""
        known = {
            prefix + name: distribution
            for name, field in point.metaparameters.fields.items()
            if (distribution := anything(field)) is not None
            and values[name] is not None
            and self._may_have(prefix + name, distribution)
        }
        self._had |= known
        trial = optuna.create_trial(
            state=TrialState.FAIL if reached is None else TrialState.COMPLETE,
            values=reached,
            params={name: values.pop(name.removeprefix(prefix)) for name in known},
            distributions=known,
            user_attrs={CELL_ID: cell_id, "family": family, **values},
        )
        with storage_faults(self._store):
            if self._in_doubt:  # the connection was lost before the answer
                self._trial_cells = self._cells_told()
            if cell_id not in self._trial_cells:
                self._in_doubt = True
                self._study.add_trial(trial)
        self._in_doubt = False
        self._trial_cells.add(cell_id)


def cells_of(trials: Iterable[FrozenTrial]) -> set[str]:
    """Ids of the cells that trials stand for."""
    attributes = [trial.user_attrs for trial in trials]
    return {user_attrs[CELL_ID] for user_attrs in attributes if CELL_ID in user_attrs}


def anything(field: Field) -> BaseDistribution | None:
    """Optuna's distribution of all values of a metaparameter; None for a text.

    A text would be a category, and every trial's row would list all possible texts.
    """
    match field.kind:
        case "whole":
            return IntDistribution(int(field.least or 0), int(field.most or 0))
        case "real":
            return FloatDistribution(field.least or 0.0, field.most or 0.0)
        case "choice":
            return CategoricalDistribution(field.options)
        case "flag":
            return CategoricalDistribution((False, True))
        case "text":
            return None
