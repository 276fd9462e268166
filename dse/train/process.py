"""Check how JAX is set up in this process, and keep its compiled programs."""

import platform
from pathlib import Path
from typing import Any

import jax

from dse.data.cache import cache_folder
from dse.errors import DseError
from dse.files import short_digest
from dse.machine import has_accelerator
from dse.runs.settings import ELSEWHERE, JAX_SETTINGS

COMPILED_BYTES = 2**30
"""Size of the cache above which the programs unused for longest are deleted."""


def check_jax() -> None:
    """Check that JAX computes in this process, with the settings of `JAX_SETTINGS`.

    Raises:
        DseError: other code in the process has changed a setting.
        RuntimeError: JAX finds no device.
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
    """Check that JAX has not silently fallen back to the processor despite a GPU.

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
    """Keep JAX's compiled programs in the user's cache folder, if JAX has none set.

    A program for one processor may not run on another, so each kind has its folder.
    """
    config: Any = jax.config
    if config.jax_compilation_cache_dir is None:
        folder = cache_folder("compiled") / _processor()
        config.update("jax_compilation_cache_dir", str(folder))
        config.update("jax_compilation_cache_max_size", COMPILED_BYTES)
        config.update("jax_persistent_cache_min_compile_time_secs", 0.1)


def _processor() -> str:
    """Eight hexadecimal digits of a hash of the processor's features."""
    try:
        description = Path("/proc/cpuinfo").read_text()
    except OSError:
        description = platform.processor()
    lines = {
        line for line in description.splitlines() if line.startswith(("flags", "Feat"))
    }
    text = "\n".join([platform.machine(), *sorted(lines)])
    return short_digest(text)
