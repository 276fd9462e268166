"""Hard budgets: a network that exceeds one is never trained."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from dse.arch.closed_form import CostArrays
from dse.arch.cost import BYTES_FP32
from dse.bounds import MOST
from dse.declared import Declared
from dse.fields import real

COSTS = {"params": "params", "bytes": "bytes_fp32", "macs": "macs"}
"""Attribute of `CostArrays` that each kind of limit bounds."""


@dataclass(frozen=True)
class Budget(Declared, name="budget", as_given=True):
    """Hard upper limits on cost; None for no limit.

    Raises:
        DseError: a limit is under 1 or not a finite number.
    """

    max_params: int | None = real(None, "most parameters", least=1, most=MOST)
    max_bytes: int | None = real(
        None, "most bytes of 32-bit weights", least=1, most=MOST
    )
    max_macs: int | None = real(
        None, "most multiply-accumulates of an image", least=1, most=MOST
    )

    max_compressed_bytes: int | None = real(
        None, "most bytes of the file of a compressed network", least=1, most=MOST
    )

    def over_measured(self, size: float) -> float:
        """Excess of a file's bytes over the limit that only a measurement can check.

        A share of the limit; at most 0 if it is met, or there is none.
        """
        limit = self.max_compressed_bytes
        return 0.0 if limit is None else size / limit - 1

    @property
    def limits(self) -> Mapping[str, int | None]:
        """Limits on costs that are known before training, by name of the cost."""
        return {name: getattr(self, f"max_{name}") for name in COSTS}

    def excess(self, params: int, macs: int) -> dict[str, float]:
        """Excess over each limit as a share of the limit; at most 0 if feasible."""
        costs = {"params": params, "bytes": BYTES_FP32 * params, "macs": macs}
        return {
            name: costs[name] / limit - 1
            for name, limit in self.limits.items()
            if limit is not None
        }

    def admits(self, costs: CostArrays) -> Bool[np.ndarray, "..."]:
        """True for each point whose costs stay within every limit."""
        admitted = np.ones(np.shape(costs.params), bool)
        for name, limit in self.limits.items():
            if limit is not None:
                admitted &= getattr(costs, COSTS[name]) <= limit
        return admitted
