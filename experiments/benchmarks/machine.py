"""The machine of a measurement, and the file that its result is written to."""

import contextlib
import json
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from dse.files import write_whole
from dse.machine import available_cores, has_accelerator

RESULTS = Path(__file__).parents[2] / "results" / "benchmarks"
LIBRARIES = ("jax", "jaxlib", "flax", "optax", "torch", "numpy")


def machine() -> dict[str, str]:
    """Device, cores, and versions of what is installed."""
    described = {
        "device": device_name(),
        "cores": str(available_cores()),
        "python": platform.python_version(),
    }
    for name in LIBRARIES:
        with contextlib.suppress(PackageNotFoundError):
            described[name] = version(name)
    return described


def device_name() -> str:
    """Name of the GPU or else the processor."""
    if has_accelerator():
        import jax

        return jax.devices()[0].device_kind
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":")[1].strip()
    return platform.processor() or platform.machine()


def write_result(folder: Path, name: str, result: Mapping[str, Any]) -> Path:
    """Write `result` and the machine to DEVICE-NAME.json, completely or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{'gpu' if has_accelerator() else 'cpu'}-{name}.json"
    text = json.dumps({"machine": machine(), **result}, indent=1)
    write_whole(file, lambda opened: opened.write(text.encode()))
    return file
