"""Batch norm over groups of images, against sums written out."""

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dse.ops.norm import batch_norm, normed


def by_groups(x, scale, shift, group, epsilon):
    """The equation of Ioffe and Szegedy 2015, group by group, in float64."""
    x = x.astype(np.float64)
    out, means, variances = np.zeros_like(x), [], []
    for start in range(0, len(x), group):
        part = x[start : start + group]
        mean, variance = part.mean(axis=(0, 1, 2)), part.var(axis=(0, 1, 2))
        normal = (part - mean) / np.sqrt(variance + epsilon)
        out[start : start + group] = normal * scale + shift
        means.append(mean)
        variances.append(variance)
    return out, np.array(means), np.array(variances)


def test_by_hand():
    # Two images of a group: 1 and 3 have mean 2 and variance 1; 10 and 30 20 and 100.
    x = jnp.array([1.0, 3.0, 10.0, 30.0]).reshape(4, 1, 1, 1)
    out, mean, variance = batch_norm(x, jnp.array([2.0]), jnp.array([5.0]), 2, 0.0)
    np.testing.assert_allclose(out.reshape(-1), [3, 7, 3, 7], rtol=1e-6)
    np.testing.assert_allclose(mean, [[2], [20]])
    np.testing.assert_allclose(variance, [[1], [100]])
    # In evaluation by any mean and variance: (4 - 2) / 3 · 2 + 5.
    one = jnp.full((1, 1, 1, 1), 4.0)
    values = (jnp.array([v]) for v in (2.0, 9.0, 2.0, 5.0))
    np.testing.assert_allclose(normed(one, *values, 0.0), 2 / 3 * 2 + 5, rtol=1e-6)


@settings(deadline=None, max_examples=15)
@given(
    groups=st.integers(1, 3),
    group=st.integers(2, 5),
    side=st.integers(1, 4),
    channels=st.integers(1, 9),
    seed=st.integers(0, 99),
)
def test_the_norm_is_the_equation(groups, group, side, channels, seed):
    generator = np.random.default_rng(seed)
    # Means far from zero: a variance as the difference of two sums would lose them.
    x = generator.normal(100, 2, (groups * group, side, side + 1, channels))
    x, scale = x.astype(np.float32), generator.normal(size=channels).astype(np.float32)
    shift = generator.normal(size=channels).astype(np.float32)
    got = jax.jit(batch_norm, static_argnums=(3, 4))(x, scale, shift, group, 1e-5)
    expected = by_groups(x, scale, shift, group, 1e-5)
    for one, other, near in zip(got, expected, (2e-3, 1e-4, 1e-3), strict=True):
        np.testing.assert_allclose(one, other, rtol=near, atol=near)


def test_its_gradient_against_differences_in_float64():
    generator = np.random.default_rng(1)
    x, weights = generator.normal(size=(2, 4, 2, 2, 3))
    scale, shift = generator.normal(size=(2, 3))

    def value(x, scale, shift):
        return (by_groups(x, scale, shift, 2, 1e-3)[0] * weights).sum()

    with jax.enable_x64(True):
        got = jax.grad(
            lambda *held: (batch_norm(*held, 2, 1e-3)[0] * weights).sum(), (0, 1, 2)
        )(*map(jnp.asarray, (x, scale, shift)))
    held, step = [x, scale, shift], 1e-6
    for index, array in enumerate(held):
        numeric = np.zeros_like(array)
        for place in np.ndindex(array.shape):
            moved = [array.copy(), array.copy()]
            moved[0][place] += step
            moved[1][place] -= step
            up, down = (value(*held[:index], m, *held[index + 1 :]) for m in moved)
            numeric[place] = (up - down) / (2 * step)
        np.testing.assert_allclose(got[index], numeric, rtol=1e-5, atol=1e-7)


def test_bfloat16_is_normed_in_float32():
    x = np.random.default_rng(0).normal(50, 1, (8, 3, 3, 4)).astype(np.float32)
    narrow = jnp.asarray(x, jnp.bfloat16)
    out, mean, _ = batch_norm(narrow, jnp.ones(4), jnp.zeros(4), 4, 1e-5)
    assert (out.dtype, mean.dtype) == (jnp.bfloat16, jnp.float32)
    exact, _, _ = by_groups(np.asarray(narrow, np.float32), 1.0, 0.0, 4, 1e-5)
    np.testing.assert_allclose(out.astype(jnp.float32), exact, rtol=2**-7, atol=2**-7)
