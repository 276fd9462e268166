"""The numerics: each operation in a reference form and a fast form.

Both read one parameter tree and give the same values to float tolerance.
"""

from dse.ops import fast, reference
from dse.ops.interface import Operations

REFERENCE = Operations(reference.convolution, reference.max_pool)
FAST_ON_CPU = Operations(fast.convolution, fast.max_pool)


def operations_for(platform: str) -> Operations:
    """The fastest known form on a JAX platform (`cpu`, `gpu`, ...)."""
    return FAST_ON_CPU if platform == "cpu" else REFERENCE
