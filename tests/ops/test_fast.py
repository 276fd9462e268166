"""The fast forms equal the reference, in value and in gradient, ties included."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dse.ops import FAST_ON_CPU, REFERENCE, fast


def assert_same(function, *arguments):
    """Same values and same gradients under both forms."""

    def both(operations):
        def weighted(*arguments):
            out = function(operations, *arguments)
            weights = jnp.sin(jnp.arange(out.size)).reshape(out.shape)
            return (out * weights).sum(), out

        numbers = tuple(range(len(arguments)))
        gradient = jax.grad(weighted, argnums=numbers, has_aux=True)
        return jax.jit(gradient)(*arguments)

    for expected, got in zip(
        jax.tree.leaves(both(REFERENCE)),
        jax.tree.leaves(both(FAST_ON_CPU)),
        strict=True,
    ):
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("channels", [1, 3, 4, 9])
@pytest.mark.parametrize(
    ("kernel", "stride", "padding"),
    [(1, 1, 0), (1, 1, 1), (1, 2, 0), (3, 1, 1), (3, 2, 0), (7, 2, 0)],
)
def test_convolution(channels, kernel, stride, padding):
    generator = np.random.default_rng(channels)
    x = jnp.asarray(generator.normal(size=(2, 11, 12, channels)), jnp.float32)
    shape = (kernel, kernel, channels, 5)
    weights = jnp.asarray(generator.normal(size=shape), jnp.float32)
    bias = jnp.asarray(generator.normal(size=5), jnp.float32)
    assert_same(
        lambda o, x, w, b: o.convolution(x, w, b, stride=stride, padding=padding),
        x,
        weights,
        bias,
    )


@pytest.mark.parametrize(
    ("columns", "channels", "kernel", "filters", "block"),
    [
        (4, 1, 3, 5, 4),  # a block is a whole row
        (12, 3, 3, 32, 4),
        (12, 4, 5, 4, 4),
        (12, 3, 5, 33, 2),
        (2, 2, 3, 40, 2),
    ],
)
def test_convolution_in_blocks(columns, channels, kernel, filters, block, monkeypatch):
    blocks = []

    def seen(*given):
        blocks.append(given[3])
        return block_convolution(*given)

    block_convolution = fast.block_convolution
    monkeypatch.setattr(fast, "block_convolution", seen)
    generator = np.random.default_rng(columns)
    x = jnp.asarray(generator.normal(size=(2, 5, columns, channels)), jnp.float32)
    shape = (kernel, kernel, channels, filters)
    weights = jnp.asarray(generator.normal(size=shape), jnp.float32)
    at = {"stride": 1, "padding": kernel // 2}
    assert_same(lambda o, *two: o.convolution(*two, None, **at), x, weights)
    assert set(blocks) == {block}


@pytest.mark.parametrize(
    ("columns", "kernel", "padding", "filters", "has_bias"),
    [
        (10, 3, 1, 5, False),  # no whole blocks of four
        (12, 3, 0, 5, False),  # another size
        (12, 7, 3, 40, True),  # three pixels around blocks of two
        (12, 3, 1, 65, False),  # filters enough for patches of single outputs
        (12, 3, 1, 5, True),  # SqueezeNet's cells keep their rounding
    ],
)
def test_what_is_not_worked_on_in_blocks(
    columns, kernel, padding, filters, has_bias, monkeypatch
):
    monkeypatch.setattr(fast, "block_convolution", None)
    x, weights = jnp.ones((2, 8, columns, 3)), jnp.ones((kernel, kernel, 3, filters))
    bias = jnp.ones(filters) if has_bias else None
    out = FAST_ON_CPU.convolution(x, weights, bias, stride=1, padding=padding)
    # In the middle every tap of three channels is there, and so is the bias.
    assert out[0, 4, 5, 0] == 3 * kernel**2 + has_bias


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize(
    ("side", "kernel", "stride", "padding"),
    [
        (1, 3, 1, 1),
        (2, 3, 1, 1),
        (3, 3, 1, 1),
        (4, 3, 2, 1),
        (6, 6, 1, 0),
        (2, 5, 1, 2),
    ],
)
def test_convolution_of_small_maps(side, kernel, stride, padding, groups):
    generator = np.random.default_rng(side)
    x = jnp.asarray(generator.normal(size=(3, side, side, 10)), jnp.float32)
    shape = (kernel, kernel, 10 // groups, 6)
    weights = jnp.asarray(generator.normal(size=shape), jnp.float32)
    bias = jnp.asarray(generator.normal(size=6), jnp.float32)
    at = {"stride": stride, "padding": padding, "groups": groups}
    assert_same(lambda o, *given: o.convolution(*given, **at), x, weights, bias)


@pytest.mark.slow
@settings(deadline=None, max_examples=15)
@given(
    height=st.integers(5, 9),
    width=st.integers(5, 9),
    window=st.integers(1, 4),
    stride=st.integers(1, 4),
    padding=st.tuples(*[st.tuples(st.integers(0, 1), st.integers(0, 1))] * 2),
    levels=st.integers(2, 50),
    seed=st.integers(0, 99),
)
def test_pools(height, width, window, stride, padding, levels, seed):
    """Few levels make many ties."""
    generator = np.random.default_rng(seed)
    values = generator.integers(0, levels, (2, height, width, 3))
    x = jnp.asarray(values, jnp.float32)
    assert_same(lambda o, x: o.max_pool(x, window, stride, padding), x)
    if window > 1:  # or one could lie in the padding
        assert_same(lambda o, x: o.average_pool(x, window, stride, padding), x)


@pytest.mark.parametrize("window", [11, 12])
@pytest.mark.parametrize("pool", ["max_pool", "average_pool"])
def test_windows_of_more_places_than_eight_bits_count(pool, window):
    x = jnp.asarray(np.random.default_rng(0).normal(size=(1, 14, 13, 2)), jnp.float32)
    assert_same(lambda o, x: getattr(o, pool)(x, window, 1, ((1, 0), (0, 1))), x)


def test_max_pool_gradient_by_hand():
    x = jnp.array([[1.0, 3.0, 3.0], [3.0, 0.0, 3.0], [2.0, 2.0, 2.0]]).reshape(
        1, 3, 3, 1
    )
    gradient = jax.grad(lambda x: FAST_ON_CPU.max_pool(x, 3, 1, ((0, 0), (0, 0))).sum())
    expected = np.zeros((3, 3))
    expected[0, 1] = 1  # the first of four threes
    np.testing.assert_array_equal(gradient(x)[0, :, :, 0], expected)
