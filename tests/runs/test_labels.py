"""Points are called by what tells them apart, in the words of their fields."""

from dse.families.nin import Nin
from dse.families.squeezenet import SqueezeNet
from dse.runs.labels import Shown, fields_of_points, labels, varied_names


def called(*points, named=False):
    shown = [Shown.of(point) for point in points]
    return labels(shown, fields_of_points(points), named=named)


def test_a_field_with_words_of_its_own():
    points = SqueezeNet(sr=0.125), SqueezeNet(sr=0.5)
    assert called(*points) == ["SR 0.125", "SR 0.5"]
    assert called(*points, named=True) == ["SR 0.125", "SR 0.5"]


def test_a_share_in_per_cent():
    points = SqueezeNet(pct_3x3=0.25), SqueezeNet(pct_3x3=1.0)
    assert called(*points) == ["25 %", "100 %"]
    assert called(*points, named=True) == ["pct_3x3 25 %", "pct_3x3 100 %"]


def test_a_word_alone_says_what_it_is_where_there_is_no_title():
    points = SqueezeNet(bypass="none"), SqueezeNet(bypass="simple")
    assert called(*points) == ["none", "simple"]
    assert called(*points, named=True) == ["bypass none", "bypass simple"]
    assert called(Nin(width=0.5), Nin()) == ["0.5", "1"]
    assert called(Nin(width=0.5), Nin(), named=True) == ["width 0.5", "width 1"]


def test_several_fields_have_their_names():
    points = [
        SqueezeNet(sr=sr, bypass=bypass)
        for sr in (0.25, 0.5)
        for bypass in ("none", "complex")
    ]
    assert called(*points) == [
        "SR 0.25, bypass none",
        "SR 0.25, bypass complex",
        "SR 0.5, bypass none",
        "SR 0.5, bypass complex",
    ]


def test_what_does_not_differ_is_not_said():
    points = SqueezeNet(8, 8, sr=0.5), SqueezeNet(8, 16, sr=0.5)
    assert called(*points, named=True) == ["incr_e 8", "incr_e 16"]


def test_a_point_alone_is_called_as_its_family():
    assert called(SqueezeNet(sr=0.5)) == ["squeezenet"]
    assert called(Nin(), Nin()) == ["nin", "nin"]


def test_several_families_are_told_apart():
    points = SqueezeNet(sr=0.5), SqueezeNet(), Nin(head="dense")
    assert called(*points) == ["squeezenet SR 0.5", "squeezenet SR 0.125", "nin"]
    both = SqueezeNet(), Nin(), Nin(width=0.5, head="dense")
    assert called(*both) == [
        "squeezenet",
        "nin width 1, head average",
        "nin width 0.5, head dense",
    ]


def test_a_value_alone_among_several_families_has_its_name():
    """No title can say what it is a value of."""
    assert called(SqueezeNet(), Nin(), Nin(width=0.5))[1:] == [
        "nin width 1",
        "nin width 0.5",
    ]


def test_a_share_that_rounding_moved_is_said():
    # 1 % of widths 16, 32, 48 and 64 is one filter in each module of 64: 2 of 320.
    narrow = SqueezeNet(16, 16, sr=0.5, pct_3x3=0.01)
    wide = SqueezeNet(16, 16, sr=0.5, pct_3x3=0.25)
    assert called(narrow, wide) == ["1 %\n(0.625 %)", "25 %"]
    assert called(narrow) == ["squeezenet\n(0.625 %)"]


def test_a_family_that_is_not_here():
    """Its fields are in the database, and a point may lack one that came later."""
    fields = {"theirs": SqueezeNet.fields}
    points = [Shown("theirs", {"sr": 0.5}), Shown("theirs", {"sr": 0.25, "freq": 2})]
    assert labels(points, fields) == ["freq none, SR 0.5", "freq 2, SR 0.25"]
    assert varied_names(points, fields) == {"theirs": ["freq", "sr"]}


def test_no_points_have_no_labels():
    assert called() == []
