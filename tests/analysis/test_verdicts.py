"""Verdicts by hand; what cannot be judged is refused by name."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from dse.analysis.verdicts import claims_table, judge
from dse.errors import DseError
from dse.families.nin import Nin
from dse.families.squeezenet import SqueezeNet
from dse.study.claim import Beats, GainsLittle, SizesAsPrinted
from dse.study.experiment import Experiment
from dse.study.loading import load_experiment
from dse.study.presets import PRESETS

RISES = Beats("rises", "5.2", better=0.5, worse=0.125)
LEVEL = GainsLittle("levels off", "5.2", start=0.5, end=1.0, margin=0.02)


def experiment(*claims):
    return Experiment(
        "Some", SqueezeNet(), PRESETS, "sr", (0.125, 0.5, 1.0), claims=claims
    )


def judged_of(wanted, runs):
    """The claims judged; each point is a cell of its own."""
    return judge(wanted, {key: f"cell of {key}" for key in wanted.keyed}, runs)


def frame(scores):
    """Runs by value of SR and replicate; None has failed."""
    return pd.DataFrame(
        [
            {
                "study": "some/set-quick",
                "cell_id": f"cell of {sr}",
                "sr": sr,
                "replicate": replicate,
                "status": "failed" if accuracy is None else "complete",
                "reason": "untrained" if accuracy is None else None,
                "test_accuracy": accuracy,
                "numerics_version": 3,
            }
            for sr, row in scores.items()
            for replicate, accuracy in enumerate(row)
        ]
    )


def study(middle, end, spread):
    noise = spread * np.array([[1, -1, 0], [0, 1, -1], [-1, 0, 1]])
    means = {0.125: 0.6, 0.5: middle, 1.0: end}
    return frame(
        {sr: m + row for (sr, m), row in zip(means.items(), noise, strict=True)}
    )


@pytest.mark.parametrize(
    ("middle", "end", "spread", "verdicts"),
    [
        (0.70, 0.70, 0.001, ["PASS", "PASS"]),
        (0.50, 0.60, 0.001, ["FAIL", "FAIL"]),
        (0.61, 0.64, 0.030, ["INCONCLUSIVE", "INCONCLUSIVE"]),
        # A fall is no gain either.
        (0.70, 0.60, 0.001, ["PASS", "PASS"]),
    ],
)
def test_verdicts(middle, end, spread, verdicts):
    judged = judged_of(experiment(RISES, LEVEL), study(middle, end, spread))
    assert [j.verdict for j in judged] == verdicts
    for j in judged:
        assert j.low < j.estimate < j.high
        # How many would decide is not told: it may be one more, or hundreds.
        undecided = j.finding.endswith("; more replicates might decide")
        assert undecided == (j.verdict == "INCONCLUSIVE")
    assert judged[0].estimate == pytest.approx(middle - 0.6)
    assert judged[1].bound == 0.02


def test_the_level_is_shared_among_the_claims():
    runs = study(0.70, 0.70, 0.01)
    [alone] = judged_of(experiment(RISES), runs)
    first, _ = judged_of(experiment(RISES, LEVEL), runs)
    # Three pairs of replicates: freedom 2.
    widths = [alone.high - alone.low, first.high - first.low]
    quantiles = stats.t.ppf([0.95, 0.975], 2)
    assert widths[1] / widths[0] == pytest.approx(quantiles[1] / quantiles[0])


def test_printed_sizes_need_no_runs_and_a_slip_is_found():
    for name in ("fig3a", "fig3b", "table3"):
        _, shipped = load_experiment(name)
        sizes = [c for c in shipped.claims if isinstance(c, SizesAsPrinted)]
        assert len(sizes) == 1
        alone = Experiment(
            "Sizes",
            shipped.anchor,
            PRESETS,
            shipped.varied,
            shipped.values,
            published=shipped.published,
            claims=sizes,
        )
        [judged] = judged_of(alone, frame({}))
        assert judged.verdict == "PASS"
    claims = (SizesAsPrinted("", "6"),)
    bypasses = {"varied": "bypass", "values": shipped.values, "published": "table 3"}
    naive = Experiment("X", shipped.anchor, PRESETS, **bypasses, claims=claims)
    [judged] = judged_of(naive, frame({}))
    assert judged.verdict == "FAIL"
    assert judged.finding == "complex: 6.06 MiB, printed 7.7"


def test_what_cannot_be_judged_is_refused_by_name():
    wanted = experiment(RISES, LEVEL)
    full = {0.125: [0.6, 0.6], 0.5: [0.7, 0.7], 1.0: [0.7, 0.7]}
    with pytest.raises(DseError, match=r"no run of sr 0\.5 and 1\.0 is complete"):
        judged_of(wanted, frame({0.125: [0.6, 0.6]}))
    stuck = {**full, 0.5: [None, None]}
    with pytest.raises(
        DseError, match=r"every run of sr 0\.5 failed \(untrained\).* 3 or"
    ):
        judged_of(wanted, frame(stuck))
    apart = {0.125: [0.6, 0.6, None], 0.5: [0.7, None, 0.7], 1.0: [0.7] * 3}
    with pytest.raises(DseError, match=r"sr 0\.5 and 0\.125 have no two complete"):
        judged_of(wanted, frame(apart))
    with pytest.raises(DseError, match="one replicate, so no interval exists"):
        judged_of(wanted, frame({sr: row[:1] for sr, row in full.items()}))
    runs = frame(full)
    runs.loc[0, "numerics_version"] = 2
    with pytest.raises(DseError, match="2 numerics versions: 2 and 3"):
        judged_of(wanted, runs)
    runs = frame(full)
    runs.loc[0, "study"] = "some/other-quick"
    with pytest.raises(DseError, match="some/other-quick and some/set-quick"):
        judged_of(wanted, runs)


def test_printed_sizes_are_of_the_papers_width_whatever_is_trained():
    _, shipped = load_experiment("fig3a")
    narrow = replace(shipped, anchor=SqueezeNet(8, 8), claims=shipped.claims[:1])
    [judged] = judged_of(narrow, frame({}))
    assert (judged.verdict, judged.finding) == ("PASS", "5 of 5 sizes")


def test_sizes_are_of_the_values_that_the_experiment_has():
    some = Experiment(
        "X",
        SqueezeNet(sr=0.5),
        PRESETS,
        "pct_3x3",
        (0.125, 0.5),
        published="figure 3(b)",
        claims=(SizesAsPrinted("", "5.3"),),
    )
    [judged] = judged_of(some, frame({}))
    assert (judged.verdict, judged.finding) == ("PASS", "2 of 2 sizes")
    with pytest.raises(DseError, match=r"SizesAsPrinted needs .* a published source"):
        experiment(SizesAsPrinted("", ""))


def test_a_claim_of_no_value_is_refused_with_the_experiment():
    with pytest.raises(DseError, match=r"a claim is of sr 0\.7; expected one of"):
        experiment(Beats("", "", better=0.7, worse=0.5))


def test_a_claim_that_cannot_fail_is_refused():
    sizes = {"published": "figure 3(b)", "claims": (SizesAsPrinted("", "5.3"),)}
    anchor = SqueezeNet(sr=0.5)
    with pytest.raises(DseError, match="a claim of printed sizes is of none: figure 3"):
        Experiment("X", anchor, PRESETS, "pct_3x3", (0.3, 0.7), **sizes)
    for margin in (float("nan"), -0.1, 2, True):
        with pytest.raises(DseError, match="the margin of a claim is"):
            GainsLittle("", "", 0.5, 1.0, margin)


def test_the_table_has_a_row_a_claim():
    judged = judged_of(experiment(RISES, LEVEL), study(0.61, 0.63, 0.03))
    table = claims_table(judged)
    assert table["verdict"].tolist() == ["INCONCLUSIVE"] * 2
    assert table["section"].tolist() == ["5.2", "5.2"]


def test_an_interval_that_tells_nothing_is_not_printed():
    # Differences of 0.4 and -0.4: t(0.95; 1) · 0.57 / √2 = 2.5, beyond any accuracy.
    runs = frame({0.125: [0.5, 0.9], 0.5: [0.9, 0.5]})
    [judgement] = judged_of(experiment(RISES), runs)
    assert np.isnan([judgement.low, judgement.high]).all()
    assert "(2 replicates leave any difference open)" in judgement.finding
    assert judgement.verdict == "INCONCLUSIVE"


def test_equal_differences_decide_nothing():
    runs = frame({0.125: [0.5, 0.6], 0.5: [0.6, 0.7]})
    [judgement] = judged_of(experiment(RISES), runs)
    assert judgement.verdict == "INCONCLUSIVE"
    assert "+10.0 points (the same in all 2 replicates, so no" in judgement.finding


BOTH = {"sr": (0.125, 0.5), "bypass": ("none", "simple")}


@pytest.mark.parametrize("better", [(0.5, "simple"), {"bypass": "simple", "sr": 0.5}])
def test_a_claim_may_be_of_two_factors(better):
    claim = Beats("both help", "", better=better, worse=(0.125, "none"))
    both = Experiment("Both", SqueezeNet(), PRESETS, BOTH, claims=[claim])
    means = {(0.125, "none"): 0.6, (0.5, "none"): 0.5, (0.5, "simple"): 0.7}
    runs = frame({key: [mean, mean + 0.01] for key, mean in means.items()})
    # Equal differences decide nothing: the second gains half a point more.
    runs.loc[runs["cell_id"] == "cell of (0.5, 'simple')", "test_accuracy"] = 0.7, 0.715
    [judged] = judged_of(both, runs)
    assert judged.verdict == "PASS"
    assert judged.estimate == pytest.approx(0.1025)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.5, "a claim is of sr and bypass 0.5; expected one of"),
        ((0.5,), "a claim is of sr and bypass"),
        ((0.5, "simple", 1), "a claim is of sr and bypass"),
        ((0.5, "double"), "bypass is 'double'; expected one of none, simple, complex"),
        ((0.25, "none"), "a claim is of sr and bypass"),
        (
            {"sr": 0.5},
            "a claim is of {'sr': 0.5}; expected a value for each of sr and ",
        ),
        (
            {"sr": 0.5, "bypass": "none", "version": "1.1"},
            "expected a value for each of sr and bypass",
        ),
        ((0.125, "none"), r"a claim compares \(0.125, 'none'\) with itself"),
    ],
)
def test_a_claim_of_no_combination_is_refused(value, said):
    claim = Beats("", "", better=value, worse=(0.125, "none"))
    with pytest.raises(DseError, match=said):
        Experiment("Both", SqueezeNet(), PRESETS, BOTH, claims=[claim])


def test_a_claim_may_be_of_points_by_name():
    points = {"plain": SqueezeNet(), "in network": Nin()}
    claim = Beats("", "", better="in network", worse="plain")
    listed = Experiment("Named", presets=PRESETS, points=points, claims=[claim])
    runs = frame({"plain": [0.6, 0.62, 0.61], "in network": [0.8, 0.81, 0.83]})
    [judged] = judged_of(listed, runs)
    assert judged.verdict == "PASS"
    assert judged.finding.startswith("plain to in network: +20.3 points (")
    with pytest.raises(DseError, match="no run of in network is complete, and a claim"):
        judged_of(listed, frame({"plain": [0.6, 0.62, 0.61]}))
    with pytest.raises(DseError, match="a claim is of 'other'; expected one of plain"):
        replace(listed, claims=[replace(claim, better="other")])


def test_rounding_may_make_one_network_of_two_points():
    runs = frame({0.125: [0.6, 0.61], 1.0: [0.8, 0.82]})
    cells = {0.125: "cell of 0.125", 0.5: "cell of 0.125", 1.0: "cell of 1.0"}
    level = replace(LEVEL, start=0.125, end=0.5)
    rises, same = judge(experiment(RISES, level), cells, runs)
    assert (rises.verdict, same.verdict) == ("FAIL", "PASS")
    assert (same.estimate, same.low, same.high) == (0, 0, 0)
