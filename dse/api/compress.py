"""Compress trained networks: each result is a run of a cell with stages."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from dse.data.load import EMBEDDED, load
from dse.errors import DseError
from dse.options import Options
from dse.report import Report, folder_of, report_experiment
from dse.report.sensitivity import Sensitivity, report_sensitivity
from dse.runs.recorded import Recorded
from dse.runs.records import StudyRecord
from dse.runs.staged import Staged
from dse.session import Sweep, load_dataset
from dse.store.database import Store, open_store
from dse.store.elsewhere import ELSEWHERE
from dse.store.query import study_called
from dse.store.recorded import StoredCell, run_named, runs_without_weights, stored_cells
from dse.study.compression import chains_of, compressed, scanned
from dse.study.experiment import Experiment
from dse.study.names import check_name
from dse.study.outcome import sum_of_holes
from dse.study.preset import Preset

DECIDED = ("preset", "seeds", "shard")
"""Options that the networks decide."""


def compress_runs(
    source: int | str,
    options: Options | None = None,
    *,
    name: str | None = None,
    **settings: Any,
) -> Report:
    """Compress a trained network, or all networks of a study, and report on it.

        dse.compress_runs(12, density=0.33, bits=6)
        dse.compress_runs("fig3b/cifar10-full", density=(0.2, 0.33), bits=6)

    Each result is a run of its own, paired with the replicate that it began from. What
    is there is not done again.

    Args:
        source: the `run_id` of a complete run, or a study's name.
        options: how to run. The dataset is the one that was trained on; its preset,
            replicates and recipe are those of the study.
        name: what to call the experiment; by default by the study and the settings.
        settings: fields of stages (`dse.runs.stages`), each a value or several in a
            tuple; every combination is made.

    Raises:
        DseError: it cannot be done as asked; the message is one clear line.
    """
    chains = chains_of(settings)
    made = _run(source, options or Options(), name, partial(compressed, chains=chains))
    [plan] = made.sweep.plans[made.called]
    write = partial(report_experiment, made.sweep.store, made.called, made.experiment)
    report = made.sweep.store.patiently(partial(write, [plan], made.sweep.dataset))
    return replace(report, holes=made.holes)


def scan_layers(
    source: int | str,
    options: Options | None = None,
    *,
    density: float | Sequence[float] = 0.5,
    name: str | None = None,
) -> Sensitivity:
    """Prune one layer at a time, without training, and report what that costs.

    Args:
        source: the `run_id` of a complete run, or a study's name.
        options: see `compress_runs`.
        density: share of the layer's weights that is kept, or several shares.
        name: what to call the experiment.

    Raises:
        DseError: it cannot be done as asked; the message is one clear line.
    """
    densities = [density] if isinstance(density, int | float) else [*density]
    build = partial(scanned, densities=densities)
    made = _run(source, options or Options(), name, build)
    [plan] = made.sweep.plans[made.called]
    folder = folder_of(made.sweep.store.place.own, made.called, plan.study)
    write = partial(report_sensitivity, made.sweep.store, plan.study, folder)
    found = made.sweep.store.patiently(partial(write, made.sweep.dataset))
    return replace(found, holes=made.holes)


Build = Callable[..., tuple[str, Experiment]]


@dataclass(frozen=True)
class _Made:
    """An experiment on trained networks that was run."""

    sweep: Sweep
    called: str
    experiment: Experiment
    holes: Mapping[str, int]


def _run(source: int | str, chosen: Options, name: str | None, build: Build) -> _Made:
    """Run the experiment that `build` makes of trained networks.

    Args:
        source: a run or a study.
        chosen: how to run.
        name: the experiment's name; None for that which `build` gives.
        build: makes it from the study's record, the networks and their preset, and from
            whether they are `whole`.
    """
    for option in DECIDED:
        if getattr(chosen, option) is not None:
            raise DseError(
                f"--{option} has no meaning here: it is that of the runs that are "
                "compressed; leave it out"
            )
    store = open_store(chosen.storage, create=False)
    record, stored, replicate = _source(store, source)
    preset = _preset_of(record, chosen)
    points = [each.point for each in stored]
    called, experiment = build(record, points, preset, whole=replicate is None)
    if name is not None:
        called = check_name(name)
    wanted = replace(chosen, preset=record.preset, dataset=preset.dataset)
    seeds = record.replicates if replicate is None else replicate + 1
    sweep = Sweep((called, experiment), replace(wanted, seeds=seeds))
    [plan] = sweep.plans[called]
    _refuse_others(plan.cells, stored)
    [outcome] = sweep.run(None if replicate is None else {replicate})[called]
    return _Made(sweep, called, experiment, sum_of_holes([outcome.holes]))


def _source(
    store: Store, source: int | str
) -> tuple[StudyRecord, list[StoredCell], int | None]:
    """The study, its networks to compress, and the only replicate of them, if any.

    Raises:
        DseError: there is no such run or study, or weights were not kept.
    """
    if isinstance(source, int):
        cell_id, replicate = run_named(store, source)
        found = [_first_trained(store, stored_cells(store, cell_id=cell_id))]
        record, only = study_called(store, found[0].study), replicate
    else:
        record, only = study_called(store, source), None
        every = stored_cells(store, study=source)
        found = [x for x in every if isinstance(x.point, Recorded)]
    if not found:
        raise DseError(
            f"all networks of study {record.name} have stages; name the study that "
            "trained them, or a run to go on from it"
        )
    lost = runs_without_weights(store, [x.cell_id for x in found])
    if isinstance(source, int):
        lost = [number for number in lost if number == source]
    if lost:
        raise DseError(
            f"the weights of run{'s' if len(lost) > 1 else ''} "
            f"{', '.join(map(str, lost[:5]))}{' and others' if len(lost) > 5 else ''} "
            "were not kept, so nothing can be done to them; dse forget has them "
            "trained again"
        )
    return record, found, only


def _first_trained(store: Store, points: Sequence[StoredCell]) -> StoredCell:
    """The first in a study without stages, or else the first, of a cell's points."""
    for each in points:
        others = stored_cells(store, study=each.study)
        if not any(isinstance(other.point, Staged) for other in others):
            return each
    return points[0]


