"""Loading of experiments by name or from a file."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from dse.errors import DseError
from dse.families import run_file
from dse.study.experiment import Experiment
from dse.study.former import former_names
from dse.study.names import check_name, name_of_file, shipped_experiments
from dse.study.preset import Preset, named_preset
from dse.study.product import Product
from dse.study.settings import experiment_of

MOST_RUNS = 1_000_000
"""Limit of runs in one sweep: at a second each they take twelve days."""


def load_experiment(name: str) -> tuple[str, Experiment]:
    """Load an experiment with its name, by its shipped name or the path of its file.

    Raises:
        DseError: there is none, the file defines none, or its name is not allowed.
    """
    shipped = shipped_experiments()
    if name in shipped:
        called, file = name, shipped[name]
    elif name.endswith(".py") and Path(name).is_file():
        file = Path(name)
        called = name_of_file(file, shipped)
    else:
        raise DseError(
            f"no experiment is called {name!r}; expected {', '.join(shipped)} or the "
            "path of a .py file"
        )
    with former_names(file):
        module = run_file(file, "experiment")
    experiment = getattr(module, "EXPERIMENT", None)
    if not isinstance(experiment, Experiment):
        raise DseError(f"{file} defines no EXPERIMENT = Experiment(...)")
    return called, experiment


Wanted = str | Product | Experiment | tuple[str, Experiment]
"""A shipped name, the path of a file, a product, or an experiment, alone or in a pair
after its name."""


def found(wanted: Wanted) -> tuple[str, Experiment]:
    """Find an experiment and its name; an object alone is named after its title.

    Raises:
        DseError: there is none, or the name is not allowed.
    """
    if isinstance(wanted, str):
        return load_experiment(wanted)
    if isinstance(wanted, Product):
        return experiment_of(wanted)
    if isinstance(wanted, Experiment):
        words = re.sub(r"[^\w]+", "-", wanted.title.lower()).strip("-")
        wanted = words[:60].strip("-"), wanted
    name, experiment = wanted
    return check_name(name), experiment


def load_together(
    names: Wanted | Sequence[Wanted], preset_name: str | None
) -> tuple[dict[str, Experiment], str, Preset]:
    """Load experiments by name, and their common preset with its name.

    Raises:
        DseError: none is given, one does not exist or is given twice, or their presets
            differ.
    """
    one = isinstance(names, str | Product | Experiment)
    listed: list[Any] = [names] if one else list(names)  # type: ignore[arg-type]
    match names:
        case (str(), Experiment()) if isinstance(names, tuple):
            listed = [names]  # an experiment after its name
    if not listed:
        raise DseError("no experiment is given; expected one or more, as fig3b")
    loaded = [found(wanted) for wanted in listed]
    experiments = dict(loaded)
    if len({name.casefold() for name in experiments}) < len(loaded):
        called = ", ".join(name for name, _ in loaded)
        raise DseError(f"an experiment is given twice: {called}; give each once")
    chosen = {n: named_preset(e.presets, preset_name) for n, e in experiments.items()}
    first, *others = chosen
    for other in others:
        if chosen[other] != chosen[first]:
            raise DseError(
                f"{first} and {other} mean different things by the preset "
                f"{chosen[first][0]}; run them one after the other"
            )
    return experiments, *chosen[first]


def check_runs(
    experiments: Iterable[Experiment], preset: Preset, replicates: int | None
) -> None:
    """Check the number of runs, before a dataset is opened.

    Raises:
        DseError: too many runs, or a number of replicates out of range.
    """
    each = preset.replicates_for(replicates)
    cells = sum(experiment.cells for experiment in experiments)
    if each * cells > MOST_RUNS:
        raise DseError(
            f"replicates (--seeds) is {each:,}, and there are {cells:,} cells: "
            f"{each * cells:,} runs; expected {MOST_RUNS:,} at most"
        )
