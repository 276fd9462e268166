"""What of a network fits on a chip, and what a prediction costs in energy."""

from pathlib import Path

import pandas as pd

from dse.analysis.energy import Demand, Fit, fit
from dse.bounds import read_bytes
from dse.errors import DseError
from dse.report.fit import write_fit
from dse.store import DEFAULT_STORAGE
from dse.store.database import Store, open_store
from dse.store.query import study_called, view
from dse.store.recorded import run_named

FORMS = ("32-bit floats", "8 bits", "as kept")
"""Forms of weights: all networks have the first two, `as kept` is the run's file."""
BYTES_FP32 = 4


def fit_run(run: int, sram: int | str, storage: str = DEFAULT_STORAGE) -> pd.DataFrame:
    """What of a run's network fits in so much memory, and its energy, a row a form.

    See `dse.analysis.energy` for what is assumed.

    Args:
        run: the `run_id` of a complete run.
        sram: on-chip memory, in bytes or as 512KiB.
        storage: database URL.

    Raises:
        DseError: there is no such run, or the size is none.
    """
    size = sram if isinstance(sram, int) else read_bytes("sram", sram)
    store = open_store(storage, create=False)
    cell_id, _ = run_named(store, run)
    runs, cells = view(store, "runs"), view(store, "cells")
    row = runs[runs["run_id"] == run].to_dict("records")[0]
    peak = cells.loc[cells["cell_id"] == cell_id, "peak_activations"].iloc[0]
    weights = (row["bytes_fp32"], row["params"], row["bytes"])
    demands = [
        Demand(
            float(count),
            BYTES_FP32 * float(peak),
            BYTES_FP32 * float(row["activations"]),
            float(row["macs"]),
            integers=form == "8 bits",
        )
        for form, count in zip(FORMS, weights, strict=True)
    ]
    rows = [_row(x, fit(x, size)) for x in demands]
    return pd.DataFrame(rows, index=pd.Index(FORMS, name="weights"))


def fit_study(
    study: str, sram: int | str, storage: str = DEFAULT_STORAGE
) -> tuple[pd.DataFrame, Path]:
    """The same for every cell of a study, as its files are kept, with a figure.

    Args:
        study: its name.
        sram: on-chip memory, in bytes or as 512KiB.
        storage: database URL.

    Returns:
        A row a cell, and the folder with `fit.csv` and the figure `fit.png`.

    Raises:
        DseError: there is no such study, none of its runs is complete, or the size is
            none.
    """
    size = sram if isinstance(sram, int) else read_bytes("sram", sram)
    store = open_store(storage, create=False)
    record = study_called(store, study)
    cells = _scored(store, study)
    demands = [
        Demand(
            row["mean_bytes"],
            BYTES_FP32 * row["peak_activations"],
            BYTES_FP32 * row["activations"],
            row["macs"],
        )
        for row in cells.to_dict("records")
    ]
    rows = pd.DataFrame([_row(x, fit(x, size)) for x in demands])
    return write_fit(store, record, cells, rows, size)


def _scored(store: Store, study: str) -> pd.DataFrame:
    cells = view(store, "cells", study).sort_values("position", kind="stable")
    cells = cells[cells["complete"] > 0].drop_duplicates("cell_id")
    if cells.empty:
        raise DseError(f"no run of {study} is complete, so there is nothing to place")
    return cells.reset_index(drop=True)


def _row(demand: Demand, found: Fit) -> dict[str, object]:
    return {
        "weight_bytes": round(demand.weights),
        "peak_activation_bytes": round(demand.activations),
        "weights_in": found.weights_in,
        "activations_in": found.activations_in,
        "weight_microjoules": found.weight_picojoules / 1e6,
        "activation_microjoules": found.activation_picojoules / 1e6,
        "arithmetic_microjoules": found.arithmetic_picojoules / 1e6,
        "microjoules": found.microjoules,
    }
