"""What convolutions on small maps, and of few channels, cost in each of their forms.

    python experiments/benchmarks/convolutions.py

Value and gradients, of input and kernel, of a batch of 32: XLA's convolution in turn
with patches times a matrix and, for few channels, with blocks of outputs. Of images, of
three channels, the kernel's gradient alone. All in one thread, as a worker has. It
prints JSON.
"""

import json
from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np
from timing import microseconds_in_turn, value_and_gradients_of

from dse.execute.environment import settle_process
from dse.ops import fast, reference

BATCH, IMAGE = 32, 3
SMALL = [(side, n, n, 3) for side in (1, 2, 3, 4, 8) for n in (64, 256)]
NARROW = [
    *((32, IMAGE, filters, 3) for filters in (4, 16, 32, 48, 64)),
    *((32, IMAGE, 48, 5), (32, IMAGE, 192, 5)),
    *((32, 4, 4, 3), (32, 4, 16, 3), (16, 4, 8, 3), (16, 4, 8, 5)),
]
"""Side of the map, channels, filters and side of the kernel."""


def main() -> None:
    """Measure, and print the medians in microseconds."""
    settle_process()
    print(json.dumps([measured(*case) for case in (*SMALL, *NARROW)], indent=2))


def measured(side: int, channels: int, filters: int, size: int) -> dict[str, Any]:
    """Median microseconds of each form."""
    generator = np.random.default_rng(0)
    arrays = [
        jnp.asarray(generator.normal(size=shape), jnp.float32)
        for shape in (
            (BATCH, side, side, channels),
            (size, size, channels, filters),
            (BATCH, side, side, filters),
        )
    ]
    at = {"bias": None, "stride": 1, "padding": size // 2}
    forms: dict[str, Any] = {
        "XLA's": partial(reference.convolution, **at),
        "patches": partial(fast.product_convolution, **at),
    }
    if channels <= fast.PATCHED_CHANNELS:
        block = fast.block_of(filters) or fast.BLOCKS[-1][1]
        forms["blocks"] = partial(fast.block_convolution, bias=None, block=block)
    if channels == IMAGE:
        x, *arrays = arrays
        forms = {name: partial(form, x) for name, form in forms.items()}
    compiled = {
        name: (value_and_gradients_of(form), arrays) for name, form in forms.items()
    }
    case = {"map": [side, side, channels], "filters": filters, "kernel": size}
    return {**case, **microseconds_in_turn(compiled)}


if __name__ == "__main__":
    main()
