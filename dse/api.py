"""The verbs as functions: what the command line and `import dse` both call."""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from dse.arch.cost import cost
from dse.arch.describe import as_json
from dse.arch.graph import Shape
from dse.arch.squeezenet import Metaparameters, squeezenet
from dse.errors import DseError
from dse.store import DEFAULT_STORAGE

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from dse.arch.space import Budget
    from dse.data.dataset import Dataset
    from dse.models.trained import TrainedModel
    from dse.report import Report
    from dse.store.append import Point
    from dse.store.database import Store
    from dse.store.query import RunState
    from dse.study.estimate import Estimate
    from dse.study.executors import Executor
    from dse.study.projection import SamplerName


@dataclass(frozen=True)
class Options:
    """How to run a sweep; what is None is chosen.

    Attributes:
        dataset: the embedded set, a folder, or a hub id; by default the preset's.
        preset: quick (two cores, narrow networks) or full (the paper's width).
        seeds: replicates of each cell; by default the preset's.
        workers: worker processes; by default one a core.
        executor: serial or process; by default process on CPUs, serial on a GPU.
        storage: database URL.
        weights: whether to keep the weights of completed runs.
    """

    dataset: str | None = None
    preset: str = "quick"
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


def describe(
    input_shape: Shape = (227, 227, 3), classes: int = 1000, **metaparameters: Any
) -> dict[str, Any]:
    """Identity and exact cost of one point, per layer and whole.

    Args:
        input_shape: height, width, channels of one image.
        classes: class scores.
        metaparameters: any of `dse.arch.squeezenet.Metaparameters`.
    """
    point = Metaparameters.from_mapping(metaparameters)
    architecture = squeezenet(point, input_shape, classes)
    return as_json(architecture, cost(architecture))


def plan(
    experiment: str, options: Options | None = None, *, device: str = "here"
) -> "Estimate":
    """Work and time of an experiment, before anything of it is trained.

    Args:
        experiment: a shipped name, or the path of a file that defines EXPERIMENT.
        options: how. The data set `imagenet` need not be there: it stands for the
            paper's protocol, whatever the preset.
        device: `here` for a calibration of seconds on this machine, or a file that
            experiments/benchmarks/speed.py wrote on another.

    Raises:
        DseError: with one clear line, for whatever cannot be done as asked.
    """
    from pathlib import Path

    from dse.study.estimate import (
        IMAGENET,
        IMAGENET_RECIPE,
        IMAGENET_WIDTH,
        ImageSet,
        calibrate,
        estimate,
        speed_from_benchmark,
    )
    from dse.study.experiment import load_experiment

    chosen = options or Options()
    _, wanted = load_experiment(experiment)
    preset = wanted.preset(chosen.preset)
    if chosen.dataset == IMAGENET.name:
        images, recipe = IMAGENET, IMAGENET_RECIPE
        preset = replace(preset, base_e=IMAGENET_WIDTH, replicates=1)
    else:
        dataset = _load(chosen.dataset or preset.dataset)
        images, recipe = ImageSet.of(dataset), preset.recipe_for(dataset)
    points = wanted.points(preset.base_e)
    replicates = preset.replicates_for(chosen.seeds)
    speed = (
        calibrate(points, recipe, images, chosen.executor, chosen.workers)
        if device == "here"
        else speed_from_benchmark(Path(device))
    )
    return estimate(points, recipe, replicates, images, speed)


def sweep(experiment: str, options: Options | None = None) -> SweepOutcome:
    """Train what is missing of an experiment.

    Args:
        experiment: a shipped name, or the path of a file that defines EXPERIMENT.
        options: how.

    Raises:
        DseError: with one clear line, for whatever cannot be done as asked.
    """
    return _Sweep(experiment, options or Options()).run()


def reproduce(experiment: str, options: Options | None = None) -> "Report":
    """Train what is missing of an experiment, then write its tables and figure.

    Args:
        experiment: a shipped name, or the path of a file that defines EXPERIMENT.
        options: how.

    Raises:
        DseError: with one clear line, for whatever cannot be done as asked.
    """
    from dse.report import report_experiment

    work = _Sweep(experiment, options or Options())
    outcome = work.run()
    report = report_experiment(
        work.store, work.plan.study, work.experiment, work.dataset
    )
    return replace(report, unfinished=outcome.unfinished)


def search(
    options: Options | None = None,
    *,
    space: str | None = None,
    sampler: "SamplerName" = "tpe",
    budget: "Budget | None" = None,
    trials: int | None = None,
    minutes: float | None = None,
) -> "Report":
    """Search the metaparameters for the best networks within a hard budget.

    Args:
        options: how; `seeds` does not apply.
        space: a named space; by default `narrow` for quick, `paper` for full.
        sampler: tpe, nsga2 or random.
        budget: limits that no trained network exceeds.
        trials: networks to train in all; 30 when `minutes` is not given either.
        minutes: time to take in all.

    Raises:
        DseError: with one clear line, for whatever cannot be done as asked.
    """
    from dse.arch.space import Budget
    from dse.progress import SweepProgress
    from dse.report import report_search
    from dse.study.experiment import named_preset
    from dse.study.plan import study_record
    from dse.study.presets import PRESETS
    from dse.study.projection import storage_faults
    from dse.study.search import Search, run_search

    chosen = options or Options()
    if chosen.seeds is not None:
        raise DseError("a search trains each network once; leave --seeds out")
    preset = named_preset(PRESETS, chosen.preset)
    wanted = Search(
        space or ("narrow" if chosen.preset == "quick" else "paper"),
        sampler,
        budget or Budget(),
        30 if trials is None and minutes is None else trials,
        minutes,
    )
    dataset = _load(chosen.dataset or preset.dataset)
    store = _open(chosen.storage)
    recipe = preset.recipe_for(dataset)
    study = study_record(wanted.name, chosen.preset, dataset, recipe, 1)
    progress = SweepProgress(recipe.epochs)
    with (
        storage_faults(store),
        store.sweeping(),
        closing(_executor(chosen, dataset, store)) as executor,
        progress,
    ):
        exhausted = run_search(
            wanted,
            study,
            dataset,
            store,
            executor,
            progress,
            announce=lambda points: progress.labels.update(_labels(points)),
            keep_weights=chosen.weights,
        )
        progress.conclude(executor.workers, executor.peak_bytes)
    if exhausted:
        progress.say("nothing new is left within the budget")
    return report_search(store, study, dataset)


