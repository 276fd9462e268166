"""Functions on studies: plan, sweep, reproduce, check and search."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from dse import session
from dse.console.dataset import introduce
from dse.data.dataset import ImageData
from dse.errors import DseError
from dse.options import Options
from dse.report import (
    Claims,
    Report,
    check_claims,
    folder_of,
    front_of,
    report_experiment,
    report_front,
    report_search,
)
from dse.runs.staged import DONE, with_ancestors
from dse.session import Sweep, dataset_name, known_as, load_dataset
from dse.spaces.budget import Budget
from dse.spaces.space import Space, named_space
from dse.store.database import open_store
from dse.store.enter import refuse_other_study
from dse.store.query import once, view
from dse.store.run_states import points_of, run_states
from dse.study.calibration import calibrate, speed_from_benchmark
from dse.study.estimate import IMAGENET, Estimate, ImageSet, estimate
from dse.study.loading import Wanted, check_runs, load_together
from dse.study.optuna_search import SamplerName
from dse.study.outcome import SweepOutcome, sum_of_holes
from dse.study.plan import make_plans, refuse_other_experiment
from dse.study.preset import named_preset
from dse.study.presets import PRESETS
from dse.study.product import Product
from dse.study.search import BATCH, Search
from dse.study.settings import space_of
from dse.study.staged_space import StagedSpace, staged
from dse.study.tries import holes
from dse.study.widths import widths_lines


def plan(
    experiments: Wanted | Sequence[Wanted],
    options: Options | None = None,
    *,
    device: str = "here",
) -> Estimate:
    """Estimate the work and time of an experiment before it is trained.

    Args:
        experiments: an experiment, a shipped name, or the path of a file that defines
            EXPERIMENT; or several, which train a cell that they share once.
        options: how to run. The dataset `imagenet`, which the preset of that name uses,
            need not be there.
        device: `here` to calibrate for seconds on this machine, or a file that
            experiments/benchmarks/speed.py wrote on another.

    Raises:
        DseError: it cannot be done as asked; the message is one clear line.
    """
    chosen = options or Options()
    loaded, preset_name, preset = load_together(experiments, chosen.preset)
    check_runs(loaded.values(), preset, chosen.seeds)
    benchmark_speed = None if device == "here" else speed_from_benchmark(Path(device))
    if dataset_name(chosen, preset) == IMAGENET.name:
        images, recipe = IMAGENET, preset.recipe
    else:
        dataset = load_dataset(chosen, preset)
        introduce(dataset)
        images, recipe = ImageSet.of(dataset), preset.recipe_for(dataset)
    points = [
        (f"{name}, {arm}" if arm else "", point)
        for name, experiment in loaded.items()
        for arm in experiment.recipes_changed
        for point in with_ancestors(experiment.scaled(preset.width).values())
    ]
    replicates = preset.replicates_for(chosen.seeds)
    networks = [point for _, point in points]
    speed = benchmark_speed or calibrate(networks, recipe, images, chosen)
    estimated = estimate(points, recipe, replicates, images, speed)
    return replace(estimated, widths=widths_lines(loaded, preset_name))


def open_dataset(name: str, options: Options | None = None) -> ImageData:
    """Open an image set as a sweep under these options would train on it.

    Its `contents` describe what was read.

    Args:
        name: the embedded set, a folder, or a hub id.
        options: its preset, and the columns and folders to read.

    Raises:
        DseError: it cannot be read, or can be read in several ways.
    """
    chosen = replace(options or Options(), dataset=name)
    return load_dataset(chosen, named_preset(PRESETS, chosen.preset)[1])


def sweep(experiment: Wanted, options: Options | None = None) -> list[SweepOutcome]:
    """Train the missing runs of an experiment.

    Args:
        experiment: an experiment, or a pair of name and experiment; a shipped name; or
            the path of a file that defines EXPERIMENT.
        options: how to run.

    Returns:
        The outcome of its study, or of the study of each arm.

    Raises:
        DseError: it cannot be done as asked; the message is one clear line.
    """
    [outcomes] = sweep_all([experiment], options).values()
    return outcomes


def sweep_all(
    experiments: Sequence[Wanted], options: Options | None = None
) -> dict[str, list[SweepOutcome]]:
    """Train the missing runs of several experiments together; see `sweep`.

    Cells that they share are trained once.
    """
    return Sweep(experiments, options or Options()).run()


def reproduce(experiment: Wanted, options: Options | None = None) -> Report:
    """Train the missing runs of an experiment, then write its tables and figure.

    Args:
        experiment: see `sweep`.
        options: how to run.

    Raises:
        DseError: it cannot be done as asked; the message is one clear line.
    """
    return reproduce_all([experiment], options)[0]


def reproduce_all(
    experiments: Sequence[Wanted], options: Options | None = None
) -> list[Report]:
    """Train the missing runs of several experiments, then report on each.

    Two or more without arms also get a report on the front of all their cells.
    """
    chosen = options or Options()
    if chosen.shard is not None:
        raise DseError(
            f"shard {chosen.shard} is a part, and a report is of the whole: dse sweep "
            "trains it; reproduce once dse import has brought all parts together"
        )
    work = Sweep(experiments, chosen)
    reports, together = [], []
    for name, outcomes in work.run().items():
        plans, experiment = work.plans[name], work.experiments[name]
        write = partial(report_experiment, work.store, name, experiment, plans)
        report = work.store.patiently(partial(write, work.dataset))
        found = sum_of_holes(outcome.holes for outcome in outcomes)
        reports.append(replace(report, holes=found))
        together += [plans[0].study] if len(plans) == 1 else []
    if len(together) > 1:
        names = [study.experiment for study in together]
        folder = front_of(work.store.place.own, names, together[0])
        write_front = partial(report_front, work.store, together, work.dataset, folder)
        reports.append(work.store.patiently(write_front))
    return reports


def check(
    experiments: Wanted | Sequence[Wanted], options: Options | None = None
) -> list[Claims]:
    """Judge the paper's claims by the runs in the database; nothing is trained.

    Args:
        experiments: see `plan`.
        options: dataset, preset and storage.

    Raises:
        DseError: a claim cannot be judged; the message is one clear line.
    """
    chosen = options or Options()
    loaded, preset_name, preset = load_together(experiments, chosen.preset)
    dataset = load_dataset(chosen, preset)
    store = open_store(chosen.storage, create=False)
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
        runs, epochs = (view(store, name, study.name) for name in ("runs", "epochs"))
        claims = check_claims(plan, experiment, once(runs), epochs)
        if claims.table is None:
            raise DseError(f"{study.name}: {claims.refusal}")
        judged.append(claims)
    return judged


def search(
    options: Options | None = None,
    *,
    space: str | Space | Product | None = None,
    sampler: SamplerName = "tpe",
    budget: Budget | None = None,
    trials: int | None = None,
    minutes: float | None = None,
    batch: int | None = None,
    name: str = "mine",
    compress: Mapping[str, Any] | None = None,
) -> Report:
    """Search a space for the best networks within a hard budget.

    Args:
        options: how to run; `seeds` and `shard` do not apply.
        space: a space by name (one of SqueezeNet's, or `family.name`), a `Space` or a
            `Product`; by default a named one that suits the preset's width.
        sampler: tpe, nsga2 or random.
        budget: limits that no trained network exceeds.
        trials: networks to train in all; 30 when `minutes` is not given either.
        minutes: time to take in all.
        batch: points that the sampler proposes at a time, 4 by default; more workers
            than that stay idle. The points depend on it, not on the workers.
        name: name of the search if `space` is a `Space`.
        compress: settings of stages that every network goes through (`compress_runs`);
            what has several values is varied by the search.

    Raises:
        DseError: it cannot be done as asked; the message is one clear line.
    """
    chosen = options or Options()
    for option in ("seeds", "shard"):
        if getattr(chosen, option) is not None:
            raise DseError(
                f"--{option} has no meaning in a search, which trains each network "
                "once, as its sampler proposes them; leave it out"
            )
    preset_name, preset = named_preset(PRESETS, chosen.preset)
    if isinstance(space, Product):
        called, searched = space_of(space, preset.width)
    elif isinstance(space, Space):
        called, searched = f"{name}-{space.digest}", space
    else:
        called, searched = named_space(space, preset.width)
    over = searched
    if compress:
        if isinstance(searched, StagedSpace):
            raise DseError("compress and settings of stages are given; leave one out")
        over = staged(searched, compress)
        called = f"{called}-{over.digest}"
    wanted = Search(
        over,
        called,
        sampler,
        budget or Budget(),
        30 if trials is None and minutes is None else trials,
        minutes,
        BATCH if batch is None else batch,
    )
    store, study, dataset = session.search(wanted, preset_name, preset, chosen)
    folder = folder_of(store.place.own, wanted.name, study)
    varied = tuple(over.values)
    done = over.anchor.values[DONE] if isinstance(over, StagedSpace) else ""
    most = wanted.budget.max_compressed_bytes
    write = partial(report_search, store, study, dataset, folder, varied, done, most)
    cells = set(view(store, "cells", study.name)["cell_id"])
    states = run_states(store, cells)
    first = [state for (_, replicate), state in states.items() if not replicate]
    return replace(store.patiently(write), holes=holes(first))
