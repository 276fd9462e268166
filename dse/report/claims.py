"""An experiment's claims, judged by the runs of a study."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from dse.analysis.gap import with_gap
from dse.analysis.verdicts import claims_table, judge
from dse.errors import DseError
from dse.report.captions import published_widths, shared_widths
from dse.runs.labels import fields_of_points
from dse.study.claim import Measured
from dse.study.experiment import Experiment
from dse.study.plan import Plan


@dataclass(frozen=True)
class Claims:
    """Verdicts on an experiment's claims.

    Attributes:
        study: name of the study whose runs judge them.
        table: one row a claim (`dse.analysis.verdicts`); None where the runs do not
            suffice.
        refusal: why they do not suffice; else empty.
        caveat: how the measurement differs from the paper's; empty if nothing was
            measured to judge them.
        slips: where the paper contradicts itself.
    """

    study: str
    table: pd.DataFrame | None
    refusal: str
    caveat: str
    slips: Sequence[str]


def check_claims(
    plan: Plan, experiment: Experiment, runs: pd.DataFrame, epochs: pd.DataFrame
) -> Claims:
    """Judge an experiment's claims by the runs of a study and their epochs."""
    table, refusal, runs = None, "", with_gap(runs, epochs)
    cell_of = {key: point.cell.id for key, point in plan.keyed.items()}
    try:
        table = claims_table(judge(experiment, cell_of, runs))
    except DseError as error:
        refusal = str(error)
    fields = fields_of_points([point.metaparameters for point in plan.points])
    widths = published_widths(experiment.source)
    theirs = "the sources measured on other data or other widths"
    if experiment.source.points:
        theirs = f"the paper's are of ImageNet{f' at {widths}' if widths else ''}"
    caveat = (
        f"measured as top-1 on {plan.study.dataset}, {shared_widths(runs, fields)}, "
        f"{plan.study.recipe.epochs} epochs; {theirs}"
    )
    if not any(isinstance(claim, Measured) for claim in experiment.claims):
        caveat = ""
    slips = experiment.source.slips
    return Claims(plan.study.name, table, refusal, caveat, slips)
