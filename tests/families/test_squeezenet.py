import pytest

from dse.arch.layers import Add, Convolution
from dse.arch.pools import MaxPool
from dse.errors import DseError
from dse.families.squeezenet import SqueezeNet

IMAGENET = (227, 227, 3), 1000


def filters(point):
    """s1x1, e1x1 and e3x3 of every Fire module."""
    return [(fire.s1x1, fire.e1x1, fire.e3x3) for fire in point.widths()]


def test_the_papers_widths():
    # Table 1.
    assert filters(SqueezeNet()) == [
        (16, 64, 64),
        (16, 64, 64),
        (32, 128, 128),
        (32, 128, 128),
        (48, 192, 192),
        (48, 192, 192),
        (64, 256, 256),
        (64, 256, 256),
    ]
    modules = SqueezeNet().modules()
    assert list(modules) == [f"fire{place}" for place in range(2, 10)]
    assert modules["fire6"] == {"s1x1": 48, "e1x1": 192, "e3x3": 192}


def test_fractions_round_half_up_and_squeeze_keeps_a_filter():
    # pct 0.5 of 5 is 2.5 -> 3; SR 0.3 of 5 is 1.5 -> 2.
    assert filters(SqueezeNet(5, 0, 1, 0.3, 0.5))[0] == (2, 2, 3)
    assert filters(SqueezeNet(5, 0, 1, 0.0, 0.0))[0] == (1, 5, 0)


def test_one_per_cent_of_the_papers_widths():
    # facts: e3x3 = 1, 3, 4, 5 at 128, 256, 384, 512.
    e3x3 = [fire.e3x3 for fire in SqueezeNet(pct_3x3=0.01).widths()]
    assert e3x3 == [1, 1, 3, 3, 4, 4, 5, 5]


def test_freq_counts_modules_between_increments():
    e = [fire.e for fire in SqueezeNet(10, 3, 3).widths()]
    assert e == [10, 10, 10, 13, 13, 13, 16, 16]


def test_resolved_share_of_narrow_networks():
    # base_e = incr_e = 16 at 1 %: only the two modules of 64 have one 3x3 filter.
    narrow = SqueezeNet(16, 16, pct_3x3=0.01)
    assert narrow.derived() == {"resolved_pct_3x3": 2 / 320}
    assert narrow.note() == "0.625 %"
    # Of 5 filters 2.5 round to 3: 60 %.
    assert SqueezeNet(5, 0, pct_3x3=0.5).note() == "60 %"


def test_a_share_that_rounding_hardly_moves_needs_no_note():
    # 26 of 2,560 are 1.016 %: less than 0.05 points from the 1 % asked for.
    assert SqueezeNet(pct_3x3=0.01).derived() == {"resolved_pct_3x3": 26 / 2560}
    assert SqueezeNet(pct_3x3=0.01).note() == ""
    assert SqueezeNet().note() == ""


@pytest.mark.parametrize(("pct", "missing"), [(0.0, "expand3x3"), (1.0, "expand1x1")])
def test_an_empty_branch_is_left_out(pct, missing):
    network = SqueezeNet(pct_3x3=pct).architecture(*IMAGENET)
    names = [layer.name for layer in network.layers]
    assert not [name for name in names if missing in name or "concat" in name]


def test_pools_where_they_are_asked_for():
    given = SqueezeNet(pools="8, 4,1")
    assert given.pools == "1,4,8"
    usual = SqueezeNet().architecture(*IMAGENET)
    assert given.architecture(*IMAGENET).id == usual.id
    early, released = (
        SqueezeNet(version="1.1", pools="1,3,5"),
        SqueezeNet(version="1.1"),
    )
    assert early.pool_places == released.pool_places == (1, 3, 5)
    assert early.architecture(*IMAGENET).id == released.architecture(*IMAGENET).id
    late = SqueezeNet(16, 16, pools="4,6,9").architecture((32, 32, 3), 10)
    pools = [layer.name for layer in late.layers if isinstance(layer, MaxPool)]
    assert pools == ["pool4", "pool6", "pool9"]
    assert late.shapes["fire4/concat"] == (32, 32, 32)
    assert late.shapes["pool9"] == (4, 4, 64)
    assert "pools 4,6,9" in SqueezeNet(pools="4,6,9").short()


