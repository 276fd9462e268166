"""Truncated singular values: exact where the rank is, best where it is less."""

import numpy as np

from dse.compress.lowrank import factored, rank_within


def test_a_kernel_of_low_rank_comes_back():
    drawn = np.random.default_rng(0)
    matrix = drawn.standard_normal((36, 2)) @ drawn.standard_normal((2, 10))
    kernel = matrix.reshape(3, 3, 4, 10).astype(np.float32)
    product = factored(kernel, 2)
    assert product.left.shape == (36, 2)
    assert product.right.shape == (2, 10)
    np.testing.assert_allclose(product.array(), kernel, atol=1e-5)


def test_what_is_lost_are_the_least_singular_values():
    kernel = np.random.default_rng(1).standard_normal((1, 1, 20, 12)).astype(np.float32)
    singular = np.linalg.svd(kernel[0, 0], compute_uv=False)
    lost = np.linalg.norm(factored(kernel, 5).array() - kernel) ** 2
    np.testing.assert_allclose(lost, (singular[5:] ** 2).sum(), rtol=1e-4)


def test_the_rank_of_a_share_by_hand():
    # 4,096 x 1,000 weights, 5,096 of each rank: a fifth holds 160.7 of them.
    assert rank_within((1, 1, 4096, 1000), 0.2) == 160
    assert rank_within((1, 1, 2, 2), 0.5) == 0
