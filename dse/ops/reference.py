"""The reference form: the textbook operations, compiled by XLA."""

import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Float

from dse.ops.interface import Padding


def convolution(
    x: Float[Array, "n h w c"],
    kernel: Float[Array, "k k g f"],
    bias: Float[Array, " f"] | None,
    *,
    stride: int,
    padding: int,
    groups: int = 1,
) -> Float[Array, "n oh ow f"]:
    """Cross-correlation with `padding` zero pixels on every side, plus biases."""
    product = lax.conv_general_dilated(
        x,
        kernel,
        window_strides=(stride, stride),
        padding=((padding, padding), (padding, padding)),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=groups,
    )
    return product if bias is None else product + bias


def max_pool(
    x: Float[Array, "n h w c"], window: int, stride: int, padding: Padding
) -> Float[Array, "n oh ow c"]:
    """Maximum over windows; of equal values the first in row order has the gradient."""
    pooled: Array = lax.reduce_window(
        x,
        -jnp.inf,
        lax.max,
        (1, window, window, 1),
        (1, stride, stride, 1),
        ((0, 0), *padding, (0, 0)),
    )
    return pooled


def average_pool(
    x: Float[Array, "n h w c"], window: int, stride: int, padding: Padding
) -> Float[Array, "n oh ow c"]:
    """Mean of each window's elements inside the input (as Caffe without padding)."""

    def summed(values: Float[Array, "m h w c"]) -> Float[Array, "m oh ow c"]:
        total: Array = lax.reduce_window(
            values,
            np.zeros((), values.dtype),  # a traced zero would have no gradient
            lax.add,
            (1, window, window, 1),
            (1, stride, stride, 1),
            ((0, 0), *padding, (0, 0)),
        )
        return total

    return summed(x) / summed(jnp.ones((1, *x.shape[1:3], 1), x.dtype))
