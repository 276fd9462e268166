"""Test if the fast form costs accuracy, by training the same replicates in both forms.

    python experiments/benchmarks/agreement.py                 # quick, about 5 minutes
    python experiments/benchmarks/agreement.py --preset full --dataset path/to/cifar10

The reference form (`dse.ops.REFERENCE`, float32) and the form that the device trains in
share a replicate's initial weights, order, augmentation and dropout, so they are
compared pairwise. Float rounding alone makes two trainings of a replicate differ within
an epoch, so only their means can agree. A file under results/benchmarks/ is written.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from machine import RESULTS, write_result

from dse.analysis.comparison import Difference
from dse.data.dataset import Dataset
from dse.data.load import load
from dse.execute.environment import settle_process
from dse.families.squeezenet import SqueezeNet
from dse.machine import has_accelerator
from dse.ops import REFERENCE
from dse.ops.interface import Operations
from dse.runs.cell import Cell
from dse.runs.events import Done, Failed
from dse.study.loading import load_experiment
from dse.study.plan import make_point
from dse.train.memory import MemoryFeed
from dse.train.process import check_jax
from dse.train.run import Trainer


@dataclass(frozen=True)
class Agreement:
    """Compare the device's form with the reference on one cell.

    Attributes:
        preset: quick or full.
        dataset: The embedded set, a folder, or a hub id; by default the preset's.
        sr: Squeeze ratio of the cell.
        pct_3x3: Share of 3x3 filters of the cell.
        replicates: Replicates that each form trains.
        margin: Difference in test accuracy that counts as none, as a share of 1.
        output: Folder of the JSON file.
    """

    preset: str = "quick"
    dataset: str | None = None
    sr: float = 0.5
    pct_3x3: float = 0.5
    replicates: int = 5
    margin: float = 0.01
    output: Path = RESULTS


def main() -> None:
    """Train, compare and write the result."""
    wanted = tyro.cli(Agreement, description=__doc__)
    settle_process(on_gpu=has_accelerator())
    check_jax()
    _, experiment = load_experiment("fig3b")
    preset = experiment.preset(wanted.preset)
    dataset = load(wanted.dataset or preset.dataset)
    point = SqueezeNet(sr=wanted.sr, pct_3x3=wanted.pct_3x3).scaled(preset.width)
    cell = make_point(point, preset.recipe_for(dataset), dataset).cell
    forms = {"reference": REFERENCE, "device": None}
    accuracies = {
        name: train(name, dataset, operations, cell, wanted.replicates)
        for name, operations in forms.items()
    }
    result = {
        "preset": wanted.preset,
        "dataset": dataset.name,
        "metaparameters": point.values,
        **compare(accuracies, wanted.margin),
    }
    print(result["verdict"])
    print(f"wrote {write_result(wanted.output, f'agreement-{wanted.preset}', result)}")


def train(
    name: str,
    dataset: Dataset,
    operations: Operations | None,
    cell: Cell,
    replicates: int,
) -> dict[int, float]:
    """Train replicates, and return the test accuracies of those that are complete."""
    accuracy = {}
    for event in Trainer(MemoryFeed(dataset, operations)).train(
        cell, range(replicates)
    ):
        if isinstance(event, Done):
            accuracy[event.replicate] = event.metrics["test"]["accuracy"]
            print(
                f"{name} form, replicate {event.replicate}: "
                f"{accuracy[event.replicate]:.2%} on test"
            )
        if isinstance(event, Failed):
            print(f"{name} form, replicate {event.replicate}: {event.detail}")
    return accuracy


def compare(accuracies: dict[str, dict[int, float]], margin: float) -> dict[str, Any]:
    """Compare the mean paired difference and its interval with a margin."""
    reference, fast = accuracies.values()
    both = sorted(reference.keys() & fast.keys())
    differences = np.array([fast[r] - reference[r] for r in both])
    if len(both) < 2:
        return {"accuracies": accuracies, "verdict": "too few replicates to compare"}
    mean, deviation = float(differences.mean()), float(differences.std(ddof=1))
    low, high = Difference(mean, deviation, len(both)).interval(0.025)
    if not differences.any():
        low = high = 0.0  # no difference in any replicate
    verdict = (
        "the forms agree"
        if -margin < low and high < margin
        else "the forms DIFFER"
        if low > 0 or high < 0
        else "undecided"
    )
    alone = len(reference.keys() ^ fast.keys())
    return {
        "accuracies": accuracies,
        "mean_difference": mean,
        "interval": [low, high],
        "margin": margin,
        "verdict": f"{verdict}: the device's is {100 * mean:+.2f} points from the "
        f"reference ({100 * low:+.2f} to {100 * high:+.2f}, 95 %; {100 * margin:g} are "
        f"none), {len(both)} replicates, {alone} trained in one form only",
    }


if __name__ == "__main__":
    main()
