"""A plan: the cells and replicates that a study wants, and what of it is missing."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from dse.arch.cost import cost
from dse.arch.family import Family
from dse.bounds import LONGEST, brief
from dse.data.dataset import ImageData
from dse.errors import DseError
from dse.execute.jobs import Job
from dse.runs.cell import Cell
from dse.runs.recipe import Recipe
from dse.runs.records import Point, StudyRecord
from dse.runs.run_state import RunState
from dse.store.run_states import StoredPoint
from dse.study.experiment import Experiment
from dse.study.tries import Tries


@dataclass(frozen=True)
class Plan:
    """Replicates 0..k-1 of every point of a study.

    Attributes:
        study: the study as it is entered in the database.
        keyed: the cells under the metaparameters that lead to them, by what claims
            call them (`Experiment.keyed`).
        varied: the metaparameters in which they differ; None for a list of points.
    """

    study: StudyRecord
    keyed: Mapping[Hashable, Point]
    varied: tuple[str, ...] | None = ()

    @property
    def points(self) -> tuple[Point, ...]:
        """The cells in order; of aliases each."""
        return tuple(self.keyed.values())

    @cached_property
    def cells(self) -> Mapping[str, Cell]:
        """The distinct cells by id, in order: aliases are one cell."""
        return {point.cell.id: point.cell for point in self.points}

    def completed(self, there: Sequence[StoredPoint]) -> list[StoredPoint]:
        """Points of a database, with fields that their families got later."""
        families = {type(point.metaparameters) for point in self.points}
        plain = {family.name: family() for family in families}
        return [point.completed(plain) for point in there]

    @property
    def runs(self) -> int:
        """Runs that the plan wants."""
        return len(self.cells) * self.study.replicates

    def missing(
        self, states: Mapping[tuple[str, int], RunState], tries: Tries
    ) -> dict[str, tuple[int, ...]]:
        """By cell, the replicates that neither completed nor failed for good."""
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
    """The plan of an experiment's preset on a dataset; or of each arm, one.

    Args:
        name: the experiment's name.
        experiment: the experiment.
        preset_name: one of its presets.
        dataset: what to train on.
        replicates: runs a cell; None for the preset's number.

    Raises:
        DseError: no such preset, zero replicates, or images too small.
    """
    preset = experiment.preset(preset_name)
    wanted = preset.replicates_for(replicates)
    plans = []
    for arm, recipe in experiment.recipes(preset, dataset).items():
        called = f"{name}.{arm}" if arm else name
        study = study_record(called, preset_name, dataset, recipe, wanted)
        points = experiment.scaled(preset.width)
        cells = {key: make_point(x, recipe, dataset) for key, x in points.items()}
        plans.append(Plan(study, cells, experiment.varied_names))
    return plans


def refuse_other_experiment(plan: Plan, there: Sequence[StoredPoint]) -> None:
    """A study may gain and lose values of what it varies, and no more.

    Of an experiment that lists its points it may gain and lose points, but not all.

    Args:
        plan: what is to be trained.
        there: the points that the study of its name has in the database.

    Raises:
        DseError: they are another experiment's.
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
    """The metaparameters whose values differ, with those of either."""
    names = dict.fromkeys(name for point in (*there, *here) for name in point.values)
    for name in ("family", *names):
        before, now = (
            sorted({str(point.get(name)) for point in points})
            for points in (there, here)
        )
        if before != now:
            yield name, before, now


def cells_of_shard(plans: Sequence[Plan], shard: str | None) -> set[str]:
    """The cells that one of N shards trains; all of them without.

    They are dealt out in turn, the costliest first, so each shard has a like share.

    Raises:
        DseError: the shard is not written as I/N, with I from 1 to N.
    """
    cells = {cell_id: cell for plan in plans for cell_id, cell in plan.cells.items()}
    if shard is None:
        return set(cells)
    part, parts = check_shard(shard)
    dear = sorted(cells, key=lambda c: (-cost(cells[c].architecture).macs, c))
    return set(dear[part - 1 :: parts])


def check_shard(shard: str | None) -> tuple[int, int]:
    """The part and the number of parts that a shard is; one of one without.

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
    """The record of a study whose recipe is settled for the dataset."""
    return StudyRecord(
        name=f"{experiment}/{dataset.name}-{preset}",
        experiment=experiment,
        preset=preset,
        dataset=dataset.name,
        dataset_fingerprint=dataset.fingerprint,
        recipe=recipe,
        replicates=replicates,
    )


def make_point(metaparameters: Family, recipe: Recipe, dataset: ImageData) -> Point:
    """The cell that these metaparameters make of a recipe and a dataset."""
    shape, classes = dataset.image_shape, dataset.classes
    architecture = metaparameters.network(shape, classes)
    return Point(
        metaparameters,
        Cell(
            architecture,
            recipe,
            dataset.name,
            dataset.fingerprint,
            dataset.class_names,
        ),
    )


def jobs_for(cells: Sequence[tuple[Cell, tuple[int, ...]]], workers: int) -> list[Job]:
    """One job a cell, so that replicates share its compilation; the longest first.

    Where there are fewer cells than workers a job is a single run.
    """
    jobs = [Job(cell, replicates) for cell, replicates in cells]
    if len(jobs) < workers:
        jobs = [Job(job.cell, (r,)) for job in jobs for r in job.replicates]
    return sorted(jobs, key=_work, reverse=True)


def _work(job: Job) -> int:
    return cost(job.cell.architecture).macs * len(job.replicates)
