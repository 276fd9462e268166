"""Verdicts on a paper's claims by a study: PASS, FAIL or INCONCLUSIVE."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace

import pandas as pd

from dse.analysis.comparison import Comparison, compare, error_of_each_end
from dse.analysis.judgement import Judgement, Verdict, interval_words
from dse.analysis.series_verdicts import judge_series
from dse.arch.cost import MEBIBYTE, cost
from dse.errors import DseError
from dse.runs.events import FINAL
from dse.study.claim import (
    Claim,
    GainsLittle,
    Measured,
    OverfitsLess,
    SizesAsPrinted,
    TimesFewer,
    TimesSmaller,
    values_of,
)
from dse.study.experiment import Experiment
from dse.study.series_claim import AddUp, LosesLittle, MovesFront, OfSeries

UNDECIDED = "; more replicates might decide"


def judge(
    experiment: Experiment, cell_of: Mapping[Hashable, str], runs: pd.DataFrame
) -> list[Judgement]:
    """Judge the claims of an experiment by the runs of one study.

    Measured claims are tested on test accuracy by one-sided t-tests, paired over the
    replicates that the two cells share. All their PASS and FAIL are right together with
    95 % (`dse.analysis.comparison`).

    Args:
        experiment: the experiment.
        cell_of: cell ids by key (`Experiment.keyed`).
        runs: results of the study, each run once, with `gap`
            (`dse.analysis.gap.with_gap`).

    Raises:
        DseError: cells are missing, have one replicate, or runs are of several studies
            or numerics versions.
    """
    measured = [claim for claim in experiment.claims if isinstance(claim, Measured)]
    if measured:
        _refuse_mixed(runs)
        _refuse_missing(experiment, measured, cell_of, runs)

    of_points = [claim for claim in measured if not isinstance(claim, OfSeries)]
    scores = {_score_of(claim) for claim in of_points}
    comparisons = {score: compare(runs, score=score) for score in scores}
    series = cells_by_series(experiment, cell_of)
    error = error_of_each_end(len(measured))

    def verdict(claim: Claim) -> Judgement:
        match claim:
            case SizesAsPrinted():
                return _judge_sizes(experiment, claim)
            case TimesFewer():
                return _judge_factor(claim)
            case LosesLittle() | AddUp() | MovesFront():
                return judge_series(claim, series, runs, error)
        comparison = comparisons[_score_of(claim)]
        judged = _judge_measured(experiment, claim, cell_of, comparison, error)
        if isinstance(claim, TimesSmaller):
            return _with_sizes(judged, claim, *_sizes(experiment, claim, cell_of, runs))
        return judged

    return [verdict(claim) for claim in experiment.claims]


def claims_table(judgements: Sequence[Judgement]) -> pd.DataFrame:
    """Make a table of judgements, one row per claim."""
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


def cells_by_series(
    experiment: Experiment, cell_of: Mapping[Hashable, str]
) -> dict[str, list[str]]:
    """Ids of cells by series; the keys of `cell_of` are in the order of the series."""
    cells = list(cell_of.values())
    found, begun = {}, 0
    for name, points in experiment.series.items():
        found[name] = cells[begun : begun + len(points)]
        begun += len(points)
    return found


def _score_of(claim: Measured) -> str:
    """Column of the runs that a claim is about."""
    return "gap" if isinstance(claim, OverfitsLess) else "test_accuracy"


def _judge_measured(
    experiment: Experiment,
    claim: Measured,
    cell_of: Mapping[Hashable, str],
    comparison: Comparison,
    error_rate: float,
) -> Judgement:
    first, second = map(experiment.key_of, values_of(claim))
    bound = 0.0
    if isinstance(claim, GainsLittle):
        bound = claim.margin
    elif isinstance(claim, TimesSmaller):
        bound = -claim.margin
    try:
        difference = comparison.difference(cell_of[second], cell_of[first])
    except DseError as error:
        raise DseError(
            f"{_called(experiment, second, first)} have no two complete replicates "
            "in common, so no interval exists; repeat the sweep with more --seeds"
        ) from error
    low, high = difference.interval(error_rate)
    is_one_network = cell_of[first] == cell_of[second]  # by rounding
    if is_one_network:
        low = high = 0.0
    above, below = low > bound, high <= bound
    little = isinstance(claim, GainsLittle)
    holds, fails = (below, above) if little else (above, below)
    verdict: Verdict = "PASS" if holds else "FAIL" if fails else "INCONCLUSIVE"
    interval = interval_words(difference, low, high)
    if is_one_network:
        interval = "both are one network here"
    points = f"{100 * difference.estimate:+.1f} points"
    what = " of train less test accuracy" if isinstance(claim, OverfitsLess) else ""
    finding = f"{_worded(first)} to {_worded(second)}: {points}{what} ({interval})"
    if isinstance(claim, GainsLittle):
        finding += f", at most {100 * bound:+.1f} asked"
    if isinstance(claim, TimesSmaller):
        finding += f", at least {100 * bound:+.1f} asked"
    if verdict == "INCONCLUSIVE":
        finding += UNDECIDED
    return Judgement(claim, verdict, finding, difference.estimate, low, high, bound)


def _sizes(
    experiment: Experiment,
    claim: TimesSmaller,
    cell_of: Mapping[Hashable, str],
    runs: pd.DataFrame,
) -> tuple[float, float]:
    """Mean bytes of the files of the smaller and of the larger point."""
    done = runs[runs["status"] == "complete"]
    sizes = done.groupby("cell_id")["bytes"].mean()
    keys = [experiment.key_of(x) for x in (claim.smaller, claim.larger)]
    smaller, larger = (float(sizes[cell_of[key]]) for key in keys)
    return smaller, larger


def _with_sizes(
    judged: Judgement, claim: TimesSmaller, smaller: float, larger: float
) -> Judgement:
    """Judge the sizes of files too, which need no interval."""
    times = larger / smaller
    finding = (
        f"{times:.1f} times, {larger:,.0f} to {smaller:,.0f} bytes, {claim.factor:g} "
        f"asked; {judged.finding}"
    )
    if times >= claim.factor:
        return replace(judged, finding=finding)
    # More replicates would not change the size.
    return replace(judged, verdict="FAIL", finding=finding.removesuffix(UNDECIDED))


def _judge_factor(claim: TimesFewer) -> Judgement:
    """Compare a printed factor with the exact one, in its significant digits."""
    networks = [x.published_network() for x in (claim.smaller, claim.larger)]
    counts = [cost(network).params for network in networks]
    factor = counts[1] / counts[0]
    digits = len(f"{claim.factor:.15g}".replace(".", "").rstrip("0"))
    rounded = float(f"{factor:.{digits}g}")
    return Judgement(
        claim,
        "PASS" if rounded == claim.factor else "FAIL",
        f"{factor:.1f} times: {counts[0]:,} and {counts[1]:,} parameters",
    )


def _judge_sizes(experiment: Experiment, claim: SizesAsPrinted) -> Judgement:
    """Compare printed sizes with exact ones, within a unit of the last digit."""
    slips = {experiment.key_of(value) for value in claim.slips}
    wrong, counted = [], 0
    for key, printed in experiment.printed.items():
        if key in slips or printed.size_mib is None:
            continue
        counted += 1
        size = cost(printed.point.published_network()).bytes_fp32 / MEBIBYTE
        unit = 1.0 if printed.size_mib >= 10 else 0.1
        if abs(size - printed.size_mib) >= unit:
            wrong.append(f"{key}: {size:.2f} MiB, printed {printed.size_mib:g}")
    if wrong:
        return Judgement(claim, "FAIL", "; ".join(wrong))
    return Judgement(claim, "PASS", f"{counted} of {counted} sizes")


def _refuse_mixed(runs: pd.DataFrame) -> None:
    """Refuse runs of several studies or numerics versions as not comparable."""
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
    experiment: Experiment,
    claims: Sequence[Claim],
    cell_of: Mapping[Hashable, str],
    runs: pd.DataFrame,
) -> None:
    """Check that every value named by a claim has a completed run."""
    named = [experiment.key_of(value) for claim in claims for value in values_of(claim)]
    done = set(runs.loc[runs["status"] == "complete", "cell_id"])
    missing = [key for key in dict.fromkeys(named) if cell_of[key] not in done]
    final = runs[runs["reason"].isin(FINAL)]
    failed = [key for key in missing if cell_of[key] in set(final["cell_id"])]
    if failed:
        raise DseError(
            f"every run of {_called(experiment, *failed)} failed "
            f"({', '.join(final['reason'].unique())}), and a claim needs one; repeat "
            f"the sweep with --seeds {runs['replicate'].max() + 2} or more"
        )
    if missing:
        raise DseError(
            f"no run of {_called(experiment, *missing)} is "
            "complete, and a claim needs it; dse reproduce trains what is missing"
        )


def _called(experiment: Experiment, *keys: Hashable) -> str:
    """Format points for a message: `sr 0.5 and 0.75`."""
    names = ", ".join(experiment.factors)
    return f"{names} {' and '.join(map(_worded, keys))}".strip()


def _worded(key: Hashable) -> str:
    """Format a key: a value, or values of several factors."""
    return "/".join(map(str, key)) if isinstance(key, tuple) else str(key)
