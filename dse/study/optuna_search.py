"""The cells of a search as Optuna trials, proposed batch by batch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FrozenTrial, TrialState

from dse.errors import DseError
from dse.fields import Grid
from dse.spaces.space import Space
from dse.store.database import Store
from dse.study.optuna_study import (
    CELL_ID,
    DIRECTIONS,
    UNFINISHED,
    cells_of,
    open_study,
)
from dse.study.staged_space import StagedSpace

SamplerName = Literal["tpe", "nsga2", "random"]
PLACE = "batch_and_following"
ELAPSED = "elapsed_seconds"
EXHAUSTED = "exhausted"
MEASURED = "compressed_bytes"
"""Name of the constraint on the bytes of a file."""


class SearchProjection:
    """The cells of a search as trials that a sampler proposed in batches."""

    def __init__(self, store: Store, study: str) -> None:
        self._study = open_study(store, study)

    @property
    def elapsed(self) -> float:
        """Seconds that the search has taken so far, over all its sessions."""
        return float(self._study.user_attrs.get(ELAPSED, 0.0))

    def set_elapsed(self, seconds: float) -> None:
        """Store the time taken so far."""
        self._study.set_user_attr(ELAPSED, seconds)

    @property
    def exhausted(self) -> bool:
        """True if no new point was left within the budget."""
        return bool(self._study.user_attrs.get(EXHAUSTED, False))

    def set_exhausted(self) -> None:
        """Store that no new point is left within the budget."""
        self._study.set_user_attr(EXHAUSTED, True)

    def unfinished(self) -> dict[int, Mapping[str, Any]]:
        """The values of accepted trials without a result, by trial number."""
        return {
            trial.number: trial.params
            for trial in self._all()
            if trial.state in UNFINISHED and CELL_ID in trial.user_attrs
        }

    @property
    def is_cut_off(self) -> bool:
        """True if only a part of the last batch is in the database."""
        trials = self._all()
        return bool(trials) and _Place.of(trials[-1]).follows > 0

    def propose(self, sampler: SamplerName, seed: int) -> "Proposals":
        """Begin the next batch, or begin again one that was cut off."""
        trials = self._all()
        last = _Place.of(trials[-1]).batch if trials else 0
        number = last if self.is_cut_off else last + 1
        history = [trial for trial in trials if _Place.of(trial).batch < number]
        return Proposals(history, number, make_sampler(sampler, (seed, number)))

    def add(self, proposals: "Proposals") -> None:
        """Store a batch, or its trials that are not in the database yet."""
        known = sum(_Place.of(t).batch == proposals.number for t in self._all())
        for trial in proposals.trials[known:]:
            self._study.add_trial(trial)

    def tell(
        self, number: int, val_accuracy: float | None, size: float, over: float = 0.0
    ) -> None:
        """Store a trial's result.

        Args:
            number: the trial's.
            val_accuracy: None if its run failed.
            size: bytes.
            over: excess over a limit that is measured; samplers compare trials beyond
                it by their excess alone.
        """
        if val_accuracy is None:
            self._study.tell(number, state=TrialState.FAIL)
            return
        if over > 0:
            [trial] = [trial for trial in self._all() if trial.number == number]
            asked = optuna.Trial(self._study, trial._trial_id)
            asked.set_constraint(MEASURED, over)
        self._study.tell(number, (val_accuracy, size))

    def _all(self) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False)


@dataclass(frozen=True)
class _Place:
    """Place of a trial: its batch, from 1, and the number of trials after it there."""

    batch: int = 0
    follows: int = 0

    @classmethod
    def of(cls, trial: FrozenTrial) -> "_Place":
        return cls(*trial.user_attrs.get(PLACE, ()))


class Proposals:
    """A batch of proposals in memory, which is stored when it is complete.

    A sampler learns from points over budget within a batch. A batch that was cut off is
    proposed again as a whole, so it depends only on the batches before it.

    Args:
        history: the trials of earlier batches.
        number: number of the batch.
        sampler: the sampler, freshly seeded.

    Attributes:
        known_cells: cells of earlier batches.
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
        self.known_cells = cells_of(history)
        self._asked: optuna.Trial | None = None

    def use_random(self, seed: int) -> None:
        """Propose at random from here on."""
        self._study.sampler = make_sampler("random", (seed, self.number))

    def ask(self, space: Space | StagedSpace) -> Mapping[str, Any]:
        """Ask the sampler for the values of a point."""
        self._asked = self._study.ask(distributions(space))
        return self._asked.params

    def reject(self, excess: Mapping[str, float], size: int) -> None:
        """Tell the sampler that the untrained point is over budget, with accuracy 0.

        Samplers compare such points by their excess alone.
        """
        self._study.tell(self._constrain(excess).number, (0.0, size))

    def accept(self, excess: Mapping[str, float], cell_id: str) -> None:
        """Mark the point as within budget, and store the id of its cell."""
        self._constrain(excess).set_user_attr(CELL_ID, cell_id)

    def _constrain(self, excess: Mapping[str, float]) -> optuna.Trial:
        assert self._asked is not None
        for name, value in excess.items():
            self._asked.set_constraint(name, value)
        return self._asked

    @property
    def trials(self) -> list[FrozenTrial]:
        """The proposals so far, as a complete batch."""
        made = self._study.get_trials()[self._before :]
        for place, trial in enumerate(made, start=1):
            trial.set_user_attr(PLACE, (self.number, len(made) - place))
        return made


def distributions(space: Space | StagedSpace) -> dict[str, BaseDistribution]:
    """Optuna's distributions for a space."""
    found: dict[str, BaseDistribution] = {}
    for name, values in space.values.items():
        if not isinstance(values, Grid):
            found[name] = CategoricalDistribution(values)
        elif space.anchor.fields[name].kind == "whole":
            low, high, step = map(int, (values.low, values.high, values.step))
            found[name] = IntDistribution(low, high, step=step)
        else:
            found[name] = FloatDistribution(values.low, values.high, step=values.step)
    return found


def make_sampler(
    name: SamplerName, seed: tuple[int, ...]
) -> optuna.samplers.BaseSampler:
    """Make the sampler `name`.

    Raises:
        DseError: there is no such sampler.
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
