"""Claims about whole series, judged by frames whose answers were worked out by hand."""

import math

import pandas as pd
import pytest
from scipy import stats

from dse.analysis.series_verdicts import contrast, judge_series
from dse.analysis.verdicts import judge
from dse.errors import DseError
from dse.families.squeezenet import SqueezeNet
from dse.runs.recipe import Recipe
from dse.runs.staged import Staged
from dse.runs.stages import Prune
from dse.study.claim import TimesSmaller
from dse.study.experiment import Experiment
from dse.study.preset import Preset
from dse.study.series_claim import AddUp, LosesLittle, MovesFront

SERIES = {
    "wide": ["a", "b"],
    "wide, pruned": ["c", "d"],
    "small": ["e", "f"],
    "small, pruned": ["g", "h"],
}
BYTES = dict(zip("abcdefgh", (800, 400, 200, 100, 200, 50, 40, 20), strict=True))


def frame(scores, val=None, size=BYTES):
    """Runs whose test accuracies are `scores`, in per cent, by cell and replicate."""
    rows = [
        {
            "study": "s/x-quick",
            "numerics_version": 3,
            "cell_id": cell,
            "replicate": replicate,
            "status": "complete" if score is not None else "failed",
            "reason": None if score is not None else "diverged",
            "test_accuracy": math.nan if score is None else score / 100,
            "val_accuracy": (val or {}).get(cell, 50) / 100,
            "bytes": size[cell],
        }
        for cell, listed in scores.items()
        for replicate, score in enumerate(listed)
    ]
    return pd.DataFrame(rows)


def test_a_loss_is_the_mean_over_the_networks_in_each_replicate():
    claim = LosesLittle("s", "ours", "wide, pruned", "wide", 0.005)
    runs = frame({"a": [80, 81, 82], "b": [60, 61, 62], "c": [79, 80, 82],
                  "d": [60, 62, 61]})  # fmt: skip
    # By replicate: ((79 - 80) + (60 - 60)) / 2 = -0.5, (-1 + 1) / 2 = 0, (0 - 1) / 2.
    found = contrast(claim, SERIES, runs).difference
    assert found.pairs == 3
    assert found.estimate == pytest.approx(-1 / 300)
    assert found.deviation == pytest.approx(math.sqrt(1 / 12) / 100)
    judged = judge_series(claim, SERIES, runs, 0.05)
    half = stats.t.ppf(0.95, 2) * math.sqrt(1 / 12) / 100 / math.sqrt(3)
    assert judged.low == pytest.approx(-1 / 300 - half)
    assert judged.verdict == "INCONCLUSIVE"
    assert judged.finding.startswith("wide, pruned less wide, 2 networks: -0.3 points")
    assert "at least -0.5 asked; more replicates" in judged.finding


@pytest.mark.parametrize(
    ("pruned", "verdict"),
    [((70.0, 70.1), "PASS"), ((69.8, 69.9), "PASS"), ((66.0, 66.1), "FAIL"),
     ((60.0, 75.0), "INCONCLUSIVE")],
)  # fmt: skip
def test_verdicts_of_a_loss(pruned, verdict):
    claim = LosesLittle("s", "ours", "wide, pruned", "wide", 0.015)
    low, high = pruned
    level = [70, 70.05, 70, 70.05]
    runs = frame({"a": level, "b": level, "c": [low, high] * 2, "d": [low, high] * 2})
    assert judge_series(claim, SERIES, runs, 0.05).verdict == verdict


@pytest.mark.parametrize(
    ("change", "verdict"), [(2.0, "PASS"), (3.5, "FAIL"), (2.45, "INCONCLUSIVE")]
)
def test_changes_add_up_within_a_margin_on_both_sides(change, verdict):
    claim = AddUp("s", "ours", ("wide, pruned", "wide"), ("small, pruned", "small"),
                  0.005)  # fmt: skip
    shake = [0.0, 0.1, 0.2]
    for sign in (1, -1):
        runs = frame({
            "a": [80.0] * 3, "b": [80.0] * 3,
            "c": [78 + x for x in shake], "d": [78 + x for x in shake],
            "e": [70.0] * 3, "f": [70.0] * 3,
            "g": [70.0 - 1.9 - sign * (change - 2)] * 3,
            "h": [70.0 - 1.9 - sign * (change - 2)] * 3,
        })  # fmt: skip
        found = contrast(claim, SERIES, runs).difference
        assert found.estimate == pytest.approx(sign * (change - 2) / 100)
        assert judge_series(claim, SERIES, runs, 0.05).verdict == verdict


