"""From a name or a file to an experiment."""

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
"""Of one sweep: at a second each they take twelve days."""


def load_experiment(name: str) -> tuple[str, Experiment]:
    """The experiment that a shipped name or a path to a file means, with its name.

    Raises:
        DseError: there is none, the file holds none, or is called as another thing.
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
"""A shipped name, the path of a file, the words of a product, or an experiment, perhaps
with its name."""


def found(wanted: Wanted) -> tuple[str, Experiment]:
    """An experiment with its name; one at hand is called by its title's words.

    Raises:
        DseError: there is none, or it cannot be called so.
    """
    if isinstance(wanted, str):
        return load_experiment(wanted)
    if isinstance(wanted, Product):
        return experiment_of(wanted)
    if isinstance(wanted, Experiment):
        words = re.sub(r"[^\w]+", "-", wanted.title.lower()).strip("-")
        wanted = words[:60].strip("-"), wanted
    name, experiment = wanted
    return check_name(name, shipped_experiments()), experiment


def load_together(
    names: Wanted | Sequence[Wanted], preset_name: str | None
) -> tuple[dict[str, Experiment], str, Preset]:
    """Experiments by name, and the preset under which all of them train, with its name.

    Raises:
        DseError: there is none, one is not there or there twice, or its preset is not
            that of the others.
    """
    one = isinstance(names, str | Product | Experiment)
    listed: list[Any] = [names] if one else list(names)  # type: ignore[arg-type]
    if isinstance(names, tuple) and names and isinstance(names[-1], Experiment):
        listed = [names]  # with its name
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
    """Refuse more runs than anybody waits for, before a dataset is opened.

    Raises:
        DseError: so many replicates are asked, or they make too many runs.
    """
    each = preset.replicates_for(replicates)
    cells = sum(experiment.cells for experiment in experiments)
    if each * cells > MOST_RUNS:
        raise DseError(
            f"replicates (--seeds) is {each:,}, and there are {cells:,} cells: "
            f"{each * cells:,} runs; expected {MOST_RUNS:,} at most"
        )
