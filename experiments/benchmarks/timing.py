"""Times of compiled functions, measured in turn."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax

TURNS, CALLS = 8, 8


def microseconds_in_turn(
    forms: Mapping[str, tuple[Callable[..., Any], Sequence[jax.Array]]],
) -> dict[str, int]:
    """Median microseconds of a call of each compiled function with its arrays."""
    times: dict[str, list[float]] = {}
    for _ in range(TURNS):
        for name, (function, arrays) in forms.items():
            for call in range(CALLS):
                began = time.perf_counter()
                jax.block_until_ready(function(*arrays))
                if call:  # the first call pays for what the form before left
                    times.setdefault(name, []).append(time.perf_counter() - began)
    return {
        name: round(1e6 * statistics.median(listed[CALLS:]))
        for name, listed in times.items()
    }


def value_and_gradients_of(form: Callable[..., jax.Array]) -> Callable[..., Any]:
    """Compiled: a form's value and its inputs' gradients, given the one above it."""

    def both(*given: jax.Array) -> Any:
        *inputs, above = given
        value, backward = jax.vjp(form, *inputs)
        return value, backward(above)

    return jax.jit(both)
