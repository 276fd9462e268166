"""The numerics: each operation in a reference form and in fast forms.

All forms use the same parameters. In float32 their values agree to float tolerance.
"""

import jax.numpy as jnp

from dse.ops import fast, fast_pools, reference
from dse.ops.interface import Operations

REFERENCE = Operations(
    reference.convolution, reference.max_pool, reference.average_pool
)
FAST_ON_CPU = Operations(fast.convolution, fast_pools.max_pool, fast_pools.average_pool)
FAST_ON_GPU = Operations(
    reference.convolution, fast_pools.max_pool, reference.average_pool, jnp.bfloat16
)
STACKED = Operations(
    fast.product_convolution,
    fast_pools.max_pool,
    reference.average_pool,
    jnp.bfloat16,
)
"""Form for `vmap` over replicates, which would turn convolutions into grouped ones."""


def operations_for(platform: str, *, stacked: bool = False) -> Operations:
    """Select the form for a JAX platform (`cpu`, `gpu`, ...), `stacked` under `vmap`.

    Measured on CPUs only.
    """
    if platform == "cpu":
        return FAST_ON_CPU
    return STACKED if stacked else FAST_ON_GPU
