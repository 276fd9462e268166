"""The verb `fit`: what of a network fits on a chip, and the energy of a prediction."""

from dataclasses import dataclass
from typing import Annotated

from tyro.conf import Positional, arg

import dse
from dse.bounds import read_bytes
from dse.cli.shared import storage_field
from dse.console.terminal import say


@dataclass(frozen=True)
class Fit:
    """Print what fits in on-chip memory, and the energy of a prediction.

    A run has three rows: its weights as 32-bit floats, at 8 bits, and as in its file. A
    study has a row a cell, as in its files, and a figure.

    Example: dse fit 12 --sram 512KiB

    Attributes:
        storage: Database URL.
    """

    source: Positional[
        Annotated[str, arg(metavar="RUN|STUDY", help="A run_id, or a study.")]
    ]
    sram: Annotated[
        str, arg(metavar="SIZE", help="On-chip memory, as 524288, 512KiB or 0.5MB.")
    ]
    storage: str = storage_field()

    def __call__(self) -> None:
        """Print the table and what is assumed."""
        from dse.analysis.energy import PICOJOULES
        from dse.console.placed import print_placed

        sram = read_bytes("--sram", self.sram)
        if self.source.isdecimal():
            forms = dse.fit_run(int(self.source), sram, self.storage)
            print_placed(forms.reset_index())
        else:
            table, folder = dse.fit_study(self.source, sram, self.storage)
            print_placed(table.drop(columns="cell_id"))
            say("figure: fit.png", f"in: {folder}")
        of_float = PICOJOULES["float multiplication"], PICOJOULES["float addition"]
        say(
            f"{sram:,} bytes of SRAM; the largest maps go there first, then the "
            "weights if all fit",
            "energies of 45 nm, picojoules: 32 bits from SRAM "
            f"{PICOJOULES['SRAM']:g}, from DRAM {PICOJOULES['DRAM']:g}; a float "
            f"multiplication {of_float[0]:g}, an addition {of_float[1]:g}, of integers "
            f"{PICOJOULES['integer multiplication']:g} and "
            f"{PICOJOULES['integer addition']:g}",
            "assumed: one image, each weight read once, each activation written and "
            "read once as a 32-bit float, expanding a file free, zeros not left out",
        )
