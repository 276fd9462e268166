"""Training speed of this engine, compared with PyTorch.

    python experiments/benchmarks/speed.py                    # Figure 3's networks
    python experiments/benchmarks/speed.py --races quick --seconds 0.5
    python experiments/benchmarks/speed.py --races families families-full

`quick` and `full` are the networks of Figure 3 at these presets' widths, `families` are
NIN, VGG, ResNet-20 and the small Inception with batch norm, a quarter as wide, and
`families-full` as published.

Both train the same architectures with the same recipe (without augmentation) on random
images, in turn within every cell, so that changes of the machine's speed affect all. On
a CPU PyTorch runs in one process over all cores, as usual, and in one per core, as this
engine's sweeps do; eager and compiled; with the C library's allocator as it is and with
huge pages. A form far behind on a race's first cell skips the others. On a GPU one
process of each runs, this engine's also with five replicates together.

It needs PyTorch (`pip install -c constraints.txt -e '.[benchmarks]'`), takes about 35
minutes on two cores, and writes results/benchmarks/DEVICE-RACE.json.
"""

import contextlib
import json
import math
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import tyro
from machine import RESULTS, write_result
from rich.console import Console
from rich.table import Table
from roofline import Peak

from dse.arch.cost import cost
from dse.arch.family import Family
from dse.arch.graph import Architecture
from dse.arch.layer import Shape
from dse.data.cache import cache_folder
from dse.execute.environment import ALLOCATOR, ONE_THREAD
from dse.families.googlenet import GoogLeNet
from dse.families.nin import Nin
from dse.families.resnet import ResNet
from dse.families.vgg import Vgg
from dse.machine import available_cores, has_accelerator
from dse.runs.recipe import Recipe
from dse.study.loading import load_experiment
from dse.study.presets import PRESETS

HERE = Path(__file__).parent
FAMILIES = (
    Nin(norm="batch"),
    Vgg(depth=11, norm="batch"),
    ResNet(depth=20),
    GoogLeNet(),
)
FAR_BEHIND = 0.7
"""Share of PyTorch's best speed on the first cell under which a form is dropped."""


@dataclass(frozen=True)
class Contender:
    """A way to train.

    Attributes:
        name: its name in the table.
        engine: `dse` or `torch`; `peak` measures the machine.
        processes: how many train at once; their images are added up.
        threads: threads of each process; 0 leaves it to the library.
        compiled: True if PyTorch compiles.
        bfloat16: True to compute in bfloat16.
        huge_pages: True if the C library's allocator uses huge pages.
        replicates: replicates trained together.
    """

    name: str
    engine: str
    processes: int = 1
    threads: int = 0
    compiled: bool = False
    bfloat16: bool = False
    huge_pages: bool = False
    replicates: int = 1


def contenders_on_cpu(cores: int) -> list[Contender]:
    """This engine first, then PyTorch in every form that people use."""
    one = Contender("", "torch")
    many = Contender("", "torch", cores, threads=1)
    listed = [Contender("dse", "dse", cores, threads=1, huge_pages=True)]
    for form, label in ((one, "1 process"), (many, f"{cores} processes")):
        listed += [
            replace(form, name=f"eager, {label}"),
            replace(form, name=f"compiled, {label}", compiled=True),
            replace(form, name=f"eager, huge pages, {label}", huge_pages=True),
            replace(form, name=f"eager, bfloat16, {label}", bfloat16=True),
        ]
    return listed


def contenders_on_gpu() -> list[Contender]:
    """This engine and PyTorch with one process each, for a GPU."""
    return [
        Contender("dse", "dse", bfloat16=True),
        Contender("dse, 5 replicates", "dse", bfloat16=True, replicates=5),
        *(
            Contender(
                f"{'compiled' if compiled else 'eager'}, "
                f"{'bfloat16' if narrow else 'float32'}",
                "torch",
                compiled=compiled,
                bfloat16=narrow,
            )
            for narrow in (True, False)
            for compiled in (True, False)
        ),
    ]


@dataclass(frozen=True)
class Course:
    """The networks of a race, and how they are trained.

    Attributes:
        points: the networks.
        input_shape: height, width, channels of an image.
        recipe: the recipe.
        images_a_run: images that a run trains on. This engine compiles short runs
            differently from long ones.
    """

    points: Sequence[Family]
    input_shape: Shape
    recipe: Recipe
    images_a_run: int


def courses() -> dict[str, Course]:
    """The races by name; a long run is 30 epochs of CIFAR-10."""
    short, long = PRESETS["quick"], PRESETS["full"]
    cifar, many = (32, 32, 3), 30 * 45_000
    quarter = [point.scaled(0.25) for point in FAMILIES]
    return {
        "quick": Course(figure_3_cells(short.width), (28, 28, 1), short.recipe, 27_000),
        "full": Course(figure_3_cells(long.width), cifar, long.recipe, many),
        "families": Course(quarter, cifar, short.recipe, many),
        "families-full": Course(FAMILIES, cifar, long.recipe, many),
    }


