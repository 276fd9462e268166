"""What pools cost on this device, in the engine's fast form and as XLA has them.

    python experiments/benchmarks/pools.py

Value and gradient of each pool, in turn: average pools as XLA's window sum and as sums
of slices, max pools with XLA's gradient and with comparisons. `pass` reads and writes
the map once. All in one thread, as a worker has. Inside a training step XLA fuses a
pool with its neighbours, and gains are smaller. It prints JSON.
"""

import json
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from timing import microseconds_in_turn, value_and_gradients_of

from dse.execute.environment import settle_process
from dse.ops import FAST_ON_CPU, REFERENCE

POOLS = {
    "3x3/1, padded": ((32, 16, 16, 64), 3, 1, 1),
    "3x3/2": ((32, 32, 32, 16), 3, 2, 0),
    "2x2/2": ((32, 32, 32, 16), 2, 2, 0),
    "5x5/3": ((32, 14, 14, 128), 5, 3, 0),
    "global": ((32, 8, 8, 64), 8, 1, 0),
}
"""Shape of the map, window, stride and padding."""


def main() -> None:
    """Measure, and print the medians in microseconds."""
    settle_process()
    print(json.dumps([measured(name) for name in POOLS], indent=2))


def measured(name: str) -> dict[str, Any]:
    """Median microseconds of the value and the gradient of a pool."""
    shape, window, stride, padding = POOLS[name]
    x = jnp.asarray(np.random.default_rng(0).normal(size=shape), jnp.float32)
    sides = ((padding, padding), (padding, padding))
    forms = {
        f"{kind}, {label}": partial(
            getattr(operations, f"{kind}_pool"),
            window=window,
            stride=stride,
            padding=sides,
        )
        for kind in ("average", "max")
        for label, operations in (("XLA's", REFERENCE), ("fast", FAST_ON_CPU))
    }
    out = jax.eval_shape(forms["average, fast"], x)
    above = jnp.asarray(np.random.default_rng(1).normal(size=out.shape), jnp.float32)
    compiled = {
        form: (value_and_gradients_of(call), (x, above)) for form, call in forms.items()
    }
    compiled["pass"] = (jax.jit(lambda values: values + 1), (x,))
    return {"pool": name, "map": shape, **microseconds_in_turn(compiled)}


if __name__ == "__main__":
    main()
