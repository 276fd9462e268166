"""The Optuna study that a study's runs are projected onto; nothing else uses Optuna.

A trial is a cell: enqueued for a fixed plan, asked of a sampler in a search, and told
once. The runs table stays the truth, so a lost projection can be made again.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Literal

import numpy as np
import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.exceptions import StorageInternalError
from optuna.trial import FrozenTrial, TrialState

from dse.arch.space import Space
from dse.arch.squeezenet import POOL_PLACES, Metaparameters
from dse.errors import DseError
from dse.store.append import Point
from dse.store.database import SQLITE_OPTIONS, Store, shown

WIDEST = 2**16
ANY_POINT: dict[str, BaseDistribution] = {
    "base_e": IntDistribution(1, WIDEST),
    "incr_e": IntDistribution(0, WIDEST),
    "freq": IntDistribution(1, WIDEST),
    "sr": FloatDistribution(0, 1),
    "pct_3x3": FloatDistribution(0, 1),
    "bypass": CategoricalDistribution(("none", "simple", "complex")),
    "version": CategoricalDistribution(tuple(POOL_PLACES)),
}
"""What a fixed plan's trials are drawn from, as far as Optuna has to know.

The places of pools are no parameter: as a category they would need all 511 subsets in
every trial's row. They are kept as an attribute.
"""

SamplerName = Literal["tpe", "nsga2", "random"]
UNFINISHED = (TrialState.RUNNING, TrialState.WAITING)
CELL_ID = "cell_id"
ELAPSED = "elapsed_seconds"
EXHAUSTED = "exhausted"


@contextmanager
def storage_faults(store: Store) -> Iterator[None]:
    """Say in a line when the database refuses Optuna.

    Raises:
        DseError: in place of Optuna's own error.
    """
    try:
        yield
    except StorageInternalError as error:
        reason = str(error.__cause__ or error).splitlines()[0]
        raise DseError(
            f"database {shown(store.url)}: {reason}; what is in is kept, repeat the "
            "command when that is mended"
        ) from error


def open_study(store: Store, name: str) -> optuna.Study:
    """The study in Optuna's tables: maximise validation accuracy, minimise bytes."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    options = SQLITE_OPTIONS if store.is_sqlite else {}
    return optuna.create_study(
        study_name=name,
        storage=optuna.storages.RDBStorage(store.url, engine_kwargs=dict(options)),
        directions=["maximize", "minimize"],
        load_if_exists=True,
    )


class PlanProjection:
    """A fixed plan's cells as enqueued trials."""

    def __init__(self, store: Store, study: str) -> None:
        self._study = open_study(store, study)
        self._trials: dict[str, FrozenTrial] = {}
        for trial in self._study.get_trials(deepcopy=False):
            if CELL_ID in trial.user_attrs:
                self._trials[trial.user_attrs[CELL_ID]] = trial

    def enqueue(self, points: Mapping[str, Point]) -> None:
        """Make a waiting trial of every cell that has none."""
        for cell_id, point in points.items():
            if cell_id not in self._trials:
                values = asdict(point.metaparameters)
                self._study.enqueue_trial(
                    {name: values.pop(name) for name in ANY_POINT},
                    user_attrs={CELL_ID: cell_id, **values},
                )
                self._trials[cell_id] = self._study.get_trials(deepcopy=False)[-1]

    def claim(self, cell_id: str) -> None:
        """Mark the cell's trial as running, and those enqueued before it."""
        while self._trials[cell_id].state == TrialState.WAITING:
            claimed = self._study.ask(ANY_POINT)
            self._renew(claimed.user_attrs[CELL_ID], claimed.number)

    def is_told(self, cell_id: str) -> bool:
        """Whether the cell's trial has its values."""
        return cell_id in self._trials and self._trials[cell_id].state not in UNFINISHED

    def tell(self, cell_id: str, val_accuracy: float | None, size: int) -> None:
        """Give the cell's trial its values; None where no run of it completed."""
        self.claim(cell_id)
        number = self._trials[cell_id].number
        _tell(self._study, number, val_accuracy, size)
        self._renew(cell_id, number)

    def _renew(self, cell_id: str, number: int) -> None:
        self._trials[cell_id] = self._study.get_trials(deepcopy=False)[number]


class SearchProjection:
    """A search's cells as trials that a sampler proposed."""

    def __init__(self, store: Store, study: str) -> None:
        self._study = open_study(store, study)
        self._asked: dict[int, optuna.Trial] = {}

    @property
    def told(self) -> int:
        """Trials that need nothing more, those over budget among them."""
        return sum(trial.state not in UNFINISHED for trial in self._all())

    @property
    def cells(self) -> set[str]:
        """Cells that trials stand for."""
        return {
            trial.user_attrs[CELL_ID]
            for trial in self._all()
            if CELL_ID in trial.user_attrs
        }

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
        """Accepted trials that were not told when the search was cut off, by number."""
        return {
            trial.number: Metaparameters.from_mapping(trial.params)
            for trial in self._all()
            if trial.state in UNFINISHED and CELL_ID in trial.user_attrs
        }

    def use_sampler(self, name: SamplerName, seed: int) -> None:
        """Take a fresh sampler, seeded by the sweep seed and the trials told."""
        self._study.sampler = make_sampler(name, (seed, self.told))

    def ask(self, space: Space) -> tuple[int, Metaparameters]:
        """A trial's number and the point that the sampler proposes for it."""
        trial = self._study.ask(distributions(space))
        self._asked[trial.number] = trial
        return trial.number, Metaparameters.from_mapping(trial.params)

    def reject(self, number: int, excess: Mapping[str, float], size: int) -> None:
        """Tell a point over budget, untrained: accuracy 0, and by how much it is over.

        Samplers compare such a point by its excess alone.
        """
        self._constrain(number, excess)
        _tell(self._study, number, 0.0, size)

    def accept(self, number: int, excess: Mapping[str, float], cell_id: str) -> None:
        """Note that a point is within budget, and the cell that it stands for."""
        self._constrain(number, excess)
        self._asked[number].set_user_attr(CELL_ID, cell_id)

    def tell(self, number: int, val_accuracy: float | None, size: int) -> None:
        """Give a trial its values; None where its run failed."""
        _tell(self._study, number, val_accuracy, size)

    def _all(self) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False)

    def _constrain(self, number: int, excess: Mapping[str, float]) -> None:
        for name, value in excess.items():
            self._asked[number].set_constraint(name, value)


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
