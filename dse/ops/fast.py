"""Fast forms of the convolution, for CPUs, where XLA's own choices are slow.

1x1 convolutions are matrix products. A first layer with few channels is a product with
patches, and so are convolutions whose maps are as small as their kernels. Where a few
channels keep the size of their map, the patches are of several neighbouring outputs.
"""

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from dse.ops import reference
from dse.ops.windows import offsets

PATCHED_CHANNELS = 4
"""Most input channels with which a convolution runs as patches times matrix."""
PATCHED_PIXELS = 4
"""Most pixels of an output map with which it does. XLA's 3x3 convolutions on maps of
2x2 take up to 18 times as long (experiments/benchmarks/convolutions.py)."""
BLOCKS = ((32, 4), (64, 2))
"""Most filters, and the neighbouring outputs of a row that one patch then serves; with
more filters it serves one (experiments/benchmarks/convolutions.py)."""


def convolution(
    x: Float[Array, "n h w c"],
    kernel: Float[Array, "k k g f"],
    bias: Float[Array, " f"] | None,
    *,
    stride: int,
    padding: int,
    groups: int = 1,
) -> Float[Array, "n oh ow f"]:
    """Compute `reference.convolution`, by matrix products where they are faster."""
    size, channels = kernel.shape[0], kernel.shape[2]
    pointwise = size == 1 and stride == 1
    keeps_size = stride == groups == 1 and 2 * padding == size - 1 > 0
    if channels <= PATCHED_CHANNELS and keeps_size and (bias is None or size > 3):
        # 3x3 kernels with biases are SqueezeNet's, whose cells keep their rounding.
        block = block_of(kernel.shape[3])
        if padding <= block and x.shape[2] % block == 0:
            return block_convolution(x, kernel, bias, block)
    rows, columns = ((n + 2 * padding - size) // stride + 1 for n in x.shape[1:3])
    patched = channels <= PATCHED_CHANNELS or rows * columns <= PATCHED_PIXELS
    form = product_convolution if pointwise or patched else reference.convolution
    return form(x, kernel, bias, stride=stride, padding=padding, groups=groups)


def product_convolution(
    x: Float[Array, "n h w c"],
    kernel: Float[Array, "k k g f"],
    bias: Float[Array, " f"] | None,
    *,
    stride: int,
    padding: int,
    groups: int = 1,
) -> Float[Array, "n oh ow f"]:
    """Compute `reference.convolution` as patches times a matrix, group by group."""
    size = kernel.shape[0]
    if groups > 1:
        parts = zip(jnp.split(x, groups, 3), jnp.split(kernel, groups, 3), strict=True)
        products = [
            product_convolution(part, own, None, stride=stride, padding=padding)
            for part, own in parts
        ]
        product = jnp.concatenate(products, axis=3)
    elif size == 1 and stride == 1:
        product = _product(_padded(x, padding), kernel)
    else:
        product = _product(_patches(_padded(x, padding), size, stride), kernel)
    return product if bias is None else product + bias


def block_of(filters: int) -> int:
    """Outputs of a row that share a patch; 0 if blocks do not pay."""
    return next((block for most, block in BLOCKS if filters <= most), 0)


def block_convolution(
    x: Float[Array, "n h w c"],
    kernel: Float[Array, "k k c f"],
    bias: Float[Array, " f"] | None,
    block: int,
) -> Float[Array, "n h w f"]:
    """Compute a convolution of stride 1 that keeps the size, by blocks of outputs.

    A patch holds what `block` neighbouring outputs of a row read, so that an input
    pixel is copied for each row of the kernel and hardly more; the matrix has the
    kernel once for each of them, a column further each time, and zeros elsewhere.

    Args:
        x: the maps; `block` divides their width, and is at least half the kernel.
        kernel: an odd number of rows and of columns.
        bias: biases, if any.
        block: outputs of a row that share a patch.
    """
    size, filters, padding = kernel.shape[0], kernel.shape[3], kernel.shape[0] // 2
    n, height, width, channels = x.shape
    rows = jnp.pad(x, ((0, 0), (padding, padding), (0, 0), (0, 0)))
    own = rows.reshape(n, height + 2 * padding, width // block, block * channels)
    before = own[:, :, :-1, (block - padding) * channels :]
    after = own[:, :, 1:, : padding * channels]
    around = ((0, 0), (0, 0))
    patches = jnp.concatenate(
        [
            jnp.pad(before, (*around, (1, 0), (0, 0))),
            own,
            jnp.pad(after, (*around, (0, 1), (0, 0))),
        ],
        axis=3,
    )
    patches = jnp.concatenate(
        [patches[:, row : row + height] for row in range(size)], axis=3
    )
    shifted = [
        jnp.pad(kernel, ((0, 0), (at, block - 1 - at), (0, 0), (0, 0)))
        for at in range(block)
    ]
    matrix = jnp.stack(shifted, axis=3).reshape(-1, block * filters)
    product = _product(patches, matrix).reshape(n, height, width, filters)
    return product if bias is None else product + bias


def _padded(x: Float[Array, "n h w c"], padding: int) -> Float[Array, "n ph pw c"]:
    around = (padding, padding)
    return jnp.pad(x, ((0, 0), around, around, (0, 0))) if padding else x


def _patches(
    x: Float[Array, "n h w c"], size: int, stride: int
) -> Float[Array, "n oh ow p"]:
    """Elements of every window side by side, in the order of an HWIO kernel."""
    return jnp.concatenate(
        [x[:, rows, columns] for rows, columns in offsets(x.shape, size, stride)],
        axis=-1,
    )


def _product(
    x: Float[Array, "n h w c"], kernel: Float[Array, "..."]
) -> Float[Array, "n h w f"]:
    matrix = kernel.reshape(-1, kernel.shape[-1])
    product = x.reshape(-1, x.shape[-1]) @ matrix
    return product.reshape(*x.shape[:-1], matrix.shape[-1])
