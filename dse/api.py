"""The verbs as functions: what the command line and `import dse` both call."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from dse.arch.cost import cost
from dse.arch.graph import Shape
from dse.errors import DseError
from dse.families.describe import as_json
from dse.families.squeezenet import Metaparameters, squeezenet
from dse.session import (
    Options,
    Sweep,
    dataset_name,
    execution_of,
    known_as,
    load_dataset,
    open_storage,
    tries_of,
)
from dse.store import DEFAULT_STORAGE
from dse.study.outcome import SweepOutcome, sum_of_holes

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from dse.data.dataset import ImageData
    from dse.models.trained import TrainedModel
    from dse.report import Claims, Report
    from dse.runs.records import Point
    from dse.spaces.space import Budget
    from dse.store.forget import Forgotten
    from dse.study.estimate import Estimate
    from dse.study.optuna_study import SamplerName


def describe(
    input_shape: Shape = (227, 227, 3), classes: int = 1000, **metaparameters: Any
) -> dict[str, Any]:
    """Identity and exact cost of one point, per layer and whole.

    Args:
        input_shape: height, width, channels of one image.
        classes: class scores.
        metaparameters: any of `dse.families.squeezenet.Metaparameters`.
    """
    point = Metaparameters.from_mapping(metaparameters)
    architecture = squeezenet(point, input_shape, classes)
    return as_json(architecture, cost(architecture))


def plan(
    experiments: str | Sequence[str],
    options: Options | None = None,
    *,
    device: str = "here",
) -> "Estimate":
    """Work and time of an experiment, before anything of it is trained.

    Args:
        experiments: a shipped name, or the path of a file that defines EXPERIMENT; or
            several, which train a cell that they share once.
        options: how. The data set `imagenet`, which the preset of that name has, need
            not be there.
        device: `here` for a calibration of seconds on this machine, or a file that
            experiments/benchmarks/speed.py wrote on another.

    Raises:
        DseError: with one clear line, for whatever cannot be done as asked.
    """
    from pathlib import Path

    from dse.console.dataset import introduce
    from dse.study.estimate import (
        IMAGENET,
        ImageSet,
        calibrate,
        estimate,
        speed_from_benchmark,
    )
    from dse.study.experiment import check_runs, load_together
    from dse.study.widths import widths_lines

    chosen = options or Options()
    execution = execution_of(chosen)
    loaded, preset_name, preset = load_together(experiments, chosen.preset)
    check_runs(loaded.values(), preset, chosen.seeds)
    told = None if device == "here" else speed_from_benchmark(Path(device))
    if dataset_name(chosen, preset) == IMAGENET.name:
        images, recipe = IMAGENET, preset.recipe
    else:
        dataset = load_dataset(chosen, preset)
        introduce(dataset)
        images, recipe = ImageSet.of(dataset), preset.recipe_for(dataset)
    points = [
        (f"{name}, {arm}" if arm else "", point)
        for name, experiment in loaded.items()
        for arm in experiment.arms or [""]
        for point in experiment.points(preset.base_e)
    ]
    replicates = preset.replicates_for(chosen.seeds)
    networks = [point for _, point in points]
    speed = told or calibrate(networks, recipe, images, execution)
    estimated = estimate(points, recipe, replicates, images, speed)
    return replace(estimated, widths=widths_lines(loaded, preset_name))


def open_dataset(name: str, options: Options | None = None) -> "ImageData":
    """The image set called `name`, as a sweep under these options would train on it.

    `contents` of it says what was read.

    Args:
        name: the embedded set, a folder, or a hub id.
        options: the preset that it is for, and what is named of it.

    Raises:
        DseError: it cannot be read, or not in one way.
    """
    from dse.study.experiment import named_preset
    from dse.study.presets import PRESETS

    chosen = replace(options or Options(), dataset=name)
    return load_dataset(chosen, named_preset(PRESETS, chosen.preset)[1])


def sweep(experiment: str, options: Options | None = None) -> list[SweepOutcome]:
    """Train what is missing of an experiment.

    Args:
        experiment: a shipped name, or the path of a file that defines EXPERIMENT.
        options: how.

    Returns:
        What became of its study, or of each arm's.

    Raises:
        DseError: with one clear line, for whatever cannot be done as asked.
    """
    [outcomes] = sweep_all([experiment], options).values()
    return outcomes


def sweep_all(
    experiments: Sequence[str], options: Options | None = None
) -> dict[str, list[SweepOutcome]]:
    """Train what is missing of several experiments, as `sweep`, in one go.

    What two of them share is trained once.
    """
    return Sweep(experiments, options or Options()).run()


def reproduce(experiment: str, options: Options | None = None) -> "Report":
    """Train what is missing of an experiment, then write its tables and figure.

    Args:
        experiment: a shipped name, or the path of a file that defines EXPERIMENT.
        options: how.

    Raises:
        DseError: with one clear line, for whatever cannot be done as asked.
    """
    return reproduce_all([experiment], options)[0]


def reproduce_all(
    experiments: Sequence[str], options: Options | None = None
) -> "list[Report]":
    """Train what is missing of several experiments in one go, then report on each.

    Of several under one recipe the front of all their cells is reported besides.
    """
    from dse.report import front_of, report_experiment, report_front

    chosen = options or Options()
    if chosen.shard is not None:
        raise DseError(
            f"shard {chosen.shard} is a part, and a report is of the whole: dse sweep "
            "trains it; reproduce once dse import has brought all parts together"
        )
    work = Sweep(experiments, chosen)
    reports, together = [], []
    for name, outcomes in work.run().items():
        studies = [plan.study for plan in work.plans[name]]
        experiment = work.experiments[name]
        write = partial(report_experiment, work.store, name, experiment, studies)
        report = work.store.patiently(partial(write, work.dataset))
        reports.append(replace(report, holes=sum_of_holes(x.holes for x in outcomes)))
        together += [] if experiment.arms else studies
    if len(together) > 1:
        names = [study.experiment for study in together]
        folder = front_of(work.store.place.own, names, together[0])
        write_front = partial(report_front, work.store, together, work.dataset, folder)
        reports.append(work.store.patiently(write_front))
    return reports


def check(experiments: Sequence[str], options: Options | None = None) -> "list[Claims]":
    """Judge the paper's claims by the runs that are there; nothing is trained.

    Args:
        experiments: shipped names, or paths of files that define EXPERIMENT.
        options: which dataset, preset and storage.

    Raises:
        DseError: with one clear line, for whatever cannot be judged.
    """
    from dse.report import check_claims
    from dse.store.append import refuse_other_study
    from dse.store.query import view
    from dse.store.run_states import points_of
    from dse.study.experiment import load_together
    from dse.study.plan import make_plans, refuse_other_experiment

    chosen = options or Options()
    loaded, preset_name, preset = load_together(experiments, chosen.preset)
    dataset = load_dataset(chosen, preset)
    store = open_storage(chosen.storage, create=False)
    judged = []
    for name, experiment in loaded.items():
        if not experiment.claims:
            raise DseError(f"{name} makes no claims")
        [plan] = make_plans(name, experiment, preset_name, dataset)
        known = known_as(dataset, [plan.study.name], store)
        if known is not dataset:
            [plan] = make_plans(name, experiment, preset_name, known)
        study = plan.study
        refuse_other_study(store, study)
        refuse_other_experiment(plan, points_of(store, study.name))
        claims = check_claims(study, experiment, view(store, "runs", study.name))
        if claims.table is None:
            raise DseError(f"{study.name}: {claims.refusal}")
        judged.append(claims)
    return judged


def search(
    options: Options | None = None,
    *,
    space: str | None = None,
    sampler: "SamplerName" = "tpe",
    budget: "Budget | None" = None,
    trials: int | None = None,
    minutes: float | None = None,
    batch: int | None = None,
) -> "Report":
    """Search the metaparameters for the best networks within a hard budget.

    Args:
        options: how; `seeds` does not apply.
        space: a named space; by default `narrow` for quick, `paper` for full.
        sampler: tpe, nsga2 or random.
        budget: limits that no trained network exceeds.
        trials: networks to train in all; 30 when `minutes` is not given either.
        minutes: time to take in all.
        batch: points that the sampler proposes at a time, 4 by default; more workers
            than that have nothing to do. It decides the points, workers do not.

    Raises:
        DseError: with one clear line, for whatever cannot be done as asked.
    """
    from dse.console.dataset import introduce
    from dse.console.progress import SweepProgress
    from dse.execute.executors import make_executor
    from dse.report import folder_of, report_search
    from dse.spaces.space import Budget
    from dse.store.query import view
    from dse.store.run_states import run_states
    from dse.study.experiment import named_preset
    from dse.study.plan import study_record
    from dse.study.presets import PRESETS
    from dse.study.search import BATCH, Search, run_search
    from dse.study.tries import holes

    chosen = options or Options()
    for name in ("seeds", "shard"):
        if getattr(chosen, name) is not None:
            raise DseError(
                f"--{name} has no meaning in a search, which trains each network once, "
                "as its sampler proposes them; leave it out"
            )
    preset_name, preset = named_preset(PRESETS, chosen.preset)
    wanted = Search(
        space or ("narrow" if preset.base_e < 128 else "paper"),
        sampler,
        budget or Budget(),
        30 if trials is None and minutes is None else trials,
        minutes,
        BATCH if batch is None else batch,
    )
    execution, tries = execution_of(chosen), tries_of(chosen)
    dataset = load_dataset(chosen, preset)
    introduce(dataset)
    store = open_storage(chosen.storage)
    recipe = preset.recipe_for(dataset)
    study = study_record(wanted.name, preset_name, dataset, recipe, 1)
    dataset = known_as(dataset, [study.name], store)
    study = replace(study, dataset_fingerprint=dataset.fingerprint)
    progress = SweepProgress(recipe.epochs)
    with (
        store.sweeping([study.trains]) as held,
        closing(
            make_executor(execution, dataset, store.place.own.resolve())
        ) as executor,
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
            tries,
            announce=lambda points: progress.labels.update(_labels(points)),
            keep_weights=chosen.weights,
        )
        progress.conclude(executor.workers, executor.peak_bytes)
    if exhausted:
        progress.say("nothing new is left within the budget")
    folder = folder_of(store.place.own, wanted.name, study)
    write = partial(report_search, store, study, dataset, folder)
    cells = set(view(store, "cells", study.name)["cell_id"])
    return replace(
        store.patiently(write), holes=holes(run_states(store, cells).values())
    )


def _labels(points: "Sequence[Point]") -> dict[str, str]:
    """What to call each cell of a search: its metaparameters and size."""
    return {
        point.cell.id: f"{point.metaparameters.short()}, "
        f"{cost(point.cell.architecture).bytes_fp32:,} bytes"
        for point in points
    }


def forget(
    study: str,
    cells: Sequence[str] = (),
    replicates: Sequence[int] = (),
    storage: str = DEFAULT_STORAGE,
    *,
    failed_only: bool = False,
) -> "Forgotten":
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
    from dse.store.forget import forget
    from dse.store.query import study_called
    from dse.study.optuna_study import forget_study
    from dse.study.search import is_search

    store = open_storage(storage, create=False)
    record = study_called(store, study)
    if is_search(record):
        raise DseError(
            f"study {study} is a search, whose sampler has learnt from every run; "
            "begin another in another --storage"
        )
    with store.sweeping([record.trains]) as held:
        gone = forget(held, study, cells, replicates, failed_only=failed_only)
        for name in gone.studies:
            if not is_search(study_called(held, name)):
                forget_study(held, name)
    return gone


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
    from dse.machine import check_platforms
    from dse.models.trained import TrainedModel
    from dse.store.database import open_store
    from dse.store.query import load_network

    check_platforms()
    stored = load_network(open_store(storage, create=False), run)
    return TrainedModel(
        stored.architecture, stored.class_names, stored.weights, stored.recipe.resize
    )


@dataclass(frozen=True)
class Answer:
    """What a network says of an image file.

    Attributes:
        file: the image.
        name: the likeliest class; empty where there is no answer.
        probability: of it.
        refusal: why there is none.
    """

    file: "Path"
    name: str = ""
    probability: float = 0.0
    refusal: str = ""


def predict(
    run: int, files: "Sequence[Path]", storage: str = DEFAULT_STORAGE
) -> "Iterator[Answer]":
    """The likeliest class of each image file, with its probability, one by one.

    Args:
        run: the `run_id` of a completed run.
        files: images of the size that it was trained on; of any size where it was
            trained on crops.
        storage: database URL.

    Raises:
        DseError: there is no such network. A file that cannot be classified is an
            answer with a refusal.
    """
    from dse.data.names import as_text
    from dse.data.pixels import pixels_of, read_image, square

    model = load_model(run, storage)
    side, _, channels = model.takes
    cropped = model.takes != model.network.architecture.input_shape
    for file in files:
        try:
            image, _ = read_image(file, side if cropped else None)
            if cropped:
                pixels = square(image, side)
            else:
                pixels = pixels_of(image.convert("L" if channels == 1 else "RGB"))
            shape = *pixels.shape[:2], channels
            [probabilities] = model.probabilities(pixels.reshape(1, *shape))
        except DseError as error:
            told, called = str(error), as_text(file)
            refusal = told if called in told else f"image {called}: {told}"
            yield Answer(file, refusal=refusal)
            continue
        best = int(probabilities.argmax())
        yield Answer(file, model.class_names[best], float(probabilities[best]))