def test_a_front_is_chosen_by_validation_and_compared_at_equal_bytes():
    claim = MovesFront("s", "ours", ("wide, pruned",), ("small", "small, pruned"), 0.01)
    val = {"c": 60, "d": 55, "e": 59, "f": 52, "g": 58, "h": 40}
    runs = frame({"c": [71, 72], "d": [66, 68], "e": [90, 90], "f": [1, 1],
                  "g": [65, 65], "h": [3, 3]}, val)  # fmt: skip
    # c (200 bytes) against e (59 % by validation), d (100 bytes) against g (58 %).
    found = contrast(claim, SERIES, runs)
    assert found.difference.estimate == pytest.approx((-19 - 18 + 1 + 3) / 4 / 100)
    assert "mean at 2 sizes of the front, 100 to 200 bytes" in found.detail
    assert "least -18.5 at 200 bytes" in found.detail
    # Below the smallest of the others there is nothing to compare with.
    size = {**BYTES, "d": 10}
    found = contrast(claim, SERIES, frame({"c": [71, 72], "d": [66, 68], "e": [90, 90],
                     "f": [1, 1], "g": [65, 65], "h": [3, 3]}, val, size))  # fmt: skip
    assert "mean at 1 of 2 sizes of the front" in found.detail
    nothing = {**BYTES, "c": 10, "d": 10}
    with pytest.raises(DseError, match="no network of the other series is as small"):
        contrast(claim, SERIES, frame({x: [50, 60] for x in "cdefgh"}, val, nothing))


def test_a_replicate_counts_only_where_all_networks_completed_it():
    claim = LosesLittle("s", "ours", "wide, pruned", "wide", 0.005)
    scores = {"a": [80, 81, None], "b": [60, 61, 62], "c": [79, 80, 1],
              "d": [60, 61, 1]}  # fmt: skip
    assert contrast(claim, SERIES, frame(scores)).difference.pairs == 2
    with pytest.raises(DseError, match="wide, pruned and wide have 1 complete repli"):
        contrast(claim, SERIES, frame({**scores, "d": [60, None, 1]}))
    with pytest.raises(DseError, match="have 0 complete replicates in common"):
        contrast(claim, SERIES, frame({x: scores[x] for x in "abc"}))


PRESETS = {"quick": Preset(width=1, replicates=2, recipe=Recipe(1, 0.1))}
NETWORKS = [SqueezeNet(base_e=8, incr_e=8, sr=sr) for sr in (0.25, 0.5)]
PRUNED = [Staged(network, (Prune(0.5),)) for network in NETWORKS]


def experiment(claim, points=None):
    points = points or {"plain": NETWORKS, "pruned": PRUNED}
    return Experiment("T", presets=PRESETS, points=points, claims=[claim])


def test_an_experiment_has_the_series_of_its_claims():
    loses = LosesLittle("s", "ours", "pruned", "plain", 0.005)
    made = experiment(loses)
    cells = dict(zip(made.keyed, "abcd", strict=True))
    runs = frame({"a": [80, 81], "b": [60, 61], "c": [79, 80], "d": [60, 61]})
    [judged] = judge(made, cells, runs)
    assert judged.estimate == pytest.approx(-0.005)
    with pytest.raises(DseError, match="a claim is of the series 'prune'"):
        experiment(LosesLittle("s", "ours", "prune", "plain", 0.005))
    with pytest.raises(DseError, match="expected the same networks in the same order"):
        experiment(loses, {"plain": NETWORKS[::-1], "pruned": PRUNED})
    with pytest.raises(DseError, match="the margin of a claim"):
        LosesLittle("s", "ours", "pruned", "plain", -1.0)


@pytest.mark.parametrize(
    ("size", "pruned", "verdict"),
    [
        (10, (79.8, 80.1), "PASS"),
        (11, (79.8, 80.1), "FAIL"),  # 9.1 times
        (10, (75.0, 75.3), "FAIL"),
        (10, (60.0, 95.0), "INCONCLUSIVE"),
        (11, (60.0, 95.0), "FAIL"),
    ],
)
def test_a_smaller_file_must_be_as_small_as_said_and_as_accurate(size, pruned, verdict):
    claim = TimesSmaller("s", "4", "small", "large", factor=10, margin=0.005)
    points = {"large": NETWORKS[0], "small": PRUNED[0]}
    made = Experiment("T", presets=PRESETS, points=points, claims=[claim])
    runs = frame({"a": [80, 80.1] * 2, "b": [*pruned] * 2}, size={"a": 100, "b": size})
    [judged] = judge(made, {"large": "a", "small": "b"}, runs)
    assert judged.verdict == verdict
    assert judged.finding.startswith(f"{100 / size:.1f} times, 100 to {size} bytes, 10")
    undecided = judged.finding.endswith("; more replicates might decide")
    assert undecided == (verdict == "INCONCLUSIVE")
    assert judged.bound == -0.005


def test_numbers_beside_points_are_numbers_of_points():
    points = {"large": NETWORKS[0], "small": PRUNED[0]}

    def beside(numbers):
        return Experiment("T", presets=PRESETS, points=points, beside=numbers)

    assert beside({"large": {"MB": 240}}).beside == {"large": {"MB": 240}}
    with pytest.raises(DseError, match="beside the point 'larg'; expected some of"):
        beside({"larg": {"MB": 240}})
    with pytest.raises(DseError, match="MB beside the point large is 'big'; expected"):
        beside({"large": {"MB": "big"}})
    with pytest.raises(DseError, match="beside the point large is 3; expected numbers"):
        beside({"large": 3})
