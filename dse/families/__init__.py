"""Network families, one class in one file each, found by name.

A family is named by its file here, by an entry point `dse.families` of an installed
package, or as `path/mine.py:Class` in a user's own file.
"""

import dataclasses
import importlib
import importlib.util
import inspect
import pkgutil
import re
import sys
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from dse.arch.family import Family
from dse.errors import DseError, first_line
from dse.fields import unknown_name
from dse.files import short_digest

DEFAULT = "squeezenet"
"""Family that is used where none is named: old databases know no other."""
GROUP = "dse.families"
"""Group of the entry points."""

COLUMNS = """
activations alias_of arch_id bytes bytes_fp32 cell_id code_version compile_seconds
complete created_at dataset detail device epoch epochs failed family images_per_second
label macs mean_bytes metaparameters missing note numerics_version params
peak_activations planned point position preset reason replicate run_id running seed
status step_seconds study test_accuracy test_top5 train_accuracy train_loss
train_seconds tries val_accuracy val_loss
"""
"""Columns of the views; no metaparameter may have these names."""
SETTINGS = """
epochs peak_learning_rate batch_size warmup_share schedule momentum weight_decay
clip_norm crop_padding mirror label_smoothing dropout initializer steps resize crop
pixel_mean seed
"""
"""Settings of a recipe, forbidden as names too, since experiments vary both."""
FLAGS = "classes input_size channels json"
"""Flags of `dse describe`, forbidden for new families; an archive may have them."""


@cache
def shipped_families() -> tuple[str, ...]:
    """Names of the families that come with the package."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


def family_called(name: str) -> type[Family]:
    """Find the family that a name means, and check it.

    Args:
        name: a shipped family, an entry point, or `path/to/file.py:Class`.

    Raises:
        DseError: there is no such family, or it cannot be used.
    """
    if name in shipped_families():
        return _in_module(importlib.import_module(f"{__name__}.{name}"), name)
    file, colon, wanted = name.rpartition(":")
    if colon and file.endswith(".py"):
        return _in_file(Path(file), wanted)
    for point in entry_points(group=GROUP, name=name):
        try:
            return check_family(point.load(), f"entry point {name}")
        except DseError:
            raise
        except (Exception, SystemExit) as error:
            raise DseError(
                f"family {name} of {point.value} cannot be loaded: {first_line(error)}"
            ) from error
    known = [*shipped_families(), *(p.name for p in entry_points(group=GROUP))]
    raise DseError(
        f"{unknown_name('no family is called', name, dict.fromkeys(known))}, or a "
        "class in a file as path/mine.py:Mine"
    )


def check_family(found: Any, where: str) -> type[Family]:
    """Check that `found`, in messages called `where`, is a usable family; return it.

    Raises:
        DseError: it is not a family or not frozen, its name or that of a metaparameter
            is invalid or taken, or it has no `architecture`.
    """
    if not (inspect.isclass(found) and issubclass(found, Family)) or found is Family:
        raise DseError(
            f"{where} is no family; expected a class Mine(Family, name='mine')"
        )
    if refusal_of_family(found.name):
        raise DseError(
            f"{where} is called {found.name!r}; expected class "
            f"{found.__name__}(Family, name='...') with small letters, digits, _ and -"
        )
    is_shipped = found.__module__.startswith(f"{__name__}.")
    if found.name in shipped_families() and not is_shipped:
        raise DseError(
            f"{where} is called {found.name!r}, as one that comes with the package; "
            "give it a name of its own"
        )
    flags = set(FLAGS.split()) & set(found.fields)
    for name in (*found.fields, *_derived_of(found, where)):
        taken = "dse describe has a flag of that name" if name in flags else ""
        if why := refusal_of_field(name) or taken:
            raise DseError(
                f"{where} has a metaparameter {name!r}; {why}: call it otherwise"
            )
    if found.architecture is Family.architecture:
        raise DseError(f"{where} has no architecture(self, input_shape, classes)")
    return found


def _derived_of(found: type[Family], where: str) -> list[str]:
    """Names of derived numbers; raises if the family has no default instance."""
    try:
        return list(found().derived())
    except DseError:
        raise
    except (Exception, SystemExit) as error:
        without = [
            field.name
            for field in dataclasses.fields(found)  # type: ignore[arg-type]
            if field.default is dataclasses.MISSING
        ]
        why = f"{type(error).__name__}: {first_line(error)}"
        if without:
            why = f"{found.__name__}.{without[0]} has no default"
        raise DseError(f"{where} cannot be made as it is by default: {why}") from error


def refusal_of_family(name: object) -> str:
    """Reason why a family may not have this name; empty if it may."""
    if isinstance(name, str) and re.fullmatch(r"[a-z][a-z0-9_-]{0,39}", name):
        return ""
    return "expected small letters, digits, _ and -"


def refusal_of_field(name: object) -> str:
    """Reason why a field or derived number may not have this name; empty if it may."""
    if not isinstance(name, str) or not re.fullmatch(r"[a-z][a-z0-9_]{0,59}", name):
        return "expected small letters, digits and _"
    if name in COLUMNS.split():
        return "a column of the tables is called so"
    if name in SETTINGS.split():
        return "a setting of the recipe is called so"
    return ""


def _in_module(module: ModuleType, name: str) -> type[Family]:
    """The family of that name in a module."""
    [found] = [
        kind
        for kind in vars(module).values()
        if inspect.isclass(kind) and issubclass(kind, Family) and kind.name == name
    ]
    return found


def _in_file(file: Path, wanted: str) -> type[Family]:
    if not file.is_file():
        raise DseError(f"there is no file {file}; expected path/mine.py:Class")
    module = run_file(file, "family")
    found = getattr(module, wanted, None)
    if found is None:
        families = [
            name
            for name, kind in vars(module).items()
            if inspect.isclass(kind)
            and issubclass(kind, Family)
            and kind.__module__ == module.__name__
        ]
        expected = ", ".join(families) or "class Mine(Family, name='mine')"
        raise DseError(f"{file} has no class {wanted!r}; expected {expected}")
    return check_family(found, f"{wanted} in {file}")


def run_file(file: Path, what: str) -> ModuleType:
    """Run a user's Python file as a module.

    Raises:
        DseError: it cannot be run; the message says why.
    """
    digest = short_digest(str(file.resolve()))
    name = f"dse_{what}_{re.sub(r'[^0-9A-Za-z]', '_', file.stem)}_{digest}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise DseError(f"{file} cannot be read as a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except DseError:
        del sys.modules[name]
        raise
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        kind = type(error).__name__
        raise DseError(f"{what} {file} cannot be run: {kind}: {error}") from error
    return module
