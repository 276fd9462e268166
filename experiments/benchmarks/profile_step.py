"""Time of a training step by kind of operation.

    python experiments/benchmarks/profile_step.py
    python experiments/benchmarks/profile_step.py --longest 20 --input-shape 32 32 3
        --family resnet --values depth=20 width=0.25

It traces an epoch of a few steps with JAX's profiler and sums XLA's operations by kind;
`--longest` lists single ones. Tracing itself slows down small operations.
"""

import collections
import gzip
import json
import os
import re
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import tyro

from dse.execute.environment import settle_process
from dse.families import family_called
from dse.study.presets import PRESETS

KINDS = {
    r"ynn_fusion|dot|convolution|conv_general|custom-call": "products, convolutions",
    r"concatenate": "concatenation, patches",
    r"select|remainder|maximum": "pooling, ReLU",
    r"pad|slice|copy|transpose|bitcast": "padding, slices, copies",
    r"reduce|add|multiply": "sums, SGD",
    r"while": "random numbers",
}
"""Kinds by a pattern for an operation's name, in which XLA lists what it has fused."""


@dataclass(frozen=True)
class Profile:
    """Profile one network's training on this machine.

    Attributes:
        family: A family's name, or path/mine.py:Mine.
        values: Its metaparameters, as width=0.25.
        input_shape: Height, width, channels.
        batch_size: Images per step.
        steps: Steps to trace.
        longest: Number of single operations to list.
    """

    family: str = "squeezenet"
    values: tuple[str, ...] = ("base_e=16", "incr_e=16", "sr=0.5")
    input_shape: tuple[int, int, int] = (28, 28, 1)
    batch_size: int = 32
    steps: int = 20
    longest: int = 0


def main() -> None:
    """Trace an epoch and print the times."""
    wanted = tyro.cli(Profile, description=__doc__)
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    settle_process()
    import jax
    from contender import dse_epochs

    family = family_called(wanted.family)
    pairs = [word.partition("=")[::2] for word in wanted.values]
    point = family.of({name: family.fields[name].read(name, x) for name, x in pairs})
    recipe = replace(PRESETS["quick"].recipe, batch_size=wanted.batch_size, epochs=1000)
    epoch = dse_epochs(
        {
            "family": wanted.family,
            "metaparameters": point.values,
            "input_shape": wanted.input_shape,
            "recipe": asdict(recipe),
            "images": wanted.steps * wanted.batch_size,
            "replicates": 1,
        }
    )
    epoch()
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder, create_perfetto_trace=True):
            epoch()
        [file] = Path(folder).rglob("perfetto_trace.json.gz")
        with gzip.open(file) as opened:
            told = json.load(opened)
    events = told["traceEvents"] if isinstance(told, dict) else told
    times: collections.Counter[str] = collections.Counter()
    single: collections.Counter[str] = collections.Counter()
    for event in events:
        if event.get("ph") == "X" and "hlo_op" in event.get("args", {}):
            times[kind(event["name"])] += event["dur"]
            single[event["name"]] += event["dur"]
    whole = sum(times.values())
    print(f"{point.short()}: {whole / wanted.steps / 1000:.2f} ms a step")
    for name, microseconds in times.most_common():
        print(f"{microseconds / whole:6.1%}  {name}")
    for name, microseconds in single.most_common(wanted.longest):
        print(f"{microseconds / wanted.steps / 1000:6.2f} ms  {name}")


def kind(name: str) -> str:
    """The first kind whose pattern matches an operation's name."""
    return next((k for pattern, k in KINDS.items() if re.search(pattern, name)), "rest")


if __name__ == "__main__":
    main()
