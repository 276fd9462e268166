"""The verdict on a claim, with what was measured."""

import math
from dataclasses import dataclass
from typing import Literal

from dse.analysis.comparison import Difference
from dse.study.claim import Claim

Verdict = Literal["PASS", "FAIL", "INCONCLUSIVE"]


@dataclass(frozen=True)
class Judgement:
    """The verdict on a claim.

    Attributes:
        claim: the claim.
        verdict: PASS if the whole interval is on the claim's side of the bound, FAIL if
            it is on the other side. Printed sizes are compared without an interval.
        finding: the finding in words.
        estimate: the difference in accuracy; NaN if nothing was measured.
        low: lower end of its interval. Each end errs in 5 % over the number of measured
            claims (`dse.analysis.comparison`).
        high: upper end.
        bound: the bound that the interval is compared with.
    """

    claim: Claim
    verdict: Verdict
    finding: str
    estimate: float = math.nan
    low: float = math.nan
    high: float = math.nan
    bound: float = math.nan


def interval_words(difference: Difference, low: float, high: float) -> str:
    """Format an interval in points, or say why there is none."""
    if not math.isnan(low):
        return f"{100 * low:+.1f} to {100 * high:+.1f}"
    if difference.are_equal:
        return f"the same in all {difference.pairs} replicates, so no interval"
    return f"{difference.pairs} replicates leave any difference open"
