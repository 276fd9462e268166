"""The operations that a set of numerics provides."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike
from jaxtyping import Float

Padding = tuple[tuple[int, int], tuple[int, int]]
"""Pixels before and after the rows, and before and after the columns."""


@runtime_checkable
class ConvolutionForm(Protocol):
    """Cross-correlation of NHWC images with an HWIO kernel, plus biases if any.

    The inputs of the kernel are those of one of `groups` groups.
    """

    def __call__(
        self,
        x: Float[Array, "n h w c"],
        kernel: Float[Array, "k k g f"],
        bias: Float[Array, " f"] | None,
        *,
        stride: int,
        padding: int,
        groups: int = 1,
    ) -> Float[Array, "n oh ow f"]: ...


@runtime_checkable
class MaxPoolForm(Protocol):
    """Maximum over square windows; padding is never the maximum."""

    def __call__(
        self, x: Float[Array, "n h w c"], window: int, stride: int, padding: Padding
    ) -> Float[Array, "n oh ow c"]: ...


@runtime_checkable
class AveragePoolForm(Protocol):
    """Mean over square windows; padding does not count."""

    def __call__(
        self, x: Float[Array, "n h w c"], window: int, stride: int, padding: Padding
    ) -> Float[Array, "n oh ow c"]: ...


@dataclass(frozen=True)
class Operations:
    """One form of each operation; activations have `dtype`, parameters stay float32."""

    convolution: ConvolutionForm
    max_pool: MaxPoolForm
    average_pool: AveragePoolForm
    dtype: DTypeLike = jnp.float32