def _labels(points: "Sequence[Point]") -> dict[str, str]:
    """What to call each cell of a search: its metaparameters and size."""
    return {
        point.cell.id: f"{point.metaparameters.short()}, "
        f"{cost(point.cell.architecture).bytes_fp32:,} bytes"
        for point in points
    }


def load_runs(
    study: str | None = None, storage: str = DEFAULT_STORAGE
) -> "pd.DataFrame":
    """The view `runs`, with true dtypes.

    Args:
        study: a study's name; None for all.
        storage: database URL.
    """
    from dse.store.database import open_store
    from dse.store.query import view

    return view(open_store(storage, create=False), "runs", study)


def load_model(run: int, storage: str = DEFAULT_STORAGE) -> "TrainedModel":
    """The trained network of a completed run.

    Args:
        run: its `run_id` in the view `runs`.
        storage: database URL.
    """
    from dse.models.trained import TrainedModel
    from dse.store.database import open_store
    from dse.store.query import load_network

    stored = load_network(open_store(storage, create=False), run)
    return TrainedModel(stored.architecture, stored.class_names, stored.weights)


def predict(
    run: int, files: "Sequence[Path]", storage: str = DEFAULT_STORAGE
) -> "list[tuple[Path, str, float]]":
    """The likeliest class of each image file, with its probability.

    Args:
        run: the `run_id` of a completed run.
        files: images of the size that it was trained on.
        storage: database URL.
    """
    from dse.data.decode import read_image

    model = load_model(run, storage)
    shape = model.network.architecture.input_shape
    answers = []
    for file in files:
        pixels = read_image(file, shape[2])
        [probabilities] = model.probabilities(pixels[None])
        best = int(probabilities.argmax())
        answers.append((file, model.class_names[best], float(probabilities[best])))
    return answers


class _Sweep:
    """An experiment with everything that it takes to run it."""

    def __init__(self, name: str, options: Options) -> None:
        from dse.study.experiment import load_experiment
        from dse.study.plan import make_plan

        self.options = options
        stem, self.experiment = load_experiment(name)
        preset = self.experiment.preset(options.preset)
        self.dataset = _load(options.dataset or preset.dataset)
        self.plan = make_plan(
            stem, self.experiment, options.preset, self.dataset, options.seeds
        )
        self.store = _open(options.storage)

    def run(self) -> SweepOutcome:
        """Train what is missing."""
        from dse.study.driver import register
        from dse.study.projection import storage_faults

        with storage_faults(self.store), self.store.sweeping():
            missing = register(self.store, self.plan)
            count = sum(len(replicates) for replicates in missing.values())
            self._train(missing)
        states = self._states()
        failed = [s.reason or "" for s in states.values() if s.status == "failed"]
        again = self.plan.missing(states).values()
        return SweepOutcome(
            study=self.plan.study.name,
            planned=self.plan.runs,
            trained=count,
            failed=dict(Counter(failed)),
            unfinished=sum(map(len, again)),
        )

    def _train(self, missing: dict[str, tuple[int, ...]]) -> None:
        from dse.analysis.figures import point_label
        from dse.progress import SweepProgress
        from dse.study.driver import complete

        recipe, varied = self.plan.study.recipe, self.experiment.varied
        progress = SweepProgress(
            recipe.epochs,
            labels={
                point.cell.id: f"{varied or 'cell'} "
                + point_label(point.metaparameters, varied).replace("\n", " ")
                for point in reversed(self.plan.points)
            },
            work={
                cell_id: float(cost(cell.architecture).macs)
                for cell_id, cell in self.plan.cells.items()
            },
            runs={cell_id: len(listed) for cell_id, listed in missing.items()},
        )
        with closing(_executor(self.options, self.dataset, self.store)) as executor:
            if missing:
                runs = self.plan.runs
                progress.introduce(self.plan.study.name, runs, executor.workers)
            with progress:
                complete(
                    self.plan,
                    missing,
                    self.store,
                    executor,
                    progress,
                    keep_weights=self.options.weights,
                )
                progress.conclude(executor.workers, executor.peak_bytes)

    def _states(self) -> "dict[tuple[str, int], RunState]":
        from dse.store.query import run_states

        return run_states(self.store, self.plan.cells)


def _load(name: str) -> "Dataset":
    from dse.data.load import load

    return load(name)


def _open(url: str) -> "Store":
    from dse.store.database import open_store

    return open_store(url)


def _executor(options: Options, dataset: "Dataset", store: "Store") -> "Executor":
    from dse.study.executors import make_executor

    log = store.artifacts.parent / "workers.log"
    return make_executor(options.executor, dataset, options.workers, log)
