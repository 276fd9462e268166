"""Verdicts on claims about series: contrasts of mean accuracies, by replicate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float

from dse.analysis.comparison import Difference
from dse.analysis.judgement import Judgement, Verdict, interval_words
from dse.analysis.pareto import on_front
from dse.errors import DseError
from dse.study.series_claim import (
    AddUp,
    LosesLittle,
    MovesFront,
    OfSeries,
    names_of,
)

Series = Mapping[str, Sequence[str]]
"""Ids of cells by the name of their series."""


@dataclass(frozen=True)
class Contrast:
    """What a claim is about, measured.

    Attributes:
        difference: over replicates, the mean over the networks in each.
        detail: words for the finding.
    """

    difference: Difference
    detail: str


def contrast(claim: OfSeries, series: Series, runs: pd.DataFrame) -> Contrast:
    """Measure a claim in the replicates that all its networks completed.

    Args:
        claim: the claim.
        series: cells by series.
        runs: the runs of the study, each once.

    Raises:
        DseError: fewer than two replicates are complete in all networks, or no network
            is small enough for a comparison.
    """
    done = runs[runs["status"] == "complete"]
    table = done.pivot(index="cell_id", columns="replicate", values="test_accuracy")
    wanted = [cell for name in names_of(claim) for cell in series[name]]
    scores = table.reindex(wanted).dropna(axis="columns")
    if scores.shape[1] < 2:
        raise DseError(
            f"{' and '.join(names_of(claim))} have {scores.shape[1]} complete "
            f"replicate{'' if scores.shape[1] == 1 else 's'} in common, so no interval "
            "exists; repeat the sweep with more --seeds"
        )

    def mean(name: str) -> Float[np.ndarray, " replicates"]:
        by_network: np.ndarray = scores.loc[list(series[name])].to_numpy()
        return np.asarray(by_network.mean(axis=0))

    match claim:
        case LosesLittle(series=one, of=other):
            count = len(series[one])
            said = f"{one} less {other}, {count} network{'s' if count > 1 else ''}"
            return Contrast(_difference(mean(one) - mean(other)), said)
        case AddUp(first=first, second=second):
            changes = [mean(after) - mean(before) for after, before in (first, second)]
            losses = [f"{100 * change.mean():+.1f}" for change in changes]
            said = f"{first[1]} {losses[0]}, {second[1]} {losses[1]}: apart"
            return Contrast(_difference(changes[0] - changes[1]), said)
        case MovesFront():
            return _front_contrast(claim, series, done, scores)


def _front_contrast(
    claim: MovesFront, series: Series, done: pd.DataFrame, scores: pd.DataFrame
) -> Contrast:
    by_cell = done[["cell_id", "bytes", "val_accuracy"]].groupby("cell_id").mean()

    def of(names: Sequence[str]) -> pd.DataFrame:
        cells = [cell for name in names for cell in series[name]]
        return by_cell[by_cell.index.isin(cells)]

    ours, others = of(claim.series), of(claim.over)
    front = ours[on_front(ours["bytes"].to_numpy(), ours["val_accuracy"].to_numpy())]
    of_cell = {str(cell): row.to_numpy(float) for cell, row in scores.iterrows()}
    gains: dict[float, Float[np.ndarray, " replicates"]] = {}
    for cell, row in front.sort_values("bytes").iterrows():
        smaller = others[others["bytes"] <= row["bytes"]]
        if len(smaller):
            best = smaller["val_accuracy"].idxmax()
            gain = of_cell[str(cell)] - of_cell[str(best)]
            gains[float(row["bytes"])] = gain
    if not gains:
        raise DseError(
            "no network of the other series is as small as those of "
            f"{' and '.join(claim.series)}; add smaller ones"
        )
    least = min(gains, key=lambda size: float(gains[size].mean()))
    said = (
        f"mean at {len(gains)} of {len(front)} sizes of the front, {min(gains):,.0f} "
        f"to {max(gains):,.0f} bytes, least {100 * gains[least].mean():+.1f} at "
        f"{least:,.0f} bytes (below that the others have no network)"
        if len(gains) < len(front)
        else f"mean at {len(gains)} sizes of the front, {min(gains):,.0f} to "
        f"{max(gains):,.0f} bytes, least {100 * gains[least].mean():+.1f} at "
        f"{least:,.0f} bytes"
    )
    return Contrast(_difference(np.mean([*gains.values()], axis=0)), said)


def _difference(by_replicate: Float[np.ndarray, " replicates"]) -> Difference:
    spread = float(by_replicate.std(ddof=1))
    return Difference(float(by_replicate.mean()), spread, len(by_replicate))


def verdict_of(claim: OfSeries, low: float, high: float) -> Verdict:
    """Whether an interval is on the claim's side of its bounds."""
    match claim:
        case LosesLittle():
            holds, fails = low >= -claim.margin, high < -claim.margin
        case MovesFront():
            holds, fails = low >= claim.margin, high < claim.margin
        case AddUp():
            holds = -claim.margin <= low and high <= claim.margin
            fails = high < -claim.margin or low > claim.margin
    return "PASS" if holds else "FAIL" if fails else "INCONCLUSIVE"


def judge_series(
    claim: OfSeries, series: Series, runs: pd.DataFrame, error: float
) -> Judgement:
    """Judge a claim about series; see `contrast` and `dse.analysis.verdicts.judge`.

    Args:
        claim: the claim.
        series: cells by series.
        runs: the runs of the study, each once.
        error: error rate of each end of the interval.
    """
    measured = contrast(claim, series, runs)
    low, high = measured.difference.interval(error)
    verdict = verdict_of(claim, low, high)
    asked = {
        LosesLittle: f"at least {-100 * claim.margin:+.1f}",
        MovesFront: f"at least {100 * claim.margin:+.1f}",
        AddUp: f"within {100 * claim.margin:.1f}",
    }[type(claim)]
    found = measured.difference
    interval = interval_words(found, low, high)
    finding = f"{measured.detail}: {100 * found.estimate:+.1f} points ({interval}), "
    finding += f"{asked} asked"
    if verdict == "INCONCLUSIVE":
        finding += "; more replicates might decide"
    bound = -claim.margin if isinstance(claim, LosesLittle) else claim.margin
    return Judgement(claim, verdict, finding, found.estimate, low, high, bound)
