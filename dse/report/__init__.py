"""From runs in the database to folders of tables, claims and figures."""

from collections.abc import Sequence
from pathlib import Path

from dse.data.dataset import ImageData
from dse.report.claims import Claims, check_claims
from dse.report.folder import RESULTS
from dse.report.front import report_front
from dse.report.recipes import report_recipes
from dse.report.result import Report
from dse.report.search import report_search
from dse.report.study import report_study
from dse.store.append import StudyRecord
from dse.store.database import Store
from dse.study.experiment import Experiment

__all__ = [
    "Claims",
    "Report",
    "check_claims",
    "folder_of",
    "report_experiment",
    "report_front",
    "report_search",
]


def folder_of(experiment: str, study: StudyRecord, results: Path = RESULTS) -> Path:
    """Where a report of `experiment` lies."""
    return results / experiment / f"{study.dataset}-{study.preset}"


def report_experiment(
    store: Store,
    name: str,
    experiment: Experiment,
    studies: Sequence[StudyRecord],
    dataset: ImageData,
) -> Report:
    """Report on an experiment: on its study, or on its arms beside each other."""
    folder = folder_of(name, studies[0])
    if experiment.arms:
        arms = dict(zip(experiment.arms, studies, strict=True))
        return report_recipes(store, arms, experiment, dataset, folder)
    [study] = studies
    return report_study(store, study, experiment, dataset, folder)