def test_a_point_in_a_few_words():
    told = SqueezeNet(16, 8, sr=0.5, pct_3x3=0.25, bypass="simple").short()
    words = ("base_e 16", "incr_e 8", "freq 2", "SR 0.5", "25 %", "simple")
    assert [word for word in words if word not in told] == []
    assert "version" not in told


@pytest.mark.parametrize("pools", ["", "0,4", "4,10", "early", "1,-4", "1;4"])
def test_places_that_are_none_are_refused(pools):
    with pytest.raises(DseError, match="expected modules from 1 to 9, as 1,4,8"):
        SqueezeNet(pools=pools)


def test_imagenet_stem_sizes():
    shapes = SqueezeNet().architecture(*IMAGENET).shapes
    assert shapes["conv1"] == (111, 111, 96)
    assert shapes["pool1"] == (55, 55, 96)
    assert shapes["pool4"] == (27, 27, 256)
    assert shapes["pool8"] == (13, 13, 512)
    # conv10 is padded by 1 in every released v1.0 file.
    assert shapes["conv10"] == (15, 15, 1000)
    assert shapes["pool10"] == (1, 1, 1000)


def test_version_1_1_pools_earlier_and_pads_nothing():
    shapes = SqueezeNet(version="1.1").architecture(*IMAGENET).shapes
    assert shapes["conv1"] == (113, 113, 64)
    assert shapes["pool3"] == (28, 28, 128)
    assert shapes["pool5"] == (14, 14, 256)
    assert shapes["conv10"] == (14, 14, 1000)


def test_small_stem():
    architecture = SqueezeNet(16, 16).architecture((28, 28, 1), 10)
    shapes = architecture.shapes
    assert shapes["conv1"] == (28, 28, 12)
    assert shapes["pool1"] == (14, 14, 12)
    assert shapes["pool4"] == (7, 7, 32)
    assert shapes["pool8"] == (4, 4, 64)
    assert shapes["conv10"] == (4, 4, 10)
    assert "relu_conv10" not in shapes
    narrow = SqueezeNet(16, 16, version="1.1").architecture((28, 28, 1), 10)
    assert narrow.shapes["conv1"] == (28, 28, 8)


def additions(bypass, version="1.0"):
    point = SqueezeNet(bypass=bypass, version=version)
    layers = point.architecture(*IMAGENET).layers
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
        ({"base_e": 0}, "base_e is 0; expected a whole number from 1 to 65,536"),
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
        ({"versoin": "1.1"}, r"no 'versoin'; .* \(did you mean version\?\)"),
        (
            {"squeeze": 1},
            "squeezenet has no 'squeeze'; expected some of base_e, incr_e",
        ),
    ],
)
def test_bad_metaparameters(values, complaint):
    with pytest.raises(DseError, match=complaint):
        SqueezeNet.of(values)


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
        SqueezeNet().architecture(shape, classes)


def test_what_the_papers_print():
    """Each figure's points, by the values that the paper gives them."""
    sources = SqueezeNet.published()
    ratios = [p.point.sr for p in sources["figure 3(a)"].points]
    assert ratios == [0.125, 0.25, 0.5, 0.75, 1.0]
    figure = sources["figure 3(b)"]
    shares = [p.point.pct_3x3 for p in figure.points]
    assert shares == [0.01, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 0.99]
    assert {p.point.sr for p in figure.points} == {0.5}
    # "~5.7 MB" at 1 %, and the plateau that section 5.3 puts at 50 %.
    assert (figure.points[0].size_mib, figure.points[0].top5) == (5.7, 76.3)
    assert max(p.top5 for p in figure.points) == 85.6
    table = {p.point.bypass: (p.top5, p.top1) for p in sources["table 3"].points}
    assert table == {
        "none": (80.3, 57.5),
        "simple": (82.5, 60.4),
        "complex": (82.0, 58.8),
    }
    for name in ("figure 3(a)", "figure 3(b)", "table 3"):
        assert sources[name].slips
