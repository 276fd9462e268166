"""Experiments with everything that it takes to run them, trained as one sweep."""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, fields, replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from dse.arch.cost import cost
from dse.errors import DseError
from dse.store import DEFAULT_STORAGE
from dse.study.outcome import SweepOutcome

if TYPE_CHECKING:
    from dse.console.progress import SweepProgress
    from dse.data.dataset import ImageData
    from dse.execute.execution import Execution
    from dse.store.database import Store
    from dse.study.experiment import Experiment, Preset
    from dse.study.plan import Plan
    from dse.study.tries import Tries


@dataclass(frozen=True)
class Options:
    """How to run a sweep; what is None is chosen.

    Attributes:
        dataset: the embedded set, a folder, or a hub id; by default the preset's.
        image_column: of Parquet files with several columns of images.
        label_column: of Parquet files with several columns of labels.
        train_folder: folder within the dataset's that is trained on, where its name
            does not say so.
        test_folder: the same of the test images.
        preset: by default the experiment's first: quick (minutes on two cores), narrow
            (hours), full (the paper's width, for a GPU) or imagenet.
        seeds: replicates of each cell; by default the preset's.
        workers: jobs at a time; by default one a core, or one a GPU.
        executor: serial, process or ray; by default process.
        gpus: GPUs to use, 0 for none; by default all. More workers share them.
        address: of a Ray cluster; by default one is begun on this machine.
        storage: database URL.
        weights: whether to keep the weights of completed runs.
        tries: starts of a run whose worker is lost, hangs, raises or lacks memory.
        retry: which failures are tried again; by default all but diverged, untrained.
        time_limit: minutes without a word of a run (compiling, an epoch or a
            checkpoint) after which it counts as hung; not with serial.
        memory_limit: GiB that a worker process may hold; by default all that is free.
        deterministic: whether a GPU must give the same bits each time, at some cost.
        shard: I/N for the I-th of N parts of what there is to train, each with a
            database of its own, which dse import brings together.
    """

    dataset: str | None = None
    preset: str | None = None
    seeds: int | None = None
    workers: int | None = None
    executor: str | None = None
    gpus: int | None = None
    address: str | None = None
    storage: str = field(default=DEFAULT_STORAGE, repr=False)
    weights: bool = True
    tries: int = 3
    retry: tuple[str, ...] | None = None
    time_limit: float = 360.0
    memory_limit: float | None = None
    deterministic: bool = False
    shard: str | None = None
    image_column: str | None = None
    label_column: str | None = None
    train_folder: str | None = None
    test_folder: str | None = None


