"""Make a worker import the packages of its driver, from the same places."""

import os
import sys
import sysconfig
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

PINNED = ("dse", "jax", "jaxlib", "flax", "optax", "numpy")
"""Packages that train: a worker and its driver import each from the same place."""


def import_variables() -> dict[str, str]:
    """Variables that give a worker the module search path of this process.

    The working folder and the script's folder are left out: they hold the user's own
    files, and a file called queue.py must not hide a module. Relative entries of
    PYTHONPATH come last, so that they hide nothing.
    """
    installed = {Path(folder).resolve() for folder in sysconfig.get_paths().values()}
    near = {Path.cwd().resolve()} - installed
    named = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    relative = {Path(x).resolve() for x in named if not Path(x).is_absolute()}
    entries = sys.path[_begins_with_script() :]
    places = {x: Path(x).resolve() for x in entries if Path(x).is_absolute()}
    last = [x for x, place in places.items() if place in relative - installed - near]
    path = [x for x, place in places.items() if place not in near and x not in last]
    return {"PYTHONPATH": os.pathsep.join(path + last), "PYTHONSAFEPATH": "1"}


def _begins_with_script() -> bool:
    """True if `sys.path` begins with the folder of the script that runs."""
    file = getattr(sys.modules["__main__"], "__file__", None)
    if file is None or not sys.path or not Path(sys.path[0]).is_absolute():
        return False
    return Path(sys.path[0]).resolve() == Path(file).resolve().parent


def origins() -> dict[str, str]:
    """The file of each package that trains, as this process has or would import it."""
    found = {name: find_spec(name) for name in PINNED}
    return {name: str(spec and spec.origin) for name, spec in found.items()}


def difference(theirs: Mapping[str, str]) -> str | None:
    """Describe a package that a worker has from another place; None if there is none.

    Args:
        theirs: the worker's `origins`.
    """
    for name, ours in origins().items():
        if Path(ours).resolve() != Path(theirs[name]).resolve():
            return (
                f"{name} is {ours} here and {theirs[name]} in a worker, which imports "
                "nothing from the working folder: take what is called so out of it, "
                "or install it"
            )
    return None
