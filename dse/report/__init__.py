"""Reports: folders of tables, claims and figures from runs in the database."""

from collections.abc import Sequence

from dse.data.dataset import ImageData
from dse.report.claims import Claims, check_claims
from dse.report.front import report_front
from dse.report.place import folder_of, front_of
from dse.report.recipes import report_recipes
from dse.report.result import Report
from dse.report.search import report_search
from dse.report.study import report_study
from dse.store.database import Store
from dse.study.experiment import Experiment
from dse.study.plan import Plan

__all__ = [
    "Claims",
    "Report",
    "check_claims",
    "folder_of",
    "front_of",
    "report_experiment",
    "report_front",
    "report_search",
]


def report_experiment(
    store: Store,
    name: str,
    experiment: Experiment,
    plans: Sequence[Plan],
    dataset: ImageData,
) -> Report:
    """Write the report on an experiment: on its study, or a comparison of its arms."""
    folder = folder_of(store.place.own, name, plans[0].study)
    if [*experiment.recipes_changed] != [""]:
        studies = [plan.study for plan in plans]
        arms = dict(zip(experiment.recipes_changed, studies, strict=True))
        return report_recipes(store, arms, experiment, dataset, folder)
    [plan] = plans
    return report_study(store, plan, experiment, dataset, folder)
