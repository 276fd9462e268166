"""What fits in on-chip memory, and the energy of a prediction, of weights and maps.

Energies are of a 45 nm process (Horowitz 2014, as in table 1 of Han et al. 2015, arXiv
1506.02626), for 32 bits read at a time. What is assumed:

- a prediction is of one image, and reads each weight once;
- each activation is written once and read once, in 32-bit floats;
- compressed weights are read as they are in the file, and expanding them is free;
- arithmetic is a multiplication and an addition of 32-bit floats for each
  multiply-accumulate, or of integers where the weights have 8 bits;
- zeros are not left out of the arithmetic.
"""

from dataclasses import dataclass

from dse.bounds import check_whole

PICOJOULES = {
    "integer addition": 0.1,
    "float addition": 0.9,
    "integer multiplication": 3.1,
    "float multiplication": 3.7,
    "SRAM": 5.0,
    "DRAM": 640.0,
}
"""Energy of an operation of 32 bits, or of reading 32 bits."""
WORD = 4
"""Bytes that are read at a time."""
MOST_BYTES = 2**60


def reading(bytes_read: int | float, memory: str) -> float:
    """Energy of reading bytes from `SRAM` or `DRAM`, in picojoules."""
    return bytes_read / WORD * PICOJOULES[memory]


@dataclass(frozen=True)
class Demand:
    """What a prediction of a network needs.

    Attributes:
        weights: bytes of the weights.
        activations: bytes of the maps that are in memory at once, at most.
        outputs: bytes of all maps together.
        macs: multiply-accumulates.
        integers: whether these are of integers.
    """

    weights: int | float
    activations: int | float
    outputs: int | float
    macs: int | float
    integers: bool = False


@dataclass(frozen=True)
class Fit:
    """Where weights and maps are, and what a prediction takes.

    Attributes:
        weights_in: SRAM or DRAM.
        activations_in: SRAM or DRAM.
        weight_picojoules: energy of reading the weights.
        activation_picojoules: of writing and reading the maps.
        arithmetic_picojoules: of the multiply-accumulates.
    """

    weights_in: str
    activations_in: str
    weight_picojoules: float
    activation_picojoules: float
    arithmetic_picojoules: float

    @property
    def fits(self) -> bool:
        """Whether all is on the chip."""
        return self.weights_in == self.activations_in == "SRAM"

    @property
    def microjoules(self) -> float:
        """Energy of a prediction."""
        parts = (
            self.weight_picojoules,
            self.activation_picojoules,
            self.arithmetic_picojoules,
        )
        return sum(parts) / 1e6


def fit(demand: Demand, sram: int) -> Fit:
    """Place the maps first, then the weights if all of them fit beside.

    Args:
        demand: what a prediction needs.
        sram: bytes of on-chip memory.

    Raises:
        DseError: the memory is no whole number of bytes from 1 on.
    """
    check_whole("sram", sram, 1, MOST_BYTES)
    activations_in = "SRAM" if demand.activations <= sram else "DRAM"
    beside = sram - (demand.activations if activations_in == "SRAM" else 0)
    weights_in = "SRAM" if demand.weights <= beside else "DRAM"
    kind = "integer" if demand.integers else "float"
    each = PICOJOULES[f"{kind} addition"] + PICOJOULES[f"{kind} multiplication"]
    return Fit(
        weights_in,
        activations_in,
        reading(demand.weights, weights_in),
        2 * reading(demand.outputs, activations_in),
        demand.macs * each,
    )