class Racer:
    """The processes of a contender, which live through all rounds of one cell."""

    def __init__(self, contender: Contender) -> None:
        self._contender = contender
        environment = dict(os.environ)
        environment.pop("GLIBC_TUNABLES", None)
        if contender.huge_pages:
            environment |= ALLOCATOR
        if contender.engine != "torch" and contender.threads == 1:
            environment |= ONE_THREAD
        self._processes = [
            subprocess.Popen(
                [sys.executable, "contender.py"],
                cwd=HERE,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                bufsize=1,
            )
            for _ in range(contender.processes)
        ]

    def begin(self, wanted: Mapping[str, Any]) -> None:
        """Send the task, and wait until the processes are ready."""
        self._tell(json.dumps(wanted | asdict(self._contender)))
        self.first = self._hear()

    def round(self, seconds: float) -> float:
        """Train, and return images per second of all processes."""
        self._tell(str(seconds))
        answers = self._hear()
        self.peak_bytes = sum(answer["peak_bytes"] for answer in answers)
        return sum(answer["images"] / answer["seconds"] for answer in answers)

    def end(self) -> None:
        """Stop the processes."""
        for process in self._processes:
            process.kill()
            process.communicate()

    def _tell(self, line: str) -> None:
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.write(line + "\n")

    def _hear(self) -> list[dict[str, float]]:
        answers = []
        for process in self._processes:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise SystemExit(f"a contender ended with status {process.wait()}")
            answers.append(json.loads(line))
        return answers


@contextlib.contextmanager
def racing(wanted: Mapping[str, Any], contender: Contender) -> Iterator[Racer]:
    """Start a racer, and stop it in the end."""
    racer = Racer(contender)
    try:
        racer.begin(wanted)
        yield racer
    finally:
        racer.end()


def race(
    contenders: Sequence[Contender],
    wanted: Mapping[str, Any],
    rounds: int,
    seconds: float,
) -> dict[str, dict[str, float]]:
    """Measure each contender: images per second, seconds to get ready, peak memory."""
    with contextlib.ExitStack() as stack:
        racers = {c.name: stack.enter_context(racing(wanted, c)) for c in contenders}
        speeds: dict[str, list[float]] = {name: [] for name in racers}
        for _ in range(rounds):
            for name, racer in racers.items():
                speeds[name].append(racer.round(seconds))
        return {
            name: {
                "images_per_second": statistics.median(speeds[name]),
                "slowest_round": min(speeds[name]),
                "fastest_round": max(speeds[name]),
                "ready_seconds": max(a["ready_seconds"] for a in racer.first),
                "peak_bytes": racer.peak_bytes,
            }
            for name, racer in racers.items()
        }


def figure_3_cells(width: float) -> list[Family]:
    """Points of Figures 3(a) and 3(b) at a share of their widths, each once."""
    points = [
        point
        for name in ("fig3a", "fig3b")
        for point in load_experiment(name)[1].scaled(width).values()
    ]
    return list(dict.fromkeys(points))


def measure_peak(contender: Contender) -> Peak:
    """Measure the peak of all of a contender's processes together."""
    with racing({}, replace(contender, engine="peak")) as racer:
        return Peak(
            sum(answer["flops"] for answer in racer.first),
            sum(answer["bytes"] for answer in racer.first),
        )


def run(
    name: str,
    course: Course,
    contenders: Sequence[Contender],
    rounds: int,
    seconds: float,
) -> dict[str, Any]:
    """Measure all contenders on all networks of a race."""
    recipe = replace(course.recipe, crop_padding=0, mirror=False)
    ours = contenders[0]
    peak, element = measure_peak(ours), 2 if ours.bfloat16 else 4
    cells, current = [], list(contenders)
    for point in course.points:
        architecture = point.architecture(course.input_shape, 10)
        images = images_held(architecture, recipe)
        epochs = math.ceil(course.images_a_run / images)
        wanted = {
            "family": point.name,
            "metaparameters": point.values,
            "input_shape": course.input_shape,
            "recipe": asdict(replace(recipe, epochs=epochs)),
            "images": images,
            "device": "cuda" if has_accelerator() else "cpu",
        }
        measured = race(current, wanted, rounds, seconds)
        limit = peak.images_per_second(architecture, element)
        cells.append(
            {
                "cell": f"{point.name} {point.short()}",
                "family": point.name,
                "metaparameters": point.values,
                "contenders": measured,
                "roofline_images_per_second": limit,
            }
        )
        show_cell(f"{point.name} {point.short()}", measured, limit)
        if len(cells) == 1:
            current = [c for c in current if not far_behind(c, measured, contenders)]
    return {
        "race": name,
        "input_shape": course.input_shape,
        "processes": ours.processes,
        "batch_size": recipe.batch_size,
        "peak": asdict(peak),
        "cells": cells,
        "summary": summary(cells, contenders),
    }


