"""Verbs on studies: data, plan, sweep, reproduce, check, search."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from tyro.conf import OmitArgPrefixes, Positional

import dse
from dse.cli.flags import given
from dse.cli.shared import (
    RETRY,
    Experiments,
    NamedFlags,
    OptionFlags,
    ProductFlags,
    refuse_holes,
    storage_field,
)
from dse.console.terminal import say
from dse.errors import DseError
from dse.options import Options
from dse.study.outcome import sum_of_holes
from dse.study.product import Product


def wanted(names: Sequence[str], product: ProductFlags) -> Sequence[Any]:
    """The experiments that are named, or the one that --family and --set define.

    Raises:
        DseError: both are given.
    """
    asked = Product(**given(product))
    if asked.is_asked and names:
        raise DseError(
            f"an experiment ({names[0]}) and --family, --set, --epochs or --name are "
            "given; the latter make one of their own: leave one of them out"
        )
    return [asked] if asked.is_asked else names


@dataclass(frozen=True)
class Data:
    """Show what is read of an image set: parts, classes, pixels, files left out.

    Example: dse data my_images

    Attributes:
        folder: A folder, the embedded set's name, or a hub id.
        preset: Preset that it is for; imagenet takes images of any size.
        named: Choices that the files of the set leave open.
    """

    folder: Positional[str]
    preset: str | None = None
    named: OmitArgPrefixes[NamedFlags] = field(default_factory=NamedFlags)

    def __call__(self) -> None:
        """Print what was read."""
        from dse.console.dataset import introduce

        options = Options(preset=self.preset, **given(self.named))
        introduce(dse.open_dataset(self.folder, options), whole=True)


@dataclass(frozen=True)
class Plan:
    """Print an experiment's cells, runs, MACs and time before it is launched.

    Example: dse plan fig3b --preset full --dataset path/to/cifar10

    Attributes:
        dataset: Dataset to train on; by default the preset's.
        preset: quick, narrow, full or imagenet; by default the experiment's first.
        seeds: Replicates of each cell.
        workers: Worker processes.
        executor: serial, process or ray.
        device: here, calibrated in seconds, or a file of experiments/benchmarks.
        named: Choices that the files of the dataset leave open.
        product: An experiment that these flags define.
    """

    experiments: Positional[Experiments] = ()
    dataset: str | None = None
    preset: str | None = None
    seeds: int | None = None
    workers: int | None = None
    executor: str | None = None
    device: str = "here"
    named: OmitArgPrefixes[NamedFlags] = field(default_factory=NamedFlags)
    product: OmitArgPrefixes[ProductFlags] = field(default_factory=ProductFlags)

    def __call__(self) -> None:
        """Print the plan."""
        from dse.console.tables import print_estimate

        options = Options(
            dataset=self.dataset,
            preset=self.preset,
            seeds=self.seeds,
            workers=self.workers,
            executor=self.executor,
            **given(self.named),
        )
        asked = wanted(self.experiments, self.product)
        print_estimate(dse.plan(asked, options, device=self.device))


@dataclass(frozen=True)
class Sweep:
    """Train the missing runs of an experiment; repeat the command to go on.

    Example: dse sweep fig3b --seeds 3
    """

    experiments: Positional[Experiments] = ()
    product: OmitArgPrefixes[ProductFlags] = field(default_factory=ProductFlags)
    options: OmitArgPrefixes[OptionFlags] = field(default_factory=OptionFlags)

    def __call__(self) -> None:
        """Run the sweep."""
        from dse.console.tables import print_outcome

        options = Options(**given(self.options))
        swept = dse.sweep_all(wanted(self.experiments, self.product), options)
        for name, outcomes in swept.items():
            for outcome in outcomes:
                print_outcome(name, outcome)
        every = [outcome for outcomes in swept.values() for outcome in outcomes]
        refuse_holes(sum_of_holes(x.holes for x in every), RETRY)


@dataclass(frozen=True)
class Reproduce:
    """Train the missing runs of an experiment, then write its tables and figure.

    Example: dse reproduce fig3b
    """

    experiments: Positional[Experiments] = ()
    product: OmitArgPrefixes[ProductFlags] = field(default_factory=ProductFlags)
    options: OmitArgPrefixes[OptionFlags] = field(default_factory=OptionFlags)

    def __call__(self) -> None:
        """Run and report."""
        from dse.console.tables import print_report

        options = Options(**given(self.options))
        reports = dse.reproduce_all(wanted(self.experiments, self.product), options)
        for report in reports:
            print_report(report)
        refuse_holes(sum_of_holes(x.holes for x in reports), RETRY)


@dataclass(frozen=True)
class Check:
    """Judge the paper's claims by the runs in the database; nothing is trained.

    Example: dse check fig3a fig3b table3

    Attributes:
        dataset: Dataset that was trained on; by default the preset's.
        preset: quick, narrow, full or imagenet; by default the experiment's first.
        storage: Database URL.
        named: Choices that the files of the dataset leave open.
    """

    experiments: Positional[Experiments]
    dataset: str | None = None
    preset: str | None = None
    storage: str = storage_field()
    named: OmitArgPrefixes[NamedFlags] = field(default_factory=NamedFlags)

    def __call__(self) -> None:
        """Print the verdicts."""
        from dse.console.tables import print_claims

        options = Options(
            dataset=self.dataset,
            preset=self.preset,
            storage=self.storage,
            **given(self.named),
        )
        for claims in dse.check(self.experiments, options):
            say(f"{claims.study}:")
            print_claims(claims)


@dataclass(frozen=True)
class Search:
    """Search metaparameters for the best networks within a hard budget.

    Example: dse search --dataset my_images --max-bytes 100000 --minutes 10

    Attributes:
        product: A space that these flags define, in place of a named one.
        options: How to run the search.
        space: Named space, narrow or paper; by default what suits the preset.
        sampler: Optuna's sampler.
        trials: Networks to train in all; 30 when no minutes are given either.
        minutes: Minutes to take in all.
        batch: Points proposed at a time; more workers than that stay idle.
        max_params: Most parameters.
        max_bytes: Most bytes of 32-bit weights (0.1 MB is 100000).
        max_macs: Most multiply-accumulates.
        max_compressed_bytes: Most bytes of a compressed network's file, as --set bits=6
            --set density=0.33 make it; it is measured, so it is checked after training.
    """

    product: OmitArgPrefixes[ProductFlags] = field(default_factory=ProductFlags)
    options: OmitArgPrefixes[OptionFlags] = field(default_factory=OptionFlags)
    space: str | None = None
    sampler: Literal["tpe", "nsga2", "random"] = "tpe"
    trials: int | None = None
    minutes: float | None = None
    batch: int = 4
    max_params: int | None = None
    max_bytes: int | None = None
    max_macs: int | None = None
    max_compressed_bytes: int | None = None

    def __call__(self) -> None:
        """Search and report."""
        from dse.console.tables import print_report

        asked = Product(**given(self.product))
        if asked.is_asked and self.space is not None:
            raise DseError("--space and --family or --set are given; leave one out")
        report = dse.search(
            Options(**given(self.options)),
            space=asked if asked.is_asked else self.space,
            sampler=self.sampler,
            budget=dse.Budget(
                self.max_params,
                self.max_bytes,
                self.max_macs,
                self.max_compressed_bytes,
            ),
            trials=self.trials,
            minutes=self.minutes,
            batch=self.batch,
        )
        print_report(report)
        refuse_holes(report.holes, "and the search goes on without them")
