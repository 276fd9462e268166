"""Energy and memory of predictions, by numbers of the papers and by hand."""

import pytest

from dse.analysis.energy import Demand, fit, reading
from dse.bounds import read_bytes
from dse.errors import DseError


def test_a_billion_connections_at_20_hz_take_12_8_watts_from_dram():
    """Han et al. 2015, section 1: 20 Hz x 10^9 x 640 pJ."""
    assert 20 * reading(4 * 10**9, "DRAM") * 1e-12 == pytest.approx(12.8)
    assert reading(4, "DRAM") / reading(4, "SRAM") == 128


def test_maps_go_on_the_chip_first_and_weights_if_all_fit_beside():
    demand = Demand(weights=400, activations=600, outputs=1000, macs=10)
    found = fit(demand, 1000)
    assert (found.fits, found.weights_in, found.activations_in) == (
        True,
        "SRAM",
        "SRAM",
    )
    # 100 words of weights, 250 written and 250 read, at 5 pJ; 10 of 3.7 + 0.9.
    assert found.weight_picojoules == 500
    assert found.activation_picojoules == 2500
    assert found.arithmetic_picojoules == pytest.approx(46)
    assert found.microjoules == pytest.approx(3046e-6)
    found = fit(demand, 999)
    assert (found.fits, found.weights_in, found.activations_in) == (
        False,
        "DRAM",
        "SRAM",
    )
    assert found.weight_picojoules == 100 * 640
    found = fit(demand, 599)  # too little for the maps, and enough for the weights
    assert (found.fits, found.weights_in, found.activations_in) == (
        False,
        "SRAM",
        "DRAM",
    )
    assert found.activation_picojoules == 500 * 640


def test_integers_take_less():
    demand = Demand(0, 0, 0, macs=10, integers=True)
    assert fit(demand, 1).arithmetic_picojoules == pytest.approx(32)


def test_a_memory_of_nothing_is_refused():
    with pytest.raises(DseError, match="sram is 0; expected 1 or more"):
        fit(Demand(1, 1, 1, 1), 0)


@pytest.mark.parametrize(
    ("written", "size"),
    [
        ("524288", 524_288),
        ("512KiB", 524_288),
        ("512 kib", 524_288),
        ("0.5MB", 500_000),
        ("1e6", 1_000_000),
        ("1.5GiB", 3 * 2**29),
        ("8b", 8),
    ],
)
def test_sizes_as_people_write_them(written, size):
    assert read_bytes("--sram", written) == size


@pytest.mark.parametrize(
    "written", ["", "much", "0", "-1", "1.5", "0.3KiB", "1TB", "nan", "1e99", "1.2.3"]
)
def test_sizes_that_are_none(written):
    with pytest.raises(
        DseError, match=r"--sram is .*; expected bytes, as 524288, 512K"
    ):
        read_bytes("--sram", written)
