"""Old imports of experiment files: they still work, with a line of advice.

Until version 0.1 experiments imported modules that no longer exist. While such a file
is read, stand-ins take the place of these modules.
"""

import importlib
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

FORMER: Mapping[str, Mapping[str, str]] = {
    "dse.arch.squeezenet": {"Metaparameters": "SqueezeNet"},
    "dse.train.recipe": {"Recipe": "Recipe"},
}
"""Old names and their present names in `dse`, by old module."""

FORMER_SETTING = "a preset's base_e"
"""Words of the warning about a preset in the old form."""


class _Former(ModuleType):
    """Stand-in for a module that no longer exists."""

    def __init__(self, name: str, imported: set[str]) -> None:
        super().__init__(name)
        self._imported = imported

    def __getattr__(self, name: str) -> Any:
        names = FORMER[self.__name__]
        if name not in names:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        self._imported.add(names[name])
        return getattr(importlib.import_module("dse"), names[name])


@contextmanager
def former_names(file: Path) -> Iterator[None]:
    """Let a file import old names, and print once what to write instead."""
    imported: set[str] = set()
    outer = {name: sys.modules[name] for name in FORMER if name in sys.modules}
    sys.modules.update({name: _Former(name, imported) for name in FORMER})
    with warnings.catch_warnings(record=True) as warned:
        warnings.filterwarnings("always", FORMER_SETTING, DeprecationWarning)
        try:
            yield
        finally:
            for name in FORMER:
                del sys.modules[name]
            sys.modules.update(outer)  # of a file that loads another
    former: list[warnings.WarningMessage] = []
    others: list[warnings.WarningMessage] = []
    for warning in warned:
        is_former = FORMER_SETTING in str(warning.message)
        (former if is_former else others).append(warning)
    for other in others:
        warnings.warn_explicit(
            other.message, other.category, other.filename, other.lineno
        )
    messages = [str(warning.message) for warning in former]
    if imported:
        advice = (
            f"experiment {file} imports what has moved; write from dse import "
            "Experiment, Preset, Recipe, SqueezeNet, ... instead (SqueezeNet for "
            "Metaparameters)"
        )
        messages = ["; ".join([advice, *dict.fromkeys(messages)])]
    for line in dict.fromkeys(messages):
        print(f"dse: {line}", file=sys.stderr)