def _preset_of(record: StudyRecord, options: Options) -> Preset:
    """How the networks of a study were trained, on the same images.

    Raises:
        DseError: the images are not named, or are others.
    """
    if record.dataset_fingerprint.startswith(ELSEWHERE):
        raise DseError(
            f"the network of study {record.name} was trained elsewhere, on images that "
            "are not known here: what is done to it could be neither trained nor "
            "scored; experiments/benchmarks/recoding.py writes it in other forms"
        )
    source = options.dataset
    if source is None and record.dataset != load(EMBEDDED).name:
        raise DseError(
            f"study {record.name} was trained on {record.dataset}; say where it is, "
            "as --dataset path/to/it"
        )
    preset = Preset(
        width=1,
        replicates=record.replicates,
        recipe=record.recipe,
        dataset=source or EMBEDDED,
    )
    for part in _parts(record):
        some = replace(preset, train_images=part)
        dataset = load_dataset(options, some)
        if record.dataset_fingerprint in (dataset.fingerprint, *dataset.formerly):
            return some
    raise DseError(
        f"study {record.name} was trained on {record.dataset}, fingerprint "
        f"{record.dataset_fingerprint}; the images of {preset.dataset} are others: "
        "name the same set, or write an experiment with points=[Staged(...)]"
    )


def _parts(record: StudyRecord) -> Iterator[int | None]:
    """Numbers of train images that the study may have used; None for all."""
    # See `balanced_part`.
    _, _, images = record.dataset_fingerprint.rpartition("-")
    if images.isdecimal():
        yield int(images)
    yield None


def _refuse_others(there: Collection[str], points: Sequence[StoredCell]) -> None:
    """Refuse networks that would be trained anew, as other cells.

    Raises:
        DseError: there are some.
    """
    for each in points:
        if each.cell_id not in there:
            raise DseError(
                f"cell {each.cell_id} of study {each.study} is of another version of "
                "the numerics, or of other classes: its weights cannot be gone on "
                "from; train it again in another --storage"
            )
