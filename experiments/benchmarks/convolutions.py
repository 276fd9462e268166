"""What 3x3 convolutions on small maps cost on this device, in both forms.

    python experiments/benchmarks/convolutions.py

Value and gradients, of input and kernel, of a batch of 32: XLA's convolution in turn
with patches times a matrix. All in one thread, as a worker has. It prints JSON.
"""

import json
import os
from collections.abc import Callable
from functools import partial
from typing import Any

os.environ.update(NPROC="1", PJRT_NPROC="1")


import jax
import jax.numpy as jnp
import numpy as np
from timing import microseconds_in_turn

from dse.ops import fast, reference

SIDES, CHANNELS, BATCH = (1, 2, 3, 4, 8), (64, 256), 32


def main() -> None:
    """Measure, and print the medians in microseconds."""
    cases = [(side, channels) for side in SIDES for channels in CHANNELS]
    print(json.dumps([measured(*case) for case in cases], indent=2))


def measured(side: int, channels: int) -> dict[str, Any]:
    """Median microseconds of both forms."""
    generator = np.random.default_rng(0)
    x, above = generator.normal(size=(2, BATCH, side, side, channels))
    kernel = generator.normal(size=(3, 3, channels, channels))
    given = [jnp.asarray(array, jnp.float32) for array in (x, kernel, above)]
    forms = {"XLA's": reference.convolution, "patches": fast.product_convolution}
    found = microseconds_in_turn(
        {name: (value_and_gradients(form), given) for name, form in forms.items()}
    )
    return {"map": [side, side, channels], **found}


def value_and_gradients(form: Callable[..., jax.Array]) -> Callable[..., Any]:
    """Compiled: the value of a convolution, and the gradients of map and kernel."""
    convolution = partial(form, bias=None, stride=1, padding=1)

    def both(x: jax.Array, kernel: jax.Array, above: jax.Array) -> Any:
        value, backward = jax.vjp(convolution, x, kernel)
        return value, backward(above)

    return jax.jit(both)


if __name__ == "__main__":
    main()