def images_held(architecture: Architecture, recipe: Recipe) -> int:
    """Number of images for an epoch of about 0.1 seconds, at least one step."""
    rate = 5e10 if not has_accelerator() else 5e13
    steps = 0.1 * rate / (6 * cost(architecture).macs * recipe.batch_size)
    return recipe.batch_size * max(1, min(500, round(steps)))


def far_behind(
    contender: Contender,
    measured: Mapping[str, Mapping[str, float]],
    contenders: Sequence[Contender],
) -> bool:
    """Check whether a form of PyTorch is far behind the best of its precision."""
    if contender.engine == "dse":
        return False
    best = max(
        measured[c.name]["images_per_second"]
        for c in contenders
        if c.engine == "torch" and c.bfloat16 == contender.bfloat16
    )
    return measured[contender.name]["images_per_second"] < FAR_BEHIND * best


def rivals(contenders: Sequence[Contender]) -> dict[str, list[str]]:
    """Groups of forms of PyTorch by name; `dse` is compared with the best of each."""
    torch = [c for c in contenders if c.engine == "torch"]
    plain = [c.name for c in torch if not c.bfloat16 and not c.huge_pages]
    same = [c.name for c in torch if not c.bfloat16]
    narrow = [c.name for c in torch if c.bfloat16]
    groups = {"float32": plain, "float32, any allocator": same, "bfloat16": narrow}
    return groups if plain != same else {"float32": plain, "bfloat16": narrow}


def summary(
    cells: Sequence[Mapping[str, Any]], contenders: Sequence[Contender]
) -> dict[str, Any]:
    """Geometric means of the ratios over the cells."""
    mine = [c.name for c in contenders if c.engine == "dse"]
    means: dict[str, Any] = {}
    for name in mine:
        for group, members in rivals(contenders).items():
            ratios = [ratio(cell["contenders"], name, members) for cell in cells]
            means[f"{name} over PyTorch's best {group}"] = geometric_mean(ratios)
    shares = [
        cell["contenders"]["dse"]["images_per_second"]
        / cell["roofline_images_per_second"]
        for cell in cells
    ]
    means["dse's share of the roofline"] = geometric_mean(shares)
    return means


def ratio(
    measured: Mapping[str, Mapping[str, float]], name: str, members: Sequence[str]
) -> float:
    """Speed of `name` over that of the best of `members`."""
    best = max(measured[m]["images_per_second"] for m in members if m in measured)
    return measured[name]["images_per_second"] / best


def geometric_mean(values: Sequence[float]) -> float:
    """Exponential of the mean logarithm."""
    return math.exp(statistics.fmean(math.log(value) for value in values))


def show_cell(
    label: str, measured: Mapping[str, Mapping[str, float]], limit: float
) -> None:
    """Print a line for each contender."""
    table = Table(title=label, title_justify="left", min_width=78)
    for heading in ("contender", "images/s", "of dse", "ready, s", "peak, MiB"):
        justify = "left" if heading == "contender" else "right"
        table.add_column(heading, justify=justify)
    ours = measured["dse"]["images_per_second"]
    for name, values in measured.items():
        speed = values["images_per_second"]
        table.add_row(
            name,
            f"{speed:,.0f}",
            f"{speed / ours:.2f}",
            f"{values['ready_seconds']:.1f}",
            f"{values['peak_bytes'] / 2**20:,.0f}",
        )
    table.add_row("roofline", f"{limit:,.0f}", f"{limit / ours:.2f}", "", "")
    Console().print(table)


@dataclass(frozen=True)
class Benchmark:
    """Compare the speed of this engine and PyTorch.

    Attributes:
        races: quick, full, families or families-full.
        rounds: Turns of every contender within a cell.
        seconds: Seconds per turn.
        output: Folder of the JSON files.
    """

    races: tuple[str, ...] = ("quick", "full")
    rounds: int = 3
    seconds: float = 1.0
    output: Path = RESULTS


def main() -> None:
    """Measure, print and write."""
    wanted = tyro.cli(Benchmark, description=__doc__)
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(cache_folder("inductor")))
    contenders = (
        contenders_on_gpu()
        if has_accelerator()
        else contenders_on_cpu(available_cores())
    )
    known = courses()
    for name in wanted.races:
        if name not in known:
            raise SystemExit(f"no race is called {name!r}; expected {', '.join(known)}")
    for race_name in wanted.races:
        course = known[race_name]
        result = run(race_name, course, contenders, wanted.rounds, wanted.seconds)
        for name, mean in result["summary"].items():
            print(f"{race_name}: {name}: {mean:.2f} (geometric mean)")
        print(f"wrote {write_result(wanted.output, race_name, result)}")


if __name__ == "__main__":
    main()
