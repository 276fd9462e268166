"""Kernels as products of two thin matrices (Denton et al. 2014, arXiv 1404.0736)."""

import numpy as np
from jaxtyping import Float32

from dse.compress.tensors import Factors


def factored(kernel: Float32[np.ndarray, "..."], rank: int) -> Factors:
    """The best product of `rank`, in squares: its truncated singular values.

    A kernel's rows, columns and inputs are the rows of the matrix, its outputs the
    columns. Each matrix gets the root of the singular values.
    """
    matrix = kernel.reshape(-1, kernel.shape[-1]).astype(np.float64)
    left, singular, right = np.linalg.svd(matrix, full_matrices=False)
    roots = np.sqrt(singular[:rank])
    return Factors(
        kernel.shape,
        (left[:, :rank] * roots).astype(np.float32),
        (roots[:, None] * right[:rank]).astype(np.float32),
    )


def rank_within(kernel_shape: tuple[int, ...], share: float) -> int:
    """The largest rank whose matrices hold at most `share` of the kernel's weights.

    It is 0 where not even a rank of 1 does.
    """
    inputs, outputs = int(np.prod(kernel_shape[:-1])), kernel_shape[-1]
    return int(share * inputs * outputs) // (inputs + outputs)
