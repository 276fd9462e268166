"""What 3x3 convolutions on small maps cost on this device, in both forms.

    python experiments/benchmarks/convolutions.py

Value and gradients, of input and kernel, of a batch of 32: XLA's convolution in turn
with patches times a matrix. All in one thread, as a worker has. It prints JSON.
"""

import json
from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np
from timing import microseconds_in_turn, value_and_gradients_of

from dse.execute.environment import settle_process
from dse.ops import fast, reference

SIDES, CHANNELS, BATCH = (1, 2, 3, 4, 8), (64, 256), 32
AS_IN_A_STAGE: dict[str, Any] = {"bias": None, "stride": 1, "padding": 1}


def main() -> None:
    """Measure, and print the medians in microseconds."""
    settle_process()
    cases = [(side, channels) for side in SIDES for channels in CHANNELS]
    print(json.dumps([measured(*case) for case in cases], indent=2))


def measured(side: int, channels: int) -> dict[str, Any]:
    """Median microseconds of both forms."""
    generator = np.random.default_rng(0)
    x, above = generator.normal(size=(2, BATCH, side, side, channels))
    kernel = generator.normal(size=(3, 3, channels, channels))
    given = [jnp.asarray(array, jnp.float32) for array in (x, kernel, above)]
    forms = {"XLA's": reference.convolution, "patches": fast.product_convolution}
    compiled = {
        name: (value_and_gradients_of(partial(form, **AS_IN_A_STAGE)), given)
        for name, form in forms.items()
    }
    return {"map": [side, side, channels], **microseconds_in_turn(compiled)}


if __name__ == "__main__":
    main()
