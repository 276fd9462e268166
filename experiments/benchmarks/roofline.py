"""Peak rates of the machine, and the speed that they allow a training step."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from dse.arch.cost import cost
from dse.arch.graph import Architecture

PRODUCT_SIDE = 2048
COPY_BYTES = 2**28
BACKWARD = 3
"""MACs of a step over its forward pass's: two gradients cost one forward pass each."""
ACTIVATION_PASSES = 5
"""Passes over memory: 3 of an activation (one write, two reads), 2 of its gradient."""


@dataclass(frozen=True)
class Peak:
    """Peak rates, measured on as many processes at once as train.

    Attributes:
        flops: floating-point operations per second in a large product.
        bytes: bytes read or written per second in a large copy.
    """

    flops: float
    bytes: float

    def images_per_second(self, architecture: Architecture, element: int) -> float:
        """Highest speed of a step, limited by arithmetic or by memory."""
        costs = cost(architecture)
        arithmetic = 2 * BACKWARD * costs.macs / self.flops
        memory = ACTIVATION_PASSES * element * costs.activations / self.bytes
        return 1 / max(arithmetic, memory)


def measure(bfloat16: bool) -> Peak:
    """Measure the peak of this process on JAX's device."""
    import jax
    import jax.numpy as jnp

    dtype = jnp.bfloat16 if bfloat16 else jnp.float32
    side = PRODUCT_SIDE * (4 if jax.default_backend() == "gpu" else 1)
    square = jnp.ones((side, side), dtype)
    vector = jnp.ones(COPY_BYTES // 4)
    product = jax.jit(lambda x: x @ x)
    scale = jax.jit(lambda x: x * 1.5)
    return Peak(
        2 * side**3 / _fastest(lambda: product(square).block_until_ready()),
        2 * COPY_BYTES / _fastest(lambda: scale(vector).block_until_ready()),
    )


def _fastest(run: Callable[[], object], times: int = 8) -> float:
    run()
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - began)
    return min(seconds)
