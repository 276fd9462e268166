"""What batch norm costs on this device, against its plain form and against none.

    python experiments/benchmarks/batch_norm.py

The gradient of the norm for maps of three sizes, in turn with the gradient that JAX
makes of the same equation; the sum of a product per channel, with and without the
rounding that keeps XLA from making dot products of it; and images per second of the
narrow SqueezeNet with batch norm and without. All in turn, in one thread, as a worker
has. It prints JSON.
"""

import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from contender import dse_epochs
from timing import microseconds_in_turn

from dse.execute.environment import settle_process
from dse.ops.norm import batch_norm

MAPS = ((32, 32, 32, 16), (32, 16, 16, 32), (32, 8, 8, 64))
"""Images, rows, columns and channels."""
EPSILON = 1e-5
WANTED = {
    "family": "squeezenet",
    "input_shape": (32, 32, 3),
    "recipe": {
        "epochs": 10,
        "peak_learning_rate": 0.05,
        "batch_size": 32,
        "crop_padding": 0,
        "mirror": False,
    },
    "images": 3200,
    "replicates": 1,
}


def main() -> None:
    """Measure, and print the medians."""
    settle_process()
    print(json.dumps({"gradient": gradients(), "training": training()}, indent=2))


def gradients() -> list[dict[str, Any]]:
    """Median microseconds of a gradient and of a sum of products, for each size."""
    found = []
    for shape in MAPS:
        generator = np.random.default_rng(0)
        x, above = generator.normal(size=(2, *shape)).astype(np.float32)
        scale, shift = jnp.ones(shape[3]), jnp.zeros(shape[3])
        given = x, scale, shift, above
        rows = [array.reshape(1, -1, shape[3]) for array in (x, above)]
        compiled = {
            "ours": (gradient_of(ours), given),
            "autodiff": (gradient_of(plain), given),
            "product": (jax.jit(product_sum), rows),
            "product, rounded": (jax.jit(rounded_sum), rows),
        }
        found.append({"map": shape, **microseconds_in_turn(compiled)})
    return found


def ours(x: jax.Array, scale: jax.Array, shift: jax.Array) -> jax.Array:
    """The norm of the engine, of all images as one group."""
    return batch_norm(x, scale, shift, len(x), EPSILON)[0]


def plain(x: jax.Array, scale: jax.Array, shift: jax.Array) -> jax.Array:
    """The equation, for JAX to differentiate."""
    mean = x.mean((0, 1, 2))
    variance = ((x - mean) ** 2).mean((0, 1, 2))
    return (x - mean) * (scale * jax.lax.rsqrt(variance + EPSILON)) + shift


def product_sum(rows: jax.Array, above: jax.Array) -> jax.Array:
    """The sum of a product, channel by channel."""
    return (rows * above).sum(axis=1)


def rounded_sum(rows: jax.Array, above: jax.Array) -> jax.Array:
    """The same, with a rounding that changes no value."""
    return jax.lax.reduce_precision(rows * above, 8, 23).sum(axis=1)


def gradient_of(form: Callable[..., jax.Array]) -> Callable[..., Any]:
    """The compiled gradient of a form, given that of its output."""

    def gradient(*given: jax.Array) -> Any:
        *inputs, above = given
        return jax.vjp(form, *inputs)[1](above)

    return jax.jit(gradient)


def training() -> dict[str, float]:
    """Images per second with batch norm and without, and their ratio, in turn."""
    epochs = {
        norm: dse_epochs(
            WANTED
            | {
                "metaparameters": {
                    "base_e": 16,
                    "incr_e": 16,
                    "sr": 0.5,
                    "norm": norm,
                }
            }
        )
        for norm in ("none", "batch")
    }
    rates: dict[str, list[float]] = {norm: [] for norm in epochs}
    for _ in range(6):
        for norm, epoch in epochs.items():
            began = time.perf_counter()
            images = epoch()
            rates[norm].append(images / (time.perf_counter() - began))
    medians = {norm: round(statistics.median(x[1:])) for norm, x in rates.items()}
    return {**medians, "slower": round(medians["none"] / medians["batch"], 2)}


if __name__ == "__main__":
    main()
