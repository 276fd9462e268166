"""The numerics: each operation in a reference form and fast forms.

All read one parameter tree. In float32 they give the same values to float tolerance.
"""

import jax.numpy as jnp

from dse.ops import fast, reference
from dse.ops.interface import Operations

AVERAGE_POOL = reference.average_pool

REFERENCE = Operations(reference.convolution, reference.max_pool, AVERAGE_POOL)
FAST_ON_CPU = Operations(fast.convolution, fast.max_pool, AVERAGE_POOL)
FAST_ON_GPU = Operations(
    reference.convolution, fast.max_pool, AVERAGE_POOL, jnp.bfloat16
)
STACKED = Operations(
    fast.product_convolution, fast.max_pool, AVERAGE_POOL, jnp.bfloat16
)
"""For `vmap` over replicates, which would make grouped convolutions of convolutions."""


def operations_for(platform: str, *, stacked: bool = False) -> Operations:
    """The form for a JAX platform (`cpu`, `gpu`, ...), `stacked` under `vmap`.

    Measured on CPUs only.
    """
    if platform == "cpu":
        return FAST_ON_CPU
    return STACKED if stacked else FAST_ON_GPU
