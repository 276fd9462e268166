"""That this process computes where and as every other that trains; what it compiled."""

import platform
from pathlib import Path
from typing import Any

import jax

from dse.data.cache import cache_folder
from dse.data.names import short_digest
from dse.errors import DseError
from dse.machine import has_accelerator
from dse.runs.settings import ELSEWHERE, JAX_SETTINGS

COMPILED_BYTES = 2**30
"""Size at which compiled programs that were not used for long are deleted."""


def check_jax() -> None:
    """See that JAX in this process computes, and as stated here.

    Raises:
        DseError: who shares the process has set it up otherwise.
        RuntimeError: it finds no device.
    """
    for name, (value, words) in JAX_SETTINGS.items():
        found = getattr(jax.config, name, value)
        if found != value:
            raise DseError(
                f"{name} is {found!r} in this process; dse trains with {words} "
                f"({value!r}): {ELSEWHERE}"
            )
    jax.devices()


def check_device() -> None:
    """See that JAX computes on the GPU where one is; it would go on without a word.

    Raises:
        DseError: it computes on the processor.
    """
    if has_accelerator() and jax.devices()[0].platform == "cpu":
        raise DseError(
            "there is a GPU here, but JAX computes on the processor (its driver may be "
            "broken, or this process has asked for it); mend that, or set "
            "JAX_PLATFORMS=cpu to train on the processor"
        )


def keep_compiled_programs() -> None:
    """Have JAX keep compiled programs in the user's cache folder, unless it is told to.

    A program for one processor may not run on another, so each kind has its folder.
    """
    config: Any = jax.config
    if config.jax_compilation_cache_dir is None:
        folder = cache_folder("compiled") / _processor()
        config.update("jax_compilation_cache_dir", str(folder))
        config.update("jax_compilation_cache_max_size", COMPILED_BYTES)
        config.update("jax_persistent_cache_min_compile_time_secs", 0.1)


def _processor() -> str:
    """Eight hexadecimal digits of a hash over the processor's features."""
    try:
        told = Path("/proc/cpuinfo").read_text()
    except OSError:
        told = platform.processor()
    lines = {line for line in told.splitlines() if line.startswith(("flags", "Feat"))}
    text = "\n".join([platform.machine(), *sorted(lines)])
    return short_digest(text)
