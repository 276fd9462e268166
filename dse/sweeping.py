"""Experiments with everything that it takes to run them, trained as one sweep."""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dse.arch.cost import cost
from dse.store import DEFAULT_STORAGE

if TYPE_CHECKING:
    from dse.data.dataset import ImageData
    from dse.progress import SweepProgress
    from dse.store.database import Store
    from dse.study.executors import Executor
    from dse.study.experiment import Preset
    from dse.study.plan import Plan


@dataclass(frozen=True)
class Options:
    """How to run a sweep; what is None is chosen.

    Attributes:
        dataset: the embedded set, a folder, or a hub id; by default the preset's.
        preset: by default the experiment's first: quick (minutes on two cores), narrow
            (hours), full (the paper's width, for a GPU) or imagenet.
        seeds: replicates of each cell; by default the preset's.
        workers: worker processes; by default one a core.
        executor: serial or process; by default process on CPUs, serial on a GPU.
        storage: database URL.
        weights: whether to keep the weights of completed runs.
    """

    dataset: str | None = None
    preset: str | None = None
    seeds: int | None = None
    workers: int | None = None
    executor: str | None = None
    storage: str = DEFAULT_STORAGE
    weights: bool = True


@dataclass(frozen=True)
class SweepOutcome:
    """What a sweep came to.

    Attributes:
        study: its name in the database.
        planned: runs that the plan wants.
        trained: runs that this call trained.
        failed: runs that failed, by reason, over all sessions.
        unfinished: runs that the same command would try again.
    """

    study: str
    planned: int
    trained: int
    failed: Mapping[str, int]
    unfinished: int


class Sweep:
    """Experiments on one dataset under one recipe; a cell that they share trains once.

    Attributes:
        experiments: the experiments by name.
        plans: what each wants trained, a study or one for each of its arms.
        dataset: what they train on.
        store: where the results go.
    """

    def __init__(self, names: Sequence[str], options: Options) -> None:
        from dse.study.experiment import load_together
        from dse.study.plan import make_plans

        self._options = options
        self.experiments, preset_name, preset = load_together(names, options.preset)
        self.dataset = load_dataset(options.dataset, preset)
        self.plans = {
            name: make_plans(name, experiment, preset_name, self.dataset, options.seeds)
            for name, experiment in self.experiments.items()
        }
        self.store = open_storage(options.storage)

    @property
    def _all_plans(self) -> "list[Plan]":
        return [plan for plans in self.plans.values() for plan in plans]

    def run(self) -> dict[str, list[SweepOutcome]]:
        """Train what is missing; what became of each experiment's studies."""
        from dse.study.driver import register
        from dse.study.projection import storage_faults

        with storage_faults(self.store), self.store.sweeping():
            missing = register(self.store, self._all_plans)
            with closing(
                executor_for(self._options, self.dataset, self.store)
            ) as executor:
                executor.start(sum(map(len, missing.values())))
                self._train(missing, executor)
        return {
            name: [self._outcome(plan, missing) for plan in plans]
            for name, plans in self.plans.items()
        }

    def _train(
        self, missing: Mapping[str, tuple[int, ...]], executor: "Executor"
    ) -> None:
        from dse.study.driver import complete

        progress = self._progress(missing)
        if missing:
            planned = {plan.study.name: plan.runs for plan in self._all_plans}
            progress.introduce(planned, executor.workers)
        with progress:
            complete(
                self._all_plans,
                missing,
                self.store,
                executor,
                progress,
                keep_weights=self._options.weights,
            )
            progress.conclude(executor.workers, executor.peak_bytes)

    def _progress(self, missing: Mapping[str, tuple[int, ...]]) -> "SweepProgress":
        from dse.analysis.figures import point_label
        from dse.progress import SweepProgress

        labels, work = {}, {}
        for name, experiment in self.experiments.items():
            # The label of a squeeze ratio names it already.
            varied = "" if experiment.varied == "sr" else experiment.varied or "cell"
            for plan, arm in zip(
                self.plans[name], experiment.arms or [""], strict=True
            ):
                for point in reversed(plan.points):
                    value = point_label(point.metaparameters, experiment.varied)
                    words = [arm, varied, *value.split()]
                    labels[point.cell.id] = " ".join(filter(None, words))
                    work[point.cell.id] = float(cost(point.cell.architecture).macs)
        runs = {cell_id: len(replicates) for cell_id, replicates in missing.items()}
        epochs = self._all_plans[0].study.recipe.epochs
        return SweepProgress(epochs, labels, work, runs)

    def _outcome(
        self, plan: "Plan", missing: Mapping[str, tuple[int, ...]]
    ) -> SweepOutcome:
        from dse.store.query import run_states

        states = run_states(self.store, plan.cells)
        failed = [s.reason or "" for s in states.values() if s.status == "failed"]
        return SweepOutcome(
            study=plan.study.name,
            planned=plan.runs,
            trained=sum(len(missing.get(cell_id, ())) for cell_id in plan.cells),
            failed=dict(Counter(failed)),
            unfinished=sum(map(len, plan.missing(states).values())),
        )


def load_dataset(name: str | None, preset: "Preset") -> "ImageData":
    """The dataset called `name`, or the preset's; what of it the preset trains on."""
    recipe, source = preset.recipe, name or preset.dataset
    if recipe.resize is not None and recipe.crop is not None:
        from dse.data.dataset import check_validation
        from dse.data.stream import stream

        dataset = stream(source, recipe.resize, recipe.crop)
        check_validation(dataset.train.labels, dataset.name)
        return dataset
    from dse.data.load import load

    return preset.part_of(load(source))


def open_storage(url: str, *, create: bool = True) -> "Store":
    """The database at `url`."""
    from dse.store.database import open_store

    return open_store(url, create=create)


def executor_for(options: Options, dataset: "ImageData", store: "Store") -> "Executor":
    """The executor that `options` ask for, its files beside the database."""
    from dse.study.executors import make_executor

    folder = store.artifacts.parent
    return make_executor(options.executor, dataset, options.workers, folder)
