"""A database of made-up runs, with rows of the size of real ones."""

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Table, insert

from dse.arch.cost import cost
from dse.families.squeezenet import SqueezeNet
from dse.runs.recipe import Recipe
from dse.runs.records import point_key
from dse.store import schema
from dse.store.database import Store
from dse.store.families import enter_families

SHARED_BY = 10
"""Number of studies that train the same architectures, each with its own recipe."""
LARGE = "large/pretended-quick"
ROWS_AT_ONCE = 20_000
MORNING = datetime.datetime(2026, 1, 1, 8)


@dataclass(frozen=True)
class Sizes:
    """Numbers of the rows.

    Attributes:
        studies: Studies; one more has the cells of ten of them.
        cells: Cells of each study.
        replicates: Runs of each cell.
        epochs: Epochs whose metrics each run has.
    """

    studies: int = 100
    cells: int = 500
    replicates: int = 2
    epochs: int = 3

    def cell(self, study: int, index: int) -> str:
        """Id of a study's cell."""
        return f"{study * self.cells + index:016x}"

    def architecture(self, study: int, index: int) -> int:
        """Number of a cell's architecture."""
        return study % self.groups * self.cells + index

    @property
    def groups(self) -> int:
        """Number of groups of architectures, one for ten studies."""
        return -(-self.studies // SHARED_BY)


def fill(store: Store, sizes: Sizes) -> None:
    """Insert all rows in bulk, in one transaction."""
    enter_families(store, [SqueezeNet()])
    with store.writing() as connection:
        for table, rows in (
            (schema.architectures, _architectures(sizes)),
            (schema.studies, _studies(sizes)),
            (schema.cells, _cells(sizes)),
            (schema.study_cells, _points(sizes)),
            (schema.runs, _runs(sizes)),
            (schema.metrics, _metrics(sizes)),
        ):
            _insert(connection, table, rows)


def _insert(
    connection: Connection, table: Table, rows: Iterator[dict[str, Any]]
) -> None:
    while some := list(islice(rows, ROWS_AT_ONCE)):
        connection.execute(insert(table), some)


def name_of(study: int) -> str:
    """Name of a study."""
    return f"study{study:03}/pretended-quick"


def _architectures(sizes: Sizes) -> Iterator[dict[str, Any]]:
    network = SqueezeNet().architecture((32, 32, 3), 10)
    costs, graph = cost(network), network.to_json()
    for number in range(sizes.groups * sizes.cells):
        yield {
            "id": f"{number:016x}",
            "graph": graph,
            "params": costs.params + number,
            "macs": costs.macs + number,
            "activations": costs.activations,
            "peak_activations": costs.peak_activations,
        }


def _studies(sizes: Sizes) -> Iterator[dict[str, Any]]:
    for name in [LARGE, *map(name_of, range(sizes.studies))]:
        yield {
            "name": name,
            "experiment": name.split("/")[0],
            "preset": "quick",
            "dataset": "pretended",
            "dataset_fingerprint": "pretended",
            "recipe": Recipe(sizes.epochs, 0.1).to_json(),
            "numerics_version": 1,
            "replicates": sizes.replicates,
        }


def _cells(sizes: Sizes) -> Iterator[dict[str, Any]]:
    for study in range(sizes.studies):
        recipe = Recipe(sizes.epochs, 0.1, seed=study).to_json()
        for index in range(sizes.cells):
            yield {
                "id": sizes.cell(study, index),
                "arch_id": f"{sizes.architecture(study, index):016x}",
                "recipe": recipe,
                "dataset": "pretended",
                "dataset_fingerprint": "pretended",
                "class_names": [f"class {label}" for label in range(10)],
                "numerics_version": 1,
            }


def _points(sizes: Sizes) -> Iterator[dict[str, Any]]:
    for study in range(sizes.studies):
        for index in range(sizes.cells):
            share = index / sizes.cells
            point = SqueezeNet(sr=study / sizes.studies, pct_3x3=share)
            row = {
                "study": name_of(study),
                "point": point_key(point.name, point.values),
                "position": index,
                "cell_id": sizes.cell(study, index),
                "family": point.name,
                "metaparameters": point.values,
                "derived": dict(point.derived()),
                "note": point.note(),
            }
            yield row
            if study < SHARED_BY:
                yield row | {"study": LARGE, "position": study * sizes.cells + index}


def _runs(sizes: Sizes) -> Iterator[dict[str, Any]]:
    """Rows of runs: one cell of the first study is running, one run in 50 failed."""
    runs = sizes.studies * sizes.cells * sizes.replicates
    for number in range(runs):
        cell, replicate = divmod(number, sizes.replicates)
        failed, running = number % 50 == 1, cell == sizes.cells - 1
        scores = None if failed or running else 0.5 + number / runs / 2
        spent = None if scores is None else 20.0
        yield {
            "cell_id": f"{cell:016x}",
            "replicate": replicate,
            "seed": 0,
            "status": "running" if running else "failed" if failed else "complete",
            "reason": "untrained" if failed and not running else None,
            "detail": "train accuracy 0.1 is that of chance, 0.1" if failed else None,
            "tries": 1,
            "val_accuracy": scores,
            "test_accuracy": scores,
            "epochs": sizes.epochs,
            "train_seconds": spent,
            "step_seconds": spent,
            "compile_seconds": spent,
            "device": "cpu",
            "code_version": "0.1.0",
            "created_at": MORNING + datetime.timedelta(seconds=10 * number),
        }


def _metrics(sizes: Sizes) -> Iterator[dict[str, Any]]:
    named = {"train": ("loss", "accuracy", "images_per_second")}
    named["validation"] = ("loss", "accuracy")
    for run in range(1, 1 + sizes.studies * sizes.cells * sizes.replicates):
        for epoch in range(1, 1 + sizes.epochs):
            for split, names in named.items():
                for name in names:
                    key = {"run_id": run, "split": split, "epoch": epoch, "name": name}
                    yield key | {"value": 0.5}
