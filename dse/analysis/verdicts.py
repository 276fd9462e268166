"""Whether a paper's sentences hold of a study: PASS, FAIL or INCONCLUSIVE."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import pandas as pd

from dse.analysis.comparison import Comparison, compare, error_of_each_end
from dse.arch.cost import MEBIBYTE, cost
from dse.errors import DseError
from dse.families.paper import PUBLISHED, Published
from dse.families.squeezenet import PAPER_WIDTH, squeezenet
from dse.runs.events import OUTCOMES
from dse.study.claim import Beats, Claim, GainsLittle, SizesAsPrinted, values_of
from dse.study.experiment import Experiment

Verdict = Literal["PASS", "FAIL", "INCONCLUSIVE"]


@dataclass(frozen=True)
class Judgement:
    """What became of a claim.

    Attributes:
        claim: the claim.
        verdict: PASS where the whole interval is on the claim's side of its bound, FAIL
            where it is on the other side.
        finding: what was found, in words.
        estimate: the difference in accuracy; NaN where nothing was measured.
        low: of its interval, each of whose ends errs in 5 % over the number of
            measured claims (`dse.analysis.comparison`).
        high: of the same.
        bound: what the interval is held against.
    """

    claim: Claim
    verdict: Verdict
    finding: str
    estimate: float = math.nan
    low: float = math.nan
    high: float = math.nan
    bound: float = math.nan


def judge(experiment: Experiment, runs: pd.DataFrame) -> list[Judgement]:
    """Judge the claims of an experiment by the runs of one study.

    Measured claims are tested on test accuracy by one-sided t-tests, paired over the
    replicates that the two cells share: all their PASS and FAIL are right together with
    95 % (`dse.analysis.comparison`).

    Raises:
        DseError: cells are missing, have one replicate, or are of several recipes or
            numerics.
    """
    measured = [c for c in experiment.claims if not isinstance(c, SizesAsPrinted)]
    judged: dict[Claim, Judgement] = {}
    if measured:
        _refuse_mixed(runs)
        _refuse_missing(experiment, measured, runs)
        comparison = compare(runs)
        cell_of = _cells_by_value(experiment, runs)
        error = error_of_each_end(len(measured))
        judged = {
            claim: _judge_measured(experiment, claim, cell_of, comparison, error)
            for claim in measured
        }
    return [
        _judge_sizes(experiment, claim)
        if isinstance(claim, SizesAsPrinted)
        else judged[claim]
        for claim in experiment.claims
    ]


def claims_table(judgements: Sequence[Judgement]) -> pd.DataFrame:
    """One row a claim."""
    return pd.DataFrame(
        [
            {
                "section": j.claim.section,
                "claim": j.claim.sentence,
                "verdict": j.verdict,
                "finding": j.finding,
                "estimate": j.estimate,
                "low": j.low,
                "high": j.high,
                "bound": j.bound,
            }
            for j in judgements
        ]
    )


def _judge_measured(
    experiment: Experiment,
    claim: Beats | GainsLittle,
    cell_of: dict[object, str],
    comparison: Comparison,
    error_rate: float,
) -> Judgement:
    first, second = values_of(claim)
    bound = claim.margin if isinstance(claim, GainsLittle) else 0.0
    try:
        difference = comparison.difference(cell_of[second], cell_of[first])
    except DseError as error:
        raise DseError(
            f"{experiment.varied} {second} and {first} have no two complete replicates "
            "in common, so no interval exists; repeat the sweep with more --seeds"
        ) from error
    low, high = difference.interval(error_rate)
    if cell_of[first] == cell_of[second]:
        low = high = 0.0  # rounding made one network of them
    above, below = low > bound, high <= bound
    holds, fails = (above, below) if isinstance(claim, Beats) else (below, above)
    verdict: Verdict = "PASS" if holds else "FAIL" if fails else "INCONCLUSIVE"
    interval = f"{100 * low:+.1f} to {100 * high:+.1f}"
    if math.isnan(low):
        interval = f"{difference.pairs} replicates leave any difference open"
        if difference.are_equal:
            interval = f"the same in all {difference.pairs} replicates, so no interval"
    points = f"{100 * difference.estimate:+.1f} points"
    finding = f"{first} to {second}: {points} ({interval})"
    if isinstance(claim, GainsLittle):
        finding += f", at most {100 * bound:+.1f} asked"
    if verdict == "INCONCLUSIVE":
        finding += "; more replicates might decide"
    return Judgement(claim, verdict, finding, difference.estimate, low, high, bound)


def _judge_sizes(experiment: Experiment, claim: SizesAsPrinted) -> Judgement:
    """Compare the paper's labels with exact sizes: within a unit of the last digit."""
    published = [
        point
        for point in PUBLISHED[experiment.published or ""]
        if point.value in experiment.values
    ]
    full = [
        replace(point, base_e=PAPER_WIDTH, incr_e=PAPER_WIDTH)
        for point in experiment.points(PAPER_WIDTH)
    ]
    points = dict(zip(experiment.values, full, strict=True))
    wrong = []
    for point in published:
        size = cost(squeezenet(points[point.value])).bytes_fp32 / MEBIBYTE
        if point.value not in claim.slips and not _fits(size, point):
            wrong.append(f"{point.value}: {size:.2f} MiB, printed {point.size_mib:g}")
    counted = sum(point.value not in claim.slips for point in published)
    if wrong:
        return Judgement(claim, "FAIL", "; ".join(wrong))
    return Judgement(claim, "PASS", f"{counted} of {counted} sizes")


def _fits(size: float, point: Published) -> bool:
    unit = 1.0 if point.size_mib >= 10 else 0.1
    return abs(size - point.size_mib) < unit


def _cells_by_value(experiment: Experiment, runs: pd.DataFrame) -> dict[object, str]:
    assert experiment.varied is not None
    pairs = runs[[experiment.varied, "cell_id"]].drop_duplicates()
    return dict(zip(pairs[experiment.varied], pairs["cell_id"], strict=True))


def _refuse_mixed(runs: pd.DataFrame) -> None:
    """Accuracies of several recipes, data sets or numerics are not compared."""
    for column, what in (
        ("study", "studies, each with a recipe of its own"),
        ("numerics_version", "numerics versions"),
    ):
        found = runs[column].unique().tolist()
        if len(found) > 1:
            raise DseError(
                f"the runs are of {len(found)} {what}: "
                f"{' and '.join(map(str, found))}; claims are judged on one"
            )


def _refuse_missing(
    experiment: Experiment, claims: Sequence[Claim], runs: pd.DataFrame
) -> None:
    """Every value that a claim names needs a completed run."""
    named = [value for claim in claims for value in values_of(claim)]
    done = set(runs.loc[runs["status"] == "complete", experiment.varied])
    missing = [value for value in dict.fromkeys(named) if value not in done]
    final = runs[runs["reason"].isin(OUTCOMES)]
    failed = [v for v in missing if v in set(final[experiment.varied])]
    if failed:
        raise DseError(
            f"every run of {experiment.varied} {', '.join(map(str, failed))} failed "
            f"({', '.join(final['reason'].unique())}), and a claim needs one; repeat "
            f"the sweep with --seeds {runs['replicate'].max() + 2} or more"
        )
    if missing:
        raise DseError(
            f"no run of {experiment.varied} {', '.join(map(str, missing))} is "
            "complete, and a claim needs it; dse reproduce trains what is missing"
        )
