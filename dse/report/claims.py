"""An experiment's claims, held against the runs of a study."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from dse.analysis.verdicts import claims_table, judge
from dse.errors import DseError
from dse.families.paper import SLIPS
from dse.report.captions import shared_widths
from dse.runs.records import StudyRecord
from dse.study.experiment import Experiment


@dataclass(frozen=True)
class Claims:
    """What became of an experiment's claims.

    Attributes:
        study: the study that they were held against.
        table: one row a claim (`dse.analysis.verdicts`); None where the runs do not
            allow for judgements.
        refusal: why not, then.
        caveat: what was measured, beside the paper.
        slips: where the paper contradicts itself.
    """

    study: str
    table: pd.DataFrame | None
    refusal: str
    caveat: str
    slips: Sequence[str]


def check_claims(
    study: StudyRecord, experiment: Experiment, runs: pd.DataFrame
) -> Claims:
    """Judge an experiment's claims by the runs of a study."""
    table, refusal = None, ""
    try:
        table = claims_table(judge(experiment, runs))
    except DseError as error:
        refusal = str(error)
    caveat = (
        f"measured as top-1 on {study.dataset}, {shared_widths(runs)}, "
        f"{study.recipe.epochs} epochs; "
        "the paper's are of ImageNet at base_e 128"
    )
    slips = SLIPS.get(experiment.published or "", ())
    return Claims(study.name, table, refusal, caveat, slips)
