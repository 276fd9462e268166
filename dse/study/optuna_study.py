"""The Optuna study that a study's runs are projected onto; nothing else uses Optuna.

A trial is a cell: of a fixed plan, or asked of a sampler in a search; and told once.
The runs table stays the truth, so a lost projection can be made again.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
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
from dse.families.squeezenet import POOL_PLACES, WIDEST, Metaparameters
from dse.passwords import shown
from dse.runs.records import Point
from dse.spaces.space import Space
from dse.store.database import Store, engine_options
from dse.store.messages import clear_faults

ANY_POINT: dict[str, BaseDistribution] = {
    "base_e": IntDistribution(1, WIDEST),
    "incr_e": IntDistribution(0, WIDEST),
    "freq": IntDistribution(1, WIDEST),
    "sr": FloatDistribution(0, 1),
    "pct_3x3": FloatDistribution(0, 1),
    "bypass": CategoricalDistribution(("none", "simple", "complex")),
    "version": CategoricalDistribution(tuple(POOL_PLACES)),
}
"""What a fixed plan's trials are of, as far as Optuna has to know.

The places of pools are no parameter: as a category they would need all 511 subsets in
every trial's row. They are kept as an attribute.
"""

SamplerName = Literal["tpe", "nsga2", "random"]
UNFINISHED = (TrialState.RUNNING, TrialState.WAITING)
DIRECTIONS = (StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE)
"""Validation accuracy, and bytes."""

CELL_ID = "cell_id"
PLACE = "batch_and_following"
ELAPSED = "elapsed_seconds"
EXHAUSTED = "exhausted"


@contextmanager
def storage_faults(store: Store) -> Iterator[None]:
    """Say in a line when the database refuses Optuna.

    Raises:
        Unreachable: in place of an error that may pass.
        DseError: in place of Optuna's own error.
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
    """The study in Optuna's tables: maximise validation accuracy, minimise bytes."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with storage_faults(store), store.alone():
        return optuna.create_study(
            study_name=name,
            storage=_storage(store),
            directions=DIRECTIONS,
            load_if_exists=True,
        )


def forget_study(store: Store, name: str) -> None:
    """Delete the study from Optuna's tables; of a plan it is made again by a sweep."""
    with suppress(KeyError), storage_faults(store):
        optuna.delete_study(study_name=name, storage=_storage(store))


def _storage(store: Store) -> optuna.storages.RDBStorage:
    options = engine_options(store.engine.url)
    storage = optuna.storages.RDBStorage(store.url, engine_kwargs=dict(options))
    if store.write_ahead:
        # A projection that a loss of power takes is made again.
        event.listen(storage.engine, "connect", _do_not_wait_for_the_disk)
    return storage


def _do_not_wait_for_the_disk(connection: Any, _: object) -> None:
    connection.execute("PRAGMA synchronous = NORMAL")


class PlanProjection:
    """A fixed plan's cells as trials, each made when its values are known."""

    def __init__(self, store: Store, study: str) -> None:
        self._store, self._study = store, open_study(store, study)
        with storage_faults(store):
            self._told = self._cells_told()
        self._in_doubt = False

    def _cells_told(self) -> set[str]:
        trials = self._study.get_trials(deepcopy=False)
        return _cells_of(t for t in trials if t.state not in UNFINISHED)

    def is_told(self, cell_id: str) -> bool:
        """Whether the cell is a trial."""
        return cell_id in self._told

    def tell(
        self, cell_id: str, point: Point, val_accuracy: float | None, size: int
    ) -> None:
        """Make the cell a trial with its values; None where no run of it completed.

        One transaction: enqueued, asked for and told it would be a dozen.
        """
        values = asdict(point.metaparameters)
        reached = None if val_accuracy is None else (val_accuracy, float(size))
        trial = optuna.create_trial(
            state=TrialState.FAIL if reached is None else TrialState.COMPLETE,
            values=reached,
            params={name: values.pop(name) for name in ANY_POINT},
            distributions=ANY_POINT,
            user_attrs={CELL_ID: cell_id, **values},
        )
        with storage_faults(self._store):
            if self._in_doubt:  # the server was lost before it answered
                self._told = self._cells_told()
            if cell_id not in self._told:
                self._in_doubt = True
                self._study.add_trial(trial)
        self._in_doubt = False
        self._told.add(cell_id)


def _cells_of(trials: Iterable[FrozenTrial]) -> set[str]:
    """Cells that trials stand for."""
    attributes = [trial.user_attrs for trial in trials]
    return {told[CELL_ID] for told in attributes if CELL_ID in told}


