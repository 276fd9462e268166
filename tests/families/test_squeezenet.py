import pytest

from dse.arch.graph import Add, Convolution, MaxPool
from dse.errors import DseError
from dse.families.squeezenet import (
    FireWidths,
    Metaparameters,
    resolved_pct_3x3,
    squeezenet,
    widths,
)


def test_the_papers_widths():
    # Table 1.
    assert widths(Metaparameters()) == (
        FireWidths(16, 64, 64),
        FireWidths(16, 64, 64),
        FireWidths(32, 128, 128),
        FireWidths(32, 128, 128),
        FireWidths(48, 192, 192),
        FireWidths(48, 192, 192),
        FireWidths(64, 256, 256),
        FireWidths(64, 256, 256),
    )


def test_fractions_round_half_up_and_squeeze_keeps_a_filter():
    # pct 0.5 of 5 is 2.5 -> 3; SR 0.3 of 5 is 1.5 -> 2.
    assert widths(Metaparameters(5, 0, 1, 0.3, 0.5))[0] == FireWidths(2, 2, 3)
    assert widths(Metaparameters(5, 0, 1, 0.0, 0.0))[0] == FireWidths(1, 5, 0)


def test_one_per_cent_of_the_papers_widths():
    # facts: e3x3 = 1, 3, 4, 5 at 128, 256, 384, 512.
    e3x3 = [w.e3x3 for w in widths(Metaparameters(pct_3x3=0.01))]
    assert e3x3 == [1, 1, 3, 3, 4, 4, 5, 5]


def test_freq_counts_modules_between_increments():
    e = [w.e for w in widths(Metaparameters(10, 3, 3))]
    assert e == [10, 10, 10, 13, 13, 13, 16, 16]


def test_resolved_share_of_narrow_networks():
    # base_e = incr_e = 16 at 1 %: only the two modules of 64 have one 3x3 filter.
    assert resolved_pct_3x3(Metaparameters(16, 16, pct_3x3=0.01)) == 2 / 320


@pytest.mark.parametrize(("pct", "missing"), [(0.0, "expand3x3"), (1.0, "expand1x1")])
def test_an_empty_branch_is_left_out(pct, missing):
    names = [x.name for x in squeezenet(Metaparameters(pct_3x3=pct)).layers]
    assert not [name for name in names if missing in name or "concat" in name]


def test_pools_where_they_are_asked_for():
    given = squeezenet(Metaparameters(pools="8, 4,1"))
    assert given.id == squeezenet(Metaparameters()).id
    early = Metaparameters(version="1.1", pools="1,3,5")
    assert early.pool_places == (1, 3, 5)
    assert squeezenet(early).id == squeezenet(Metaparameters(version="1.1")).id
    late = squeezenet(Metaparameters(16, 16, pools="4,6,9"), (32, 32, 3), 10)
    assert [x.name for x in late.layers if isinstance(x, MaxPool)] == [
        "pool4",
        "pool6",
        "pool9",
    ]
    assert late.shapes["fire4/concat"] == (32, 32, 32)
    assert late.shapes["pool9"] == (4, 4, 64)
    assert "pools after 4,6,9" in Metaparameters(pools="4,6,9").short()


@pytest.mark.parametrize("pools", ["", "0,4", "4,10", "early", "1,-4", "1;4"])
def test_places_that_are_none_are_refused(pools):
    with pytest.raises(DseError, match="expected modules from 1 to 9, as 1,4,8"):
        Metaparameters(pools=pools)


def test_imagenet_stem_sizes():
    shapes = squeezenet(Metaparameters()).shapes
    assert shapes["conv1"] == (111, 111, 96)
    assert shapes["pool1"] == (55, 55, 96)
    assert shapes["pool4"] == (27, 27, 256)
    assert shapes["pool8"] == (13, 13, 512)
    # conv10 is padded by 1 in every released v1.0 file.
    assert shapes["conv10"] == (15, 15, 1000)
    assert shapes["pool10"] == (1, 1, 1000)


def test_version_1_1_pools_earlier_and_pads_nothing():
    shapes = squeezenet(Metaparameters(version="1.1")).shapes
    assert shapes["conv1"] == (113, 113, 64)
    assert shapes["pool3"] == (28, 28, 128)
    assert shapes["pool5"] == (14, 14, 256)
    assert shapes["conv10"] == (14, 14, 1000)


def test_small_stem():
    architecture = squeezenet(Metaparameters(16, 16), (28, 28, 1), 10)
    shapes = architecture.shapes
    assert shapes["conv1"] == (28, 28, 12)
    assert shapes["pool1"] == (14, 14, 12)
    assert shapes["pool4"] == (7, 7, 32)
    assert shapes["pool8"] == (4, 4, 64)
    assert shapes["conv10"] == (4, 4, 10)
    assert "relu_conv10" not in shapes
    narrow = squeezenet(Metaparameters(16, 16, version="1.1"), (28, 28, 1), 10)
    assert narrow.shapes["conv1"] == (28, 28, 8)


def additions(bypass, version="1.0"):
    layers = squeezenet(Metaparameters(bypass=bypass, version=version)).layers
    sums = {x.name: x.inputs for x in layers if isinstance(x, Add)}
    convolutions = [
        x.name for x in layers if isinstance(x, Convolution) and "bypass" in x.name
    ]
    return sums, convolutions


def test_simple_bypass_goes_round_fire_3_5_7_9():
    sums, convolutions = additions("simple")
    assert convolutions == []
    assert list(sums) == [f"fire{i}/add" for i in (3, 5, 7, 9)]
    # The source lies after the pool, as in the released residual network.
    assert sums["fire5/add"][0] == "pool4"
    assert sums["fire9/add"][0] == "pool8"
    assert sums["fire3/add"][0] == "fire2/concat"


def test_complex_bypass_adds_a_convolution_where_widths_differ():
    sums, convolutions = additions("complex")
    assert convolutions == [f"fire{i}/bypass1x1" for i in (2, 4, 6, 8)]
    assert list(sums) == [f"fire{i}/add" for i in range(2, 10)]
    assert sums["fire4/add"][0] == "fire4/relu_bypass1x1"


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"base_e": 0}, "base_e is 0; expected a whole number from 1 up"),
        ({"base_e": 1.5}, "base_e is 1.5"),
        ({"base_e": True}, "base_e is True"),
        ({"incr_e": -1}, "incr_e is -1"),
        ({"freq": 0}, "freq is 0"),
        ({"sr": 1.01}, "sr is 1.01; expected a number from 0 to 1"),
        ({"sr": "half"}, "sr is 'half'"),
        ({"pct_3x3": -0.1}, "pct_3x3 is -0.1"),
        ({"pct_3x3": float("nan")}, "pct_3x3 is nan"),
        ({"bypass": "double"}, "expected one of none, simple, complex"),
        ({"version": "2.0"}, "expected one of 1.0, 1.1"),
        ({"squeeze": 1}, "no metaparameter is called 'squeeze'"),
    ],
)
def test_bad_metaparameters(values, complaint):
    with pytest.raises(DseError, match=complaint):
        Metaparameters.from_mapping(values)


@pytest.mark.parametrize(
    ("shape", "classes", "complaint"),
    [
        ((23, 23, 1), 10, "the input is 23 pixels; expected at least 24"),
        ((32, 16, 1), 10, "the input is 16 pixels"),
        ((32, 32, 0), 10, "0 channels"),
        ((32, 32, 3), 1, "classes is 1"),
    ],
)
def test_bad_inputs(shape, classes, complaint):
    with pytest.raises(DseError, match=complaint):
        squeezenet(Metaparameters(), shape, classes)
