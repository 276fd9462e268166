"""Write the golden files: what must stay, whatever is rebuilt.

    python tests/golden/make_golden.py

They are written once. To write them again is to say that identities of stored results
may change: the commit that does it has to say why, and `NUMERICS_VERSION` or the schema
goes up with it. Two minutes on two cores.
"""

import contextlib
import json
import random
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

import dse
from dse.arch.cost import cost
from dse.data.load import load
from dse.families.squeezenet import SqueezeNet
from dse.runs.events import Checkpointed
from dse.store.database import Store, open_store
from dse.store.query import load_network, view
from dse.study.loading import load_experiment
from dse.study.names import shipped_experiments
from dse.study.plan import make_plans
from dse.train.members import Saving
from dse.train.memory import MemoryFeed
from dse.train.run import Trainer

HERE = Path(__file__).parent
POINTS = 200
INPUTS = ((227, 227, 3), (224, 224, 3), (64, 48, 3), (32, 32, 3), (28, 28, 1))
SMALL = """
from dse.families.squeezenet import SqueezeNet
from dse.runs.recipe import Recipe
from dse.study.experiment import Experiment
from dse.study.preset import Preset

EXPERIMENT = Experiment(
    title="Small",
    anchor=SqueezeNet(sr=0.5),
    varied="pct_3x3",
    values=(0.25, 0.75),
    presets={
        "quick": Preset(
            width=4 / 128, replicates=2, recipe=Recipe(2, 0.05, batch_size=64)
        )
    },
)
"""
ARMS = """
from dse.families.squeezenet import SqueezeNet
from dse.runs.recipe import Recipe
from dse.study.experiment import Experiment
from dse.study.preset import Preset

EXPERIMENT = Experiment(
    title="Arms",
    anchor=SqueezeNet(sr=0.5),
    presets={
        "quick": Preset(
            width=4 / 128, replicates=1, recipe=Recipe(1, 0.05, batch_size=64)
        )
    },
    arms={"first": {}, "wild": {"peak_learning_rate": 1e6, "clip_norm": None}},
)
"""


def a_point(draw: random.Random) -> SqueezeNet:
    """Metaparameters as they fall, the usual values among them."""
    pools = ["version", "version", "1,4,8", "1,2,3", "5", "1,9"]
    return SqueezeNet(
        base_e=draw.choice([1, 8, 16, 64, 128, draw.randint(1, 300)]),
        incr_e=draw.choice([0, 8, 16, 128, draw.randint(0, 200)]),
        freq=draw.choice([1, 2, 3, 8]),
        sr=draw.choice([0.0, 0.125, 0.25, 0.5, 0.75, 1.0, draw.random()]),
        pct_3x3=draw.choice([0.0, 0.01, 0.25, 0.5, 0.99, 1.0, draw.random()]),
        bypass=draw.choice(["none", "none", "simple", "complex"]),
        version=draw.choice(["1.0", "1.0", "1.1"]),
        pools=draw.choice(pools),
    )


def networks() -> list[dict[str, Any]]:
    """Identities and costs of points, inputs and numbers of classes."""
    draw, told = random.Random(0), []
    while len(told) < POINTS:
        shape, classes = draw.choice(INPUTS), draw.choice([2, 10, 1000])
        point = a_point(draw)
        try:
            network = point.architecture(shape, classes)
            costs = cost(network)
        except dse.DseError:  # too many pools for so small an input
            continue
        told.append(
            {
                "metaparameters": point.values,
                "input": shape,
                "classes": classes,
                "id": network.id,
                "params": costs.params,
                "macs": costs.macs,
                "activations": costs.activations,
                "peak_activations": costs.peak_activations,
            }
        )
    return told


def cells() -> dict[str, dict[str, list[str]]]:
    """By experiment and study the cells of every shipped preset, embedded images."""
    dataset = load()
    told = {}
    for name in sorted(shipped_experiments()):
        _, experiment = load_experiment(name)
        told[name] = {
            plan.study.name: [point.cell.id for point in plan.points]
            for preset in experiment.presets
            for plan in make_plans(name, experiment, preset, dataset)
        }
    return told


def database(folder: Path) -> None:
    """A database with all that one can have, in the working folder.

    Complete and diverged runs, weights, logs, a search with its Optuna study, and the
    checkpoint of a run that is to be gone on with.
    """
    with contextlib.chdir(folder):
        Path("small.py").write_text(SMALL)
        Path("arms.py").write_text(ARMS)
        dse.sweep("small.py", dse.Options(seeds=2))
        dse.sweep("arms.py")
        small = dse.Budget(max_bytes=60_000)
        dse.search(dse.Options(), budget=small, trials=2, batch=2)
        dataset = load()
        _, experiment = load_experiment("small.py")
        [plan] = make_plans("small", experiment, "quick", dataset)
        cell = plan.points[0].cell
        trainer = Trainer(MemoryFeed(dataset), Path("results"), Saving(0.0))
        for event in trainer.train(cell, (2,)):
            if isinstance(event, Checkpointed):
                break


def rows(store: Store) -> dict[str, list[dict[str, Any]]]:
    """What the views say, and of each complete run the sum of each layer's weights."""
    told = {}
    for name in ("runs", "cells", "epochs"):
        frame = view(store, name)
        frame = frame.assign(**{x: frame[x].astype(str) for x in frame if "_at" in x})
        told[name] = json.loads(frame.to_json(orient="records", double_precision=15))
    complete = [run["run_id"] for run in told["runs"] if run["status"] == "complete"]
    told["weights"] = [
        {
            "run_id": run,
            "sums": {
                f"{layer}/{part}": float(np.sum(values, dtype=np.float64))
                for layer, parts in load_network(store, run).weights.items()
                for part, values in parts.items()
            },
        }
        for run in dict.fromkeys(complete)
    ]
    return told


def main() -> None:
    """Write all of them."""
    for name, made in (("networks", networks()), ("cells", cells())):
        (HERE / f"{name}.json").write_text(json.dumps(made, indent=1) + "\n")
    with tempfile.TemporaryDirectory() as folder:
        database(Path(folder))
        store = open_store(f"sqlite:///{folder}/results/dse.db")
        (HERE / "rows.json").write_text(json.dumps(rows(store), indent=1) + "\n")
        with zipfile.ZipFile(HERE / "schema3.zip", "w", zipfile.ZIP_DEFLATED) as kept:
            for file in sorted(Path(folder).rglob("*")):
                if file.is_file() and not file.name.endswith((".pyc", ".lock")):
                    kept.write(file, file.relative_to(folder))
    print(f"wrote {', '.join(sorted(file.name for file in HERE.iterdir()))}")


if __name__ == "__main__":
    main()
