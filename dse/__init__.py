"""Design-space exploration of convolutional networks on JAX.

    import dse
    dse.describe(sr=0.5)["params"]
    dse.reproduce("fig3b")
    dse.load_runs().groupby("pct_3x3")["test_accuracy"].mean()

Names are loaded when they are first used, so that the import itself is quick.
"""

import dse.nearby  # noqa: F401 - before all else

# isort: split

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dse.api import (
        check,
        describe,
        load_model,
        load_runs,
        plan,
        reproduce,
        reproduce_all,
        search,
        sweep,
        sweep_all,
    )
    from dse.errors import DseError
    from dse.session import Options
    from dse.spaces.space import Budget

__all__ = [
    "Budget",
    "DseError",
    "Options",
    "check",
    "describe",
    "load_model",
    "load_runs",
    "plan",
    "reproduce",
    "reproduce_all",
    "search",
    "sweep",
    "sweep_all",
]

_ELSEWHERE = {
    "Budget": "dse.spaces.space",
    "DseError": "dse.errors",
    "Options": "dse.session",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'dse' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_ELSEWHERE.get(name, "dse.api")), name)
