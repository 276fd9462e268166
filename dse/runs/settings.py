"""Settings of a process that change the results of a training, with fixed values.

The bits of a run depend on its cell and replicate alone. So JAX's random numbers, float
type and the like are the same in every process that trains. What the user's environment
sets instead is left out, with a message.
"""

from collections.abc import Mapping

JAX_SETTINGS: Mapping[str, tuple[object, str]] = {
    "jax_enable_x64": (False, "32-bit floats"),
    "jax_default_dtype_bits": (None, "32-bit floats"),
    "jax_default_prng_impl": ("threefry2x32", "threefry2x32 random numbers"),
    "jax_enable_custom_prng": (False, "JAX's default random keys"),
    "jax_legacy_prng_key": ("allow", "JAX's default random keys"),
    "jax_random_seed_offset": (0, "seeds as they are"),
    "jax_threefry_partitionable": (True, "partitionable random numbers"),
    "jax_threefry_gpu_kernel_lowering": (False, "random numbers by XLA"),
    "jax_default_matmul_precision": (None, "XLA's default precision"),
    "jax_numpy_dtype_promotion": ("standard", "standard promotion of types"),
    "jax_numpy_rank_promotion": ("allow", "promotion of ranks"),
    "jax_debug_nans": (False, "no checks for NaN: a run that diverges is an outcome"),
    "jax_debug_infs": (False, "no checks for infinities"),
    "jax_debug_key_reuse": (False, "no checks of keys"),
    "jax_enable_checks": (False, "no checks of JAX's own"),
    "jax_check_tracer_leaks": (False, "no checks of tracers"),
    "jax_disable_jit": (False, "compiled programs"),
    "jax_no_tracing": (False, "compiled programs"),
    "jax_no_execution": (False, "programs that run"),
    "jax_disable_most_optimizations": (False, "XLA's optimisations"),
    "jax_optimization_level": ("UNKNOWN", "XLA's optimisations"),
    "jax_exec_time_optimization_effort": (0.0, "XLA's optimisations"),
    "jax_memory_fitting_effort": (0.0, "XLA's optimisations"),
    "jax_memory_fitting_level": ("O2", "XLA's optimisations"),
    "jax_use_direct_linearize": (True, "JAX's default derivatives"),
    "jax_num_cpu_devices": (-1, "one device a worker"),
    "jax_default_device": (None, "JAX's first device"),
    "jax_transfer_guard": (None, "transfers to the device"),
    "jax_transfer_guard_host_to_device": (None, "transfers to the device"),
    "jax_transfer_guard_device_to_device": (None, "transfers on the device"),
    "jax_transfer_guard_device_to_host": (None, "transfers from the device"),
}
"""JAX settings that change a run's bits or end it: value in training, description."""

KEPT_FOR_JAX = (
    "JAX_PLATFORMS",  # checked by `dse.machine.check_platforms`
    "JAX_CUDA_VISIBLE_DEVICES",
    "JAX_ROCM_VISIBLE_DEVICES",
    "JAX_COMPILATION_CACHE_DIR",
    "JAX_COMPILATION_CACHE_MAX_SIZE",
    "JAX_ENABLE_COMPILATION_CACHE",
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES",
    "JAX_LOG_COMPILES",
    "JAX_LOGGING_LEVEL",
)
"""JAX variables that are kept: they choose devices, caches and logging.

All others that begin with JAX_ are left out: later versions may add ones that change
results.
"""

DETERMINISTIC = "--xla_gpu_deterministic_ops=true"
"""Flag that makes a GPU give the same bits each time."""

HARMLESS_XLA_FLAGS = ("--xla_dump_", "--xla_gpu_cuda_data_dir", DETERMINISTIC)
"""Beginnings of the XLA flags that are kept.

They write dumps, find CUDA, or do the same as --deterministic. Most others change the
compiled code, which may round differently, and a misspelt flag ends the process.
"""

OTHER_VARIABLES: Mapping[str, str] = {
    "NVIDIA_TF32_OVERRIDE": "the precision that JAX asks for",
    "ONEDNN_DEFAULT_FPMATH_MODE": "32-bit floats",
    "DNNL_DEFAULT_FPMATH_MODE": "32-bit floats",
    "ONEDNN_MAX_CPU_ISA": "what the processor has",
    "DNNL_MAX_CPU_ISA": "what the processor has",
    "NPY_DISABLE_CPU_FEATURES": "what the processor has",
    "NPY_ENABLE_CPU_FEATURES": "what the processor has",
}
"""Variables of libraries below JAX that are left out, and what holds instead."""

ELSEWHERE = (
    "set it back before JAX is used, or train in processes of their own (executor "
    "process, the default)"
)
"""Advice for a process with other settings."""

_NO = ("", "0", "false", "f", "no", "n", "off")


def ignored(environment: Mapping[str, str]) -> dict[str, str]:
    """Variables that are left out and would have an effect, and what holds instead."""
    return {
        name: instead
        for name, instead in _left_out(environment).items()
        if not _holds_anyway(name, environment[name])
    }


def without_ignored(environment: Mapping[str, str]) -> dict[str, str]:
    """Copy of an environment without the variables and XLA flags that are left out."""
    left_out = _left_out(environment)
    kept = {name: value for name, value in environment.items() if name not in left_out}
    if "XLA_FLAGS" in left_out:
        flags = [x for x in environment["XLA_FLAGS"].split() if _is_harmless(x)]
        kept |= {"XLA_FLAGS": " ".join(flags)} if flags else {}
    return kept


def _left_out(environment: Mapping[str, str]) -> dict[str, str]:
    """All variables that are left out, and what holds instead."""
    words = {name.upper(): instead for name, (_, instead) in JAX_SETTINGS.items()}
    found = {}
    for name, value in environment.items():
        if name.startswith("JAX_") and name not in KEPT_FOR_JAX:
            found[name] = words.get(name, "JAX's own default")
        elif name in OTHER_VARIABLES:
            found[name] = OTHER_VARIABLES[name]
        elif name == "XLA_FLAGS" and not all(map(_is_harmless, value.split())):
            found[name] = "XLA's own defaults"
    return found


def _holds_anyway(name: str, value: str) -> bool:
    stated = JAX_SETTINGS.get(name.lower(), (None, ""))[0]
    if isinstance(stated, bool):
        return (value.lower() not in _NO) == stated
    return value.lower() in ("", str(stated).lower())


def _is_harmless(flag: str) -> bool:
    return flag.startswith(HARMLESS_XLA_FLAGS)
