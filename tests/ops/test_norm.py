"""Local response norm and grouped convolution, against sums written out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dse.ops import FAST_ON_CPU, FAST_ON_GPU, REFERENCE, STACKED
from dse.ops.norm import local_response_norm

FORMS = {"cpu": FAST_ON_CPU, "gpu": FAST_ON_GPU, "stacked": STACKED}


def normed(x, size, alpha, beta, k):
    """The equation of Krizhevsky et al. 2012, channel by channel."""
    out = np.zeros_like(x, np.float64)
    channels = x.shape[-1]
    for i in range(channels):
        first, last = max(0, i - (size - 1) // 2), min(channels, i + size // 2 + 1)
        total = (x[..., first:last].astype(np.float64) ** 2).sum(axis=-1)
        out[..., i] = x[..., i] / (k + alpha * total) ** beta
    return out


def test_by_hand():
    x = jnp.array([1.0, 2.0, 3.0, 4.0]).reshape(1, 1, 1, 4)
    out = local_response_norm(x, 3, 0.5, 1.0, 2.0)
    # Sums of squares: 1 + 4, 1 + 4 + 9, 4 + 9 + 16, 9 + 16.
    expected = [1 / 4.5, 2 / 9, 3 / 16.5, 4 / 14.5]
    np.testing.assert_allclose(out[0, 0, 0], expected, rtol=1e-6)


@settings(deadline=None, max_examples=15)
@given(
    channels=st.integers(1, 12),
    size=st.integers(1, 9),
    alpha=st.sampled_from([2e-5, 1e-4, 0.3]),
    k=st.sampled_from([1.0, 2.0]),
    seed=st.integers(0, 99),
)
def test_the_norm_is_the_equation(channels, size, alpha, k, seed):
    x = 10 * np.random.default_rng(seed).normal(size=(2, 3, 2, channels))
    x = x.astype(np.float32)
    out = jax.jit(local_response_norm, static_argnums=(1, 2, 3, 4))(
        x, size, alpha, 0.75, k
    )
    np.testing.assert_allclose(out, normed(x, size, alpha, 0.75, k), rtol=2e-5)


def test_its_gradient_against_differences_in_float64():
    x = np.random.default_rng(1).normal(size=(1, 2, 2, 6))
    weights = np.random.default_rng(2).normal(size=x.shape)
    with jax.enable_x64(True):
        gradient = jax.grad(
            lambda x: (local_response_norm(x, 5, 0.1, 0.75, 1.0) * weights).sum()
        )(jnp.asarray(x))
    step, numeric = 1e-6, np.zeros_like(x)
    for place in np.ndindex(x.shape):
        moved = [x.copy(), x.copy()]
        moved[0][place] += step
        moved[1][place] -= step
        up, down = ((normed(m, 5, 0.1, 0.75, 1.0) * weights).sum() for m in moved)
        numeric[place] = (up - down) / (2 * step)
    np.testing.assert_allclose(gradient, numeric, rtol=1e-6, atol=1e-8)


def test_bfloat16_is_normed_in_float32():
    x = jnp.full((1, 1, 1, 5), 3.0, jnp.bfloat16)
    out = local_response_norm(x, 5, 1e-4, 0.75, 2.0)
    assert out.dtype == jnp.bfloat16
    expected = normed(np.full((1, 1, 1, 5), 3.0), 5, 1e-4, 0.75, 2.0)
    np.testing.assert_allclose(out.astype(jnp.float32), expected, rtol=2**-8)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("kernel", "stride", "padding"), [(1, 1, 0), (3, 2, 1)])
@pytest.mark.parametrize(("groups", "has_bias"), [(1, False), (2, True), (3, False)])
def test_a_group_reads_its_own_channels(
    form, kernel, stride, padding, groups, has_bias
):
    generator = np.random.default_rng(kernel)
    x = jnp.asarray(generator.normal(size=(2, 6, 5, 6)), jnp.float32)
    shape = (kernel, kernel, 6 // groups, 12)
    weights = jnp.asarray(generator.normal(size=shape), jnp.float32)
    bias = jnp.asarray(generator.normal(size=12), jnp.float32) if has_bias else None
    place = {"stride": stride, "padding": padding}
    alone = [
        REFERENCE.convolution(part, own, None, **place)
        for part, own in zip(
            jnp.split(x, groups, 3), jnp.split(weights, groups, 3), strict=True
        )
    ]
    expected = jnp.concatenate(alone, axis=3) + (0.0 if bias is None else bias)
    for operations in (REFERENCE, FORMS[form]):
        got = operations.convolution(x, weights, bias, groups=groups, **place)
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)


def test_a_grouped_convolution_by_hand():
    x = jnp.arange(1.0, 5.0).reshape(1, 1, 1, 4)
    weights = jnp.array([[1.0, 10.0], [100.0, 1000.0]]).reshape(1, 1, 2, 2)
    for operations in (REFERENCE, FAST_ON_CPU, STACKED):
        got = operations.convolution(x, weights, None, stride=1, padding=0, groups=2)
        # The first filter reads channels 1 and 2, the second 3 and 4.
        np.testing.assert_allclose(got[0, 0, 0], [1 + 200, 30 + 4000])