class Sweep:
    """Experiments on one dataset under one recipe; a cell that they share trains once.

    Attributes:
        experiments: the experiments by name.
        plans: what each wants trained, a study or one for each of its arms.
        dataset: what they train on.
        store: where the results go.
    """

    def __init__(self, names: Sequence[str], options: Options) -> None:
        from dse.console.dataset import introduce
        from dse.study.experiment import check_runs, load_together
        from dse.study.plan import cells_of_shard, check_shard

        self._options = options
        self._execution, self._tries = execution_of(options), tries_of(options)
        self.experiments, preset_name, preset = load_together(names, options.preset)
        check_runs(self.experiments.values(), preset, options.seeds)
        check_shard(options.shard)
        self._preset_name = preset_name
        dataset = load_dataset(options, preset)
        introduce(dataset)
        self.plans = self._plans_on(dataset)
        self.store = open_storage(options.storage)
        studies = [plan.study.name for plan in self._all_plans]
        self.dataset = known_as(dataset, studies, self.store)
        if self.dataset is not dataset:
            self.plans = self._plans_on(self.dataset)
        self._mine = cells_of_shard(self._all_plans, options.shard)

    def _plans_on(self, dataset: "ImageData") -> "dict[str, list[Plan]]":
        from dse.study.plan import make_plans

        seeds, preset = self._options.seeds, self._preset_name
        return {
            name: make_plans(name, experiment, preset, dataset, seeds)
            for name, experiment in self.experiments.items()
        }

    @property
    def _all_plans(self) -> "list[Plan]":
        return [plan for plans in self.plans.values() for plan in plans]

    def run(self) -> dict[str, list[SweepOutcome]]:
        """Train what is missing; what became of each experiment's studies."""
        from dse.study.driver import register

        studies = [plan.study for plan in self._all_plans]
        with self.store.sweeping([study.trains for study in studies]) as store:
            missing = register(store, self._all_plans, self._tries)
            mine = {c: r for c, r in missing.items() if c in self._mine}
            self._train(store, mine)
        return {
            name: [self._outcome(self.experiments[name], plan, mine) for plan in plans]
            for name, plans in self.plans.items()
        }

    def _train(self, store: "Store", missing: Mapping[str, tuple[int, ...]]) -> None:
        from dse.execute.executors import make_executor
        from dse.study.driver import complete, project

        if not missing:
            project(self._all_plans, store, self._tries)
            return
        folder = store.place.own.resolve()
        progress = self._progress(missing)
        with closing(make_executor(self._execution, self.dataset, folder)) as executor:
            executor.start(sum(map(len, missing.values())))
            planned = {plan.study.name: plan.runs for plan in self._all_plans}
            progress.introduce(planned, executor.workers)
            for line in self._widths():
                progress.say(line)
            with progress:
                complete(
                    self._all_plans,
                    missing,
                    store,
                    executor,
                    progress,
                    self._tries,
                    keep_weights=self._options.weights,
                )
                progress.conclude(executor.workers, executor.peak_bytes)

    def _widths(self) -> tuple[str, ...]:
        from dse.study.widths import widths_lines

        return widths_lines(self.experiments, self._all_plans[0].study.preset)

    def _progress(self, missing: Mapping[str, tuple[int, ...]]) -> "SweepProgress":
        from dse.analysis.figures import point_label
        from dse.console.progress import SweepProgress

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
        self,
        experiment: "Experiment",
        plan: "Plan",
        missing: Mapping[str, tuple[int, ...]],
    ) -> SweepOutcome:
        from dse.store.run_states import run_states
        from dse.study.tries import holes
        from dse.study.widths import widths_line

        read = partial(run_states, self.store, plan.cells)
        states = self.store.patiently(read)
        failed = [x.reason or "" for x in states.values() if x.status == "failed"]
        lacking = plan.missing(states, self._tries)
        return SweepOutcome(
            study=plan.study.name,
            planned=plan.runs,
            trained=sum(len(missing.get(cell_id, ())) for cell_id in plan.cells),
            failed=dict(Counter(failed)),
            holes=holes(states.values()),
            widths=widths_line(experiment, plan.study.preset),
            elsewhere=sum(map(len, lacking.values())),
        )


def dataset_name(options: Options, preset: "Preset") -> str:
    """What is trained on: what is asked for, else the preset's."""
    return preset.dataset if options.dataset is None else options.dataset


def load_dataset(options: Options, preset: "Preset") -> "ImageData":
    """The dataset that is asked for, or the preset's; what of it the preset trains on.

    Raises:
        DseError: it cannot be read, or not in one way.
    """
    from dse.console.dataset import watching
    from dse.data.layout import Named

    recipe, source = preset.recipe, dataset_name(options, preset)
    named = Named(**{f.name: getattr(options, f.name) for f in fields(Named)})
    with watching(source) as watch:
        if recipe.resize is not None and recipe.crop is not None:
            from dse.data.dataset import check_parts
            from dse.data.stream import stream

            streamed = stream(source, recipe.resize, recipe.crop, named, watch)
            check_parts(streamed)
            return streamed
        from dse.data.load import load

        return preset.part_of(load(source, named, watch))


def known_as(
    dataset: "ImageData", study_names: Sequence[str], store: "Store"
) -> "ImageData":
    """`dataset` under the identity by which studies know the very same images.

    Earlier versions counted every file in a set's folder. Where none of the studies is
    there yet, any other of the database decides, so that cells are shared.

    Raises:
        DseError: the studies know them by different ones, or one was begun by an
            earlier version that read the set otherwise.
    """
    from dse.store.query import fingerprints

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


def open_storage(url: str, *, create: bool = True) -> "Store":
    """The database at `url`."""
    from dse.store.database import open_store

    return open_store(url, create=create)


def execution_of(options: Options) -> "Execution":
    """How and where `options` have runs executed."""
    from dse.execute.execution import Execution

    return Execution(
        kind=options.executor,
        workers=options.workers,
        gpus=options.gpus,
        address=options.address,
        time_limit=options.time_limit,
        memory_limit=options.memory_limit,
        deterministic=options.deterministic,
    )


def tries_of(options: Options) -> "Tries":
    """Which failures `options` have tried again."""
    from dse.study.tries import Tries

    if options.retry is None:
        return Tries(options.tries)
    if not options.retry:
        raise DseError(
            "--retry names no failure; leave it out, or --tries 1 tries none again"
        )
    return Tries(options.tries, options.retry)