class SearchProjection:
    """A search's cells as trials that a sampler proposed, batch by batch."""

    def __init__(self, store: Store, study: str) -> None:
        self._study = open_study(store, study)

    @property
    def elapsed(self) -> float:
        """Seconds that the search has taken so far, over all its sessions."""
        return float(self._study.user_attrs.get(ELAPSED, 0.0))

    def set_elapsed(self, seconds: float) -> None:
        """Keep the time taken so far."""
        self._study.set_user_attr(ELAPSED, seconds)

    @property
    def exhausted(self) -> bool:
        """Whether nothing new was left within the budget."""
        return bool(self._study.user_attrs.get(EXHAUSTED, False))

    def set_exhausted(self) -> None:
        """Note that nothing new is left within the budget."""
        self._study.set_user_attr(EXHAUSTED, True)

    def unfinished(self) -> dict[int, Metaparameters]:
        """Accepted trials that were not told yet, by number."""
        return {
            trial.number: Metaparameters.from_mapping(trial.params)
            for trial in self._all()
            if trial.state in UNFINISHED and CELL_ID in trial.user_attrs
        }

    @property
    def is_cut_off(self) -> bool:
        """Whether the last batch is in the database in part only."""
        trials = self._all()
        return bool(trials) and _Place.of(trials[-1]).follows > 0

    def propose(self, sampler: SamplerName, seed: int) -> "Proposals":
        """A batch to be filled: the next one, or anew one that was cut off."""
        trials = self._all()
        last = _Place.of(trials[-1]).batch if trials else 0
        number = last if self.is_cut_off else last + 1
        history = [trial for trial in trials if _Place.of(trial).batch < number]
        return Proposals(history, number, make_sampler(sampler, (seed, number)))

    def add(self, proposals: "Proposals") -> None:
        """Put a batch into the database, or what of it is not there."""
        known = sum(_Place.of(t).batch == proposals.number for t in self._all())
        for trial in proposals.trials[known:]:
            self._study.add_trial(trial)

    def tell(self, number: int, val_accuracy: float | None, size: int) -> None:
        """Give a trial its values; None where its run failed."""
        _tell(self._study, number, val_accuracy, size)

    def _all(self) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False)


@dataclass(frozen=True)
class _Place:
    """Where a trial stands: its batch, from 1, and how many of the batch follow."""

    batch: int = 0
    follows: int = 0

    @classmethod
    def of(cls, trial: FrozenTrial) -> "_Place":
        return cls(*trial.user_attrs.get(PLACE, ()))


class Proposals:
    """A batch of proposals in memory; the database gets it when it is whole.

    So it depends on the batches before it alone, and not on who is killed when: a
    sampler learns from points over budget within a batch.

    Args:
        history: the trials of earlier batches.
        number: the batch's.
        sampler: what proposes, freshly seeded.

    Attributes:
        known_cells: those of earlier batches.
    """

    def __init__(
        self,
        history: Sequence[FrozenTrial],
        number: int,
        sampler: optuna.samplers.BaseSampler,
    ) -> None:
        self.number, self._before = number, len(history)
        self._study = optuna.create_study(directions=DIRECTIONS, sampler=sampler)
        self._study.add_trials(history)
        self.known_cells = _cells_of(history)
        self._asked: optuna.Trial | None = None

    def use_random(self, seed: int) -> None:
        """Propose at random from here on."""
        self._study.sampler = make_sampler("random", (seed, self.number))

    def ask(self, space: Space) -> Metaparameters:
        """The point that the sampler proposes."""
        self._asked = self._study.ask(distributions(space))
        return Metaparameters.from_mapping(self._asked.params)

    def reject(self, excess: Mapping[str, float], size: int) -> None:
        """Tell a point over budget, untrained: accuracy 0, and by how much it is over.

        Samplers compare such a point by its excess alone.
        """
        trial = self._constrain(excess)
        _tell(self._study, trial.number, 0.0, size)

    def accept(self, excess: Mapping[str, float], cell_id: str) -> None:
        """Note that the point is within budget, and the cell that it stands for."""
        self._constrain(excess).set_user_attr(CELL_ID, cell_id)

    def _constrain(self, excess: Mapping[str, float]) -> optuna.Trial:
        assert self._asked is not None
        for name, value in excess.items():
            self._asked.set_constraint(name, value)
        return self._asked

    @property
    def trials(self) -> list[FrozenTrial]:
        """The proposals so far, as a whole batch."""
        made = self._study.get_trials()[self._before :]
        for place, trial in enumerate(made, start=1):
            trial.set_user_attr(PLACE, (self.number, len(made) - place))
        return made


def _tell(
    study: optuna.Study, number: int, val_accuracy: float | None, size: int
) -> None:
    if val_accuracy is None:
        study.tell(number, state=TrialState.FAIL)
    else:
        study.tell(number, (val_accuracy, size))


def distributions(space: Space) -> dict[str, BaseDistribution]:
    """A space in Optuna's terms."""
    return {
        name: IntDistribution(int(grid.low), int(grid.high), step=int(grid.step))
        if name in ("base_e", "incr_e", "freq")
        else FloatDistribution(grid.low, grid.high, step=grid.step)
        for name, grid in space.grids.items()
    }


def make_sampler(
    name: SamplerName, seed: tuple[int, ...]
) -> optuna.samplers.BaseSampler:
    """The sampler called `name`.

    Raises:
        DseError: there is none.
    """
    number = int(np.random.SeedSequence(seed).generate_state(1)[0])
    match name:
        case "tpe":
            return optuna.samplers.TPESampler(
                n_startup_trials=10, multivariate=True, seed=number
            )
        case "nsga2":
            return optuna.samplers.NSGAIISampler(population_size=16, seed=number)
        case "random":
            return optuna.samplers.RandomSampler(seed=number)
        case _:
            raise DseError(
                f"no sampler is called {name!r}; expected tpe, nsga2 or random"
            )
