"""Sweeps and searches with the dataset, database and executor that they need."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import replace
from functools import partial
from typing import Any, cast

from dse.arch.cost import cost
from dse.console.dataset import introduce, watching
from dse.console.progress import SweepProgress
from dse.data.dataset import ImageData, check_parts
from dse.data.layout import Named
from dse.data.load import load
from dse.data.stream import stream
from dse.errors import DseError
from dse.execute.executors import Executor, make_executor
from dse.options import Options
from dse.runs.labels import named_labels
from dse.runs.records import Point, StudyRecord
from dse.store.database import Store, open_store
from dse.store.query import fingerprints
from dse.store.run_states import run_states
from dse.study.aliases import aliases_line
from dse.study.driver import complete, project, register
from dse.study.experiment import Experiment
from dse.study.loading import Wanted, check_runs, load_together
from dse.study.outcome import SweepOutcome
from dse.study.plan import Plan, cells_of_shard, check_shard, make_plans, study_record
from dse.study.preset import Preset
from dse.study.search import Search, run_search
from dse.study.tries import holes
from dse.study.widths import widths_line, widths_lines


class Sweep:
    """Experiments on one dataset under one preset; a cell that they share trains once.

    Attributes:
        experiments: the experiments by name.
        plans: plans by experiment: one, or one for each of its arms.
        dataset: the dataset that they train on.
        store: the database for the results.
    """

    def __init__(self, wanted: Wanted | Sequence[Wanted], options: Options) -> None:
        self._options = options
        self.experiments, name, preset = load_together(wanted, options.preset)
        self._preset_name = name
        check_runs(self.experiments.values(), preset, options.seeds)
        check_shard(options.shard)
        dataset = load_dataset(options, preset)
        introduce(dataset)
        self.plans = self._plans_on(dataset)
        self.store = open_store(options.storage)
        studies = [plan.study.name for plan in self._all_plans]
        self.dataset = known_as(dataset, studies, self.store)
        if self.dataset is not dataset:
            self.plans = self._plans_on(self.dataset)
        self._mine = cells_of_shard(self._all_plans, options.shard)
        if not options.weights and any(plan.has_stages for plan in self._all_plans):
            raise DseError(
                "stages begin from weights that were kept, and --no-weights keeps "
                "none; leave it out"
            )

    def _plans_on(self, dataset: ImageData) -> dict[str, list[Plan]]:
        seeds, preset = self._options.seeds, self._preset_name
        return {
            name: make_plans(name, experiment, preset, dataset, seeds)
            for name, experiment in self.experiments.items()
        }

    @property
    def _all_plans(self) -> list[Plan]:
        return [plan for plans in self.plans.values() for plan in plans]

    def run(self, only: Collection[int] | None = None) -> dict[str, list[SweepOutcome]]:
        """Train the missing runs; return the outcomes of the studies by experiment.

        Args:
            only: the replicates to train; None for all.
        """
        studies = [plan.study for plan in self._all_plans]
        with self.store.sweeping([study.trains for study in studies]) as store:
            missing = register(store, self._all_plans, self._options)
            mine = {
                cell_id: wanted
                for cell_id, replicates in missing.items()
                if cell_id in self._mine and (wanted := _within(replicates, only))
            }
            self._train(store, mine)
        return {
            name: [self._outcome(self.experiments[name], plan, mine) for plan in plans]
            for name, plans in self.plans.items()
        }

    def _train(self, store: Store, missing: Mapping[str, tuple[int, ...]]) -> None:
        if not missing:
            project(self._all_plans, store, self._options)
            return
        progress = self._progress(missing)
        with executing(self._options, self.dataset, store) as executor:
            executor.start(sum(map(len, missing.values())))
            planned = {plan.study.name: plan.runs for plan in self._all_plans}
            progress.introduce(planned, executor.workers)
            for line in widths_lines(self.experiments, self._preset_name):
                progress.say(line)
            for plan, *_ in self.plans.values():  # arms have the same points
                called = [(point.cell.id, label) for point, label in _labelled(plan)]
                if line := aliases_line(called):
                    progress.say(f"{plan.study.name}: {line}")
            with progress:
                complete(
                    self._all_plans,
                    missing,
                    store,
                    executor,
                    progress,
                    self._options,
                )
                progress.conclude(executor.workers, executor.peak_bytes)

    def _progress(self, missing: Mapping[str, tuple[int, ...]]) -> SweepProgress:
        called, work, epochs = {}, {}, {}
        for name, experiment in self.experiments.items():
            arms = experiment.recipes_changed
            # In reverse: of aliases the first one's label is kept.
            for plan, arm in zip(self.plans[name], arms, strict=True):
                for point, label in reversed(_labelled(plan)):
                    called[point.cell.id] = " ".join(filter(None, [arm, label]))
                    epochs[point.cell.id] = point.cell.epochs
                    passes = float(max(1, point.cell.epochs))
                    macs = cost(point.cell.architecture).macs
                    work[point.cell.id] = macs * passes
        runs = {cell_id: len(replicates) for cell_id, replicates in missing.items()}
        return SweepProgress(epochs, called, work, runs)

    def _outcome(
        self,
        experiment: Experiment,
        plan: Plan,
        missing: Mapping[str, tuple[int, ...]],
    ) -> SweepOutcome:
        read = partial(run_states, self.store, plan.cells)
        found = self.store.patiently(read)
        # An earlier plan may have had more replicates.
        states = {k: x for k, x in found.items() if k[1] < plan.study.replicates}
        failed = [x.reason or "" for x in states.values() if x.status == "failed"]
        lacking = plan.missing(states, self._options)
        return SweepOutcome(
            study=plan.study.name,
            planned=plan.runs,
            trained=sum(len(missing.get(cell_id, ())) for cell_id in plan.cells),
            failed=dict(Counter(failed)),
            holes=holes(states.values()),
            widths=widths_line(experiment, plan.study.preset),
            elsewhere=sum(map(len, lacking.values())),
        )


def _within(
    replicates: tuple[int, ...], only: Collection[int] | None
) -> tuple[int, ...]:
    return tuple(x for x in replicates if only is None or x in only)


def _labelled(plan: Plan) -> list[tuple[Point, str]]:
    """Points with the names that the experiment gives, or what tells them apart."""
    points = plan.points
    if (called := plan.called) is not None:
        return [(point, called[point.key]) for point in points]
    lines = named_labels([point.metaparameters for point in points])
    return list(zip(points, lines, strict=True))


def search(
    wanted: Search, preset_name: str, preset: Preset, options: Options
) -> tuple[Store, StudyRecord, ImageData]:
    """Search, going on where an earlier session of the same search ended."""
    dataset = load_dataset(options, preset)
    introduce(dataset)
    store = open_store(options.storage)
    recipe = preset.recipe_for(dataset)
    study = study_record(wanted.name, preset_name, dataset, recipe, 1)
    dataset = known_as(dataset, [study.name], store)
    study = replace(study, dataset_fingerprint=dataset.fingerprint)
    progress = SweepProgress(recipe.epochs)
    with (
        store.sweeping([study.trains]) as held,
        executing(options, dataset, held) as executor,
        progress,
    ):
        executor.start(min(executor.workers, wanted.batch))
        exhausted = run_search(
            wanted,
            study,
            dataset,
            held,
            executor,
            progress,
            options,
            announce=lambda points: progress.labels.update(_sized(points)),
        )
        progress.conclude(executor.workers, executor.peak_bytes)
    if exhausted:
        progress.say("nothing new is left within the budget")
    return store, study, dataset


def _sized(points: Sequence[Point]) -> dict[str, str]:
    """Labels of a search by cell: metaparameters and size."""
    return {
        point.cell.id: f"{point.metaparameters.short()}, "
        f"{cost(point.cell.architecture).bytes_fp32:,} bytes"
        for point in points
    }


def executing(
    options: Options, dataset: ImageData, store: Store
) -> AbstractContextManager[Executor]:
    """Open an executor of runs that keeps its logs in the database's folder."""
    folder = store.place.own.resolve()
    made = make_executor(options, dataset, folder, keeps_weights=options.weights)
    return closing(made)


