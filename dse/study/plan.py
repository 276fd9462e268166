"""A plan: the cells and replicates that a study needs, and those still missing."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from dse.arch.cost import cost
from dse.arch.family import Family
from dse.bounds import LONGEST, brief
from dse.data.dataset import ImageData, train_size
from dse.errors import DseError
from dse.execute.jobs import Job
from dse.runs.cell import Cell, check_batch
from dse.runs.labels import named_labels
from dse.runs.recipe import Recipe
from dse.runs.records import Point, StudyRecord, with_parents
from dse.runs.run_state import RunState
from dse.runs.staged import Network, Staged, unstaged
from dse.store.run_states import StoredPoint
from dse.study.experiment import Experiment
from dse.study.tries import Tries


@dataclass(frozen=True)
class Plan:
    """Replicates 0..k-1 of every point of a study.

    Attributes:
        study: the study's record for the database.
        keyed: cells with their metaparameters, by key (`Experiment.keyed`).
        varied: the metaparameters in which they differ; None for a list of points.
        names: what the experiment calls the points, in the order of `keyed`; None if
            it leaves that to their metaparameters.
    """

    study: StudyRecord
    keyed: Mapping[Hashable, Point]
    varied: tuple[str, ...] | None = ()
    names: tuple[str, ...] | None = None

    @cached_property
    def points(self) -> tuple[Point, ...]:
        """The points in order, aliases of a cell included; their ancestors come last.

        A point with stages begins from the weights of another, which is trained too.
        """
        return tuple(with_parents(self.keyed.values()))

    @property
    def has_stages(self) -> bool:
        """Whether something is done to trained weights."""
        return any(cell.stages for cell in self.cells.values())

    @property
    def called(self) -> dict[str, str] | None:
        """Names of the points by key; None if the experiment gives none.

        A point that is listed twice has its first name, an ancestor its values.
        """
        if self.names is None:
            return None
        found: dict[str, str] = {}
        for point, name in zip(self.keyed.values(), self.names, strict=True):
            found.setdefault(point.key, name)
        own = len(self.keyed)
        labels = named_labels([point.metaparameters for point in self.points])
        for point, label in zip(self.points[own:], labels[own:], strict=True):
            found[point.key] = label
        return found

    @cached_property
    def cells(self) -> Mapping[str, Cell]:
        """The distinct cells by id, in order; aliases are one cell."""
        return {point.cell.id: point.cell for point in self.points}

    def completed(self, there: Sequence[StoredPoint]) -> list[StoredPoint]:
        """Add to stored points the fields that their families got later."""
        bases = {type(unstaged(point.metaparameters)) for point in self.points}
        families = [base for base in bases if issubclass(base, Family)]
        plain = {family.name: family() for family in families}
        return [point.completed(plain) for point in there]

    @property
    def runs(self) -> int:
        """Number of runs in the plan."""
        return len(self.cells) * self.study.replicates

    def missing(
        self, states: Mapping[tuple[str, int], RunState], tries: Tries
    ) -> dict[str, tuple[int, ...]]:
        """Replicates that neither completed nor finally failed, by cell."""
        wanted = range(self.study.replicates)
        missing = {
            cell_id: tuple(
                r for r in wanted if not tries.ended(states.get((cell_id, r)))
            )
            for cell_id in self.cells
        }
        return {cell_id: listed for cell_id, listed in missing.items() if listed}


def make_plans(
    name: str,
    experiment: Experiment,
    preset_name: str,
    dataset: ImageData,
    replicates: int | None = None,
) -> list[Plan]:
    """Make the plan of an experiment's preset on a dataset, one for each arm.

    Args:
        name: the experiment's name.
        experiment: the experiment.
        preset_name: one of its presets.
        dataset: the data to train on.
        replicates: runs per cell; None for the preset's number.

    Raises:
        DseError: no such preset, a wrong number of replicates, or too small images.
    """
    preset = experiment.preset(preset_name)
    wanted = preset.replicates_for(replicates)
    plans = []
    for arm, recipe in experiment.recipes(preset, dataset).items():
        called = f"{name}.{arm}" if arm else name
        study = study_record(called, preset_name, dataset, recipe, wanted)
        points = experiment.scaled(preset.width)
        cells = {key: make_point(x, recipe, dataset) for key, x in points.items()}
        names = experiment.called(preset.width)
        plans.append(Plan(study, cells, experiment.varied_names, names))
    return plans


def refuse_other_experiment(plan: Plan, there: Sequence[StoredPoint]) -> None:
    """Refuse a plan whose study in the database belongs to another experiment.

    They may differ only in values of the varied fields. Lists of points must have a
    point in common.

    Args:
        plan: the plan to train.
        there: the points that its study has in the database.

    Raises:
        DseError: the points are another experiment's.
    """
    here = [StoredPoint.of(point.metaparameters) for point in plan.points]
    there = plan.completed(there)
    if not there or (plan.varied is None and set(here) & set(there)):
        return
    different = [
        f"{name} {', '.join(before)} there, {', '.join(now)} here"
        for name, before, now in _differences(there, here)
        if name not in (plan.varied or ())
    ]
    if different or plan.varied is None:
        raise DseError(
            f"study {plan.study.name} holds another experiment "
            f"({'; '.join(different)}); a study holds one: rename the file (runs that "
            "are there count under any name), or take another --storage"
        )


def _differences(
    there: Sequence[StoredPoint], here: Sequence[StoredPoint]
) -> Iterator[tuple[str, list[str], list[str]]]:
    """Metaparameters whose values differ, with the values of both sides."""
    names = dict.fromkeys(name for point in (*there, *here) for name in point.values)
    for name in ("family", *names):
        before, now = (
            sorted({str(point.get(name)) for point in points})
            for points in (there, here)
        )
        if before != now:
            yield name, before, now


def cells_of_shard(plans: Sequence[Plan], shard: str | None) -> set[str]:
    """Ids of the cells that one of N shards trains; all cells without a shard.

    They are dealt out in turn, the costliest first, so shards cost about the same. A
    cell with stages goes with the one whose weights it begins from.

    Raises:
        DseError: the shard is not written as I/N, with I from 1 to N.
    """
    cells = {cell_id: cell for plan in plans for cell_id, cell in plan.cells.items()}
    if shard is None:
        return set(cells)
    part, parts = check_shard(shard)
    roots = {cell_id: replace(cell, stages=()) for cell_id, cell in cells.items()}
    macs = {x.id: cost(x.architecture).macs for x in roots.values()}
    dear = sorted(macs, key=lambda root: (-macs[root], root))
    mine = set(dear[part - 1 :: parts])
    return {cell_id for cell_id in cells if roots[cell_id].id in mine}


def check_shard(shard: str | None) -> tuple[int, int]:
    """Parse a shard into its number and the number of shards; None is 1 of 1.

    Raises:
        DseError: it is not written as I/N, with I from 1 to N.
    """
    part, _, parts = ("1/1" if shard is None else shard).partition("/")
    are_numbers = all(x.isdecimal() and len(x) <= LONGEST for x in (part, parts))
    if not (are_numbers and 1 <= int(part) <= int(parts)):
        raise DseError(
            f"shard is {brief(shard)}; expected I/N with I from 1 to N, as 2/8"
        )
    return int(part), int(parts)


def study_record(
    experiment: str, preset: str, dataset: ImageData, recipe: Recipe, replicates: int
) -> StudyRecord:
    """Make the record of a study whose recipe is resolved for the dataset."""
    return StudyRecord(
        name=f"{experiment}/{dataset.name}-{preset}",
        experiment=experiment,
        preset=preset,
        dataset=dataset.name,
        dataset_fingerprint=dataset.fingerprint,
        recipe=recipe,
        replicates=replicates,
    )


def make_point(metaparameters: Network, recipe: Recipe, dataset: ImageData) -> Point:
    """Make the point of these metaparameters, with its cell."""
    shape, classes = dataset.image_shape, dataset.classes
    architecture = metaparameters.network(shape, classes)
    if architecture.group > 1:
        check_batch(architecture, recipe.batch_size, train_size(dataset))
    return Point(
        metaparameters,
        Cell(
            architecture,
            recipe,
            dataset.name,
            dataset.fingerprint,
            dataset.class_names,
            metaparameters.stages if isinstance(metaparameters, Staged) else (),
        ),
    )


def jobs_for(cells: Sequence[tuple[Cell, tuple[int, ...]]], workers: int) -> list[Job]:
    """Make one job per cell, so that replicates share compilation; the longest first.

    With fewer cells than workers, each job is a single run.
    """
    jobs = [Job(cell, replicates) for cell, replicates in cells]
    if len(jobs) < workers:
        jobs = [Job(job.cell, (r,)) for job in jobs for r in job.replicates]

    def work(job: Job) -> int:
        return cost(job.cell.architecture).macs * len(job.replicates)

    return sorted(jobs, key=work, reverse=True)
