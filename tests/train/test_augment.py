import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dse.data.augmentation import crop_padding, mirror_suits
from dse.train.augment import augment, normalise


def numbered(n=64, height=6, width=5):
    """Images in which every pixel has a value of its own, none 0."""
    one = np.arange(1, height * width + 1, dtype=np.uint8).reshape(height, width, 1)
    return jnp.asarray(np.stack([one] * n))


def keys(n):
    return jax.random.split(jax.random.key(1), n)


def test_without_frame_and_mirror_nothing_changes():
    images = numbered()
    np.testing.assert_array_equal(augment(images, keys(64), 0, False, (6, 5)), images)


def test_an_image_is_drawn_by_its_own_key():
    images = numbered(8)
    whole = augment(images, keys(8), 2, True, (6, 5))
    np.testing.assert_array_equal(
        augment(images[:2], keys(8)[3:5], 2, True, (6, 5)), whole[3:5]
    )


def test_a_mirror_turns_about_half():
    images = numbered(400)
    out = np.asarray(augment(images, keys(400), 0, True, (6, 5)))
    turned = (out == images[:, :, ::-1]).all((1, 2, 3))
    same = (out == images).all((1, 2, 3))
    assert (turned ^ same).all()
    assert 150 < turned.sum() < 250


def test_crops_are_shifts_within_the_frame():
    images = numbered()
    out = np.asarray(augment(images, keys(64), 2, False, (6, 5)))
    framed = np.pad(np.asarray(images)[0, :, :, 0], 2)
    possible = {
        framed[i : i + 6, j : j + 5].tobytes() for i in range(5) for j in range(5)
    }
    drawn = {crop[:, :, 0].tobytes() for crop in out}
    assert drawn <= possible
    assert len(drawn) > 15


def test_normalise():
    images = jnp.array([[[[10, 200]]]], jnp.uint8)
    out = normalise(images, jnp.array([0.0, 100.0]), jnp.array([5.0, 50.0]))
    np.testing.assert_allclose(out, [[[[2, 2]]]])


@pytest.mark.parametrize(
    ("name", "suits"),
    [
        ("fashion_mnist_small", True),
        ("uoft-cs--cifar10", True),
        ("mnist", False),
        ("my_letters", False),
    ],
)
def test_what_suits_a_mirror(name, suits):
    assert mirror_suits(name) == suits


def test_the_frame_is_an_eighth():
    assert crop_padding(28, 28) == 3
    assert crop_padding(32, 40) == 4