def dataset_name(options: Options, preset: Preset) -> str:
    """Name of the dataset to train on: that of the options, else the preset's."""
    return preset.dataset if options.dataset is None else options.dataset


def load_dataset(options: Options, preset: Preset) -> ImageData:
    """Load the dataset to train on, reduced to the part that the preset uses.

    Raises:
        DseError: it cannot be read, or can be read in several ways.
    """
    recipe, source = preset.recipe, dataset_name(options, preset)
    named = Named(**{name: getattr(options, name) for name in Named.fields})
    with watching(source) as watch:
        if recipe.resize is not None and recipe.crop is not None:
            streamed = stream(source, recipe.resize, recipe.crop, named, watch)
            check_parts(streamed)
            return streamed
        return preset.part_of(load(source, named, watch))


def known_as(dataset: ImageData, study_names: Sequence[str], store: Store) -> ImageData:
    """Give `dataset` the fingerprint by which the studies know the same images.

    Earlier versions counted every file in a set's folder. If none of the studies exists
    yet, any other in the database decides, so that cells are shared.

    Raises:
        DseError: the studies know the images by different fingerprints, or one was
            begun by an earlier version that read the set in another way.
    """
    names, known = (dataset.fingerprint, *dataset.formerly), fingerprints(store)
    for name in study_names:
        if dataset.misread and known.get(name) == dataset.misread:
            raise DseError(
                f"study {name} was begun by an earlier version, which read "
                f"{dataset.name} otherwise, or may have: other images, parts, labels "
                "or pixels (dse data says what is read now). It counts as another set: "
                "take another --storage, and the study is trained anew"
            )
    theirs = {known[x]: x for x in study_names if known.get(x) in names}
    if len(theirs) > 1:
        raise DseError(
            f"studies {' and '.join(theirs.values())} know the images of "
            f"{dataset.name} by different identities, since earlier versions counted "
            "files beside them; go on with one at a time"
        )
    found = [*theirs, *(x for x in names if x in known.values()), dataset.fingerprint]
    if found[0] == dataset.fingerprint:
        return dataset
    renamed: ImageData = replace(cast(Any, dataset), fingerprint=found[0])
    return renamed
