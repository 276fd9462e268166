"""The verb `compress`, whose flags are the fields of the stages."""

import dataclasses
from typing import Annotated, Any

from tyro.conf import OmitArgPrefixes, Positional, arg

import dse
from dse.cli.flags import given
from dse.cli.shared import RETRY, OptionFlags, refuse_holes
from dse.options import Options
from dse.runs.stages import STAGES, Stage


@dataclasses.dataclass(frozen=True)
class CompressBase:
    """Compress a trained network, or all of a study; each result is a run.

    A stage is performed if one of its settings is given, in this order: prune, densify
    or factor, quantise, code. Several values of a setting, as --bits 4,6, are all made.
    Codes come last by themselves. What is there is not done again.

    Example: dse compress fig3b/fashion_mnist_small-quick --density 0.33 --bits 6
    """

    def __call__(self) -> None:
        """Compress and report."""
        from dse.console.tables import print_report
        from dse.study.compression import read_settings

        own: Any = self
        words = {name: value for name, value in given(self).items() if name in _FLAGS}
        source = int(own.source) if own.source.isdecimal() else own.source
        options = Options(**given(own.options))
        settings = read_settings(words)
        report = dse.compress_runs(source, options, name=own.name, **settings)
        print_report(report)
        refuse_holes(report.holes, RETRY)


@dataclasses.dataclass(frozen=True)
class Sensitivity:
    """Prune one layer at a time, without training; print what that costs each.

    Example: dse sensitivity 12 --density 0.5,0.25

    Attributes:
        options: How to run.
        density: Share of the layer's weights that is kept; several with commas.
        name: What to call it; by default by the study and the shares.
    """

    source: Positional[
        Annotated[str, arg(metavar="RUN|STUDY", help="A run_id, or a study.")]
    ]
    density: str = "0.5"
    name: str | None = None
    options: OmitArgPrefixes[OptionFlags] = dataclasses.field(
        default_factory=OptionFlags
    )

    def __call__(self) -> None:
        """Scan and report."""
        from dse.console.placed import print_sensitivity
        from dse.study.compression import read_settings

        source = int(self.source) if self.source.isdecimal() else self.source
        densities = read_settings({"density": self.density})["density"]
        options = Options(**given(self.options))
        found = dse.scan_layers(source, options, density=densities, name=self.name)
        print_sensitivity(found)
        refuse_holes(found.holes, RETRY)


def _flag(kind: type[Stage], name: str) -> Any:
    """The flag of a field of a stage, which takes several values."""
    default = getattr(kind, name)
    return Annotated[
        str | None,
        arg(
            metavar="VALUE,...",
            help=f"{kind.name}: {kind.fields[name].says}",
            help_behavior_hint="" if default is None else f"(default: {default})",
        ),
    ]


_FLAGS = {name: _flag(kind, name) for kind in STAGES.values() for name in kind.fields}

Compress: Any = dataclasses.make_dataclass(
    "Compress",
    [
        (
            "source",
            Positional[
                Annotated[str, arg(metavar="RUN|STUDY", help="A run_id, or a study.")]
            ],
        ),
        *(
            (name, flag, dataclasses.field(default=None))
            for name, flag in _FLAGS.items()
        ),
        (
            "name",
            Annotated[
                str | None,
                arg(
                    metavar="STR",
                    help="What to call it; by default by the study and the settings.",
                    help_behavior_hint="",
                ),
            ],
            None,
        ),
        (
            "options",
            OmitArgPrefixes[OptionFlags],
            dataclasses.field(default_factory=OptionFlags),
        ),
    ],
    bases=(CompressBase,),
    frozen=True,
    namespace={"__doc__": CompressBase.__doc__},
)
