"""Average pooling against sums in float64, worked out window by window."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dse.arch.pools import AveragePool
from dse.ops import FAST_ON_CPU, FAST_ON_GPU, REFERENCE, STACKED

FORMS = {x.average_pool for x in (REFERENCE, FAST_ON_CPU, FAST_ON_GPU, STACKED)}


def windows(size, window, stride, before, count):
    """The rows of the input that each window holds, what is outside left out."""
    starts = [stride * index - before for index in range(count)]
    return [range(max(0, x), min(size, x + window)) for x in starts]


def by_hand(x, pool):
    """Means in float64, and the gradient of their sum weighted by 1, 2, 3, ..."""
    n, height, width, channels = x.shape
    rows, columns, _ = pool.output_shape((height, width, channels))
    out = np.zeros((n, rows, columns, channels))
    gradient, weights = np.zeros(x.shape), 1 + np.arange(out.size).reshape(out.shape)
    down = windows(height, pool.window, pool.stride, pool.padding(height)[0], rows)
    across = windows(width, pool.window, pool.stride, pool.padding(width)[0], columns)
    for i, high in enumerate(down):
        for j, wide in enumerate(across):
            cells = np.ix_(range(n), high, wide, range(channels))
            count = len(high) * len(wide)
            out[:, i, j] = x[cells].sum(axis=(1, 2)) / count
            gradient[cells] += weights[:, i, j][:, None, None, :] / count
    return out, gradient


@pytest.mark.parametrize("rounding", ["ceil", "same"])
@pytest.mark.parametrize(
    ("height", "width", "window", "stride"),
    [
        (8, 7, 3, 2),
        (5, 6, 2, 2),
        (4, 9, 3, 1),
        (7, 7, 4, 3),
        (6, 5, 1, 1),
        (2, 3, 3, 2),
    ],
)
@pytest.mark.parametrize("average_pool", FORMS)
def test_mean_and_gradient(average_pool, rounding, height, width, window, stride):
    """Compiled, as in a training step."""
    pool = AveragePool("p", ("input",), window, stride, rounding)
    x = np.random.default_rng(0).normal(size=(2, height, width, 3))
    around = pool.padding(height), pool.padding(width)

    def weighted(x):
        out = average_pool(x, window, stride, around)
        weights = 1 + jnp.arange(out.size, dtype=jnp.float32).reshape(out.shape)
        return (out * weights).sum(), out

    expected, of_gradient = by_hand(x, pool)
    given = jnp.asarray(x, jnp.float32)
    gradient, out = jax.jit(jax.grad(weighted, has_aux=True))(given)
    np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(gradient, of_gradient, rtol=1e-5, atol=1e-5)


def test_an_overhang_counts_what_lies_inside():
    """Caffe's rule of 3x3 windows at stride 2 on 4 rows: the last has 2 of 3."""
    x = jnp.arange(16.0).reshape(1, 4, 4, 1)
    pool = AveragePool("p", ("input",), 3, 2, "ceil")
    assert (pool.output_shape((4, 4, 1)), pool.padding(4)) == ((2, 2, 1), (0, 1))
    out = REFERENCE.average_pool(x, 3, 2, ((0, 1), (0, 1)))[0, :, :, 0]
    # The middle of 3x3, of 3x2 (6.5), of 2x3 and of 2x2 (12.5).
    np.testing.assert_allclose(out, [[5.0, 6.5], [11.0, 12.5]])
    gradient = jax.grad(
        lambda x: REFERENCE.average_pool(x, 3, 2, ((0, 1), (0, 1))).sum()
    )(x)[0, :, :, 0]
    ninth, sixth, quarter = 1 / 9, 1 / 6, 1 / 4
    np.testing.assert_allclose(
        gradient,
        [
            [ninth, ninth, ninth + sixth, sixth],
            [ninth, ninth, ninth + sixth, sixth],
            [
                ninth + sixth,
                ninth + sixth,
                ninth + 2 * sixth + quarter,
                sixth + quarter,
            ],
            [sixth, sixth, sixth + quarter, quarter],
        ],
        rtol=1e-6,
    )


@pytest.mark.parametrize("rounding", ["ceil", "same"])
@pytest.mark.parametrize(("window", "stride"), [(1, 2), (2, 3), (1, 4), (2, 5)])
def test_no_window_is_empty(rounding, window, stride):
    """Also where strides leave rows out: the mean of nothing is no number."""
    pool = AveragePool("p", ("input",), window, stride, rounding)
    for size in range(5, 11):
        x = jnp.ones((1, size, size, 1))
        out = REFERENCE.average_pool(x, window, stride, (pool.padding(size),) * 2)
        assert out.shape[1:] == pool.output_shape((size, size, 1))
        np.testing.assert_array_equal(out, 1)


def test_in_bfloat16_a_mean_of_ones_is_one():
    x = jnp.ones((1, 9, 9, 2), jnp.bfloat16)
    out = FAST_ON_GPU.average_pool(x, 3, 2, ((0, 0), (0, 0)))
    assert out.dtype == jnp.bfloat16
    np.testing.assert_array_equal(np.asarray(out, np.float32), 1)
