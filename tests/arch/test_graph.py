import pytest

from dse.arch.graph import Architecture
from dse.arch.layers import Add, Concat, Convolution, GlobalAverage, Relu
from dse.arch.pools import MaxPool
from dse.errors import DseError
from dse.families.squeezenet import SqueezeNet


def convolution(name, source, filters, **options):
    return Convolution(name, (source,), filters, **{"kernel": 1, **options})


def test_convolution_sizes_round_down():
    # (227 - 7) / 2 + 1 = 111; (28 + 2 - 3) / 1 + 1 = 28; (10 - 3) / 2 + 1 = 4.5 -> 4.
    stem = convolution("a", "input", 96, kernel=7, stride=2)
    assert stem.output_shape((227, 227, 3)) == (111, 111, 96)
    same = convolution("a", "input", 8, kernel=3, padding=1)
    assert same.output_shape((28, 30, 1)) == (28, 30, 8)
    odd = convolution("a", "input", 8, kernel=3, stride=2)
    assert odd.output_shape((10, 10, 1)) == (4, 4, 8)


@pytest.mark.parametrize(
    ("rounding", "size", "windows", "padding"),
    [
        ("ceil", 111, 55, (0, 0)),
        ("ceil", 109, 54, (0, 0)),
        ("ceil", 54, 27, (0, 1)),
        ("same", 28, 14, (0, 1)),
        ("same", 7, 4, (1, 1)),
        ("same", 14, 7, (0, 1)),
    ],
)
def test_pool_windows_and_padding(rounding, size, windows, padding):
    pool = MaxPool("p", ("input",), 3, 2, rounding)
    assert pool.output_shape((size, size, 5)) == (windows, windows, 5)
    assert pool.padding(size) == padding


def test_identity_is_of_the_network_not_of_its_settings():
    # Without an increment `freq` changes nothing.
    one = SqueezeNet(incr_e=0, freq=1).architecture((32, 32, 3), 10)
    two = SqueezeNet(incr_e=0, freq=3).architecture((32, 32, 3), 10)
    assert one.id == two.id
    assert one.id != SqueezeNet(incr_e=0).architecture((32, 32, 3), 11).id
    assert one.id != SqueezeNet(incr_e=0).architecture((32, 32, 1), 10).id


def test_identity_stays_what_stored_results_know():
    assert SqueezeNet().architecture((227, 227, 3), 1000).id == "1916e8506f9fe165"


@pytest.mark.parametrize("bypass", ["none", "simple", "complex"])
def test_json_round_trip(bypass):
    architecture = SqueezeNet(bypass=bypass).architecture((227, 227, 3), 1000)
    again = Architecture.from_json(architecture.to_json())
    assert again == architecture
    assert again.id == architecture.id


@pytest.mark.parametrize(
    ("layers", "complaint"),
    [
        ([convolution("a", "input", 1), convolution("a", "input", 1)], "called 'a'"),
        ([convolution("a", "nowhere", 1)], "'a' reads 'nowhere', not yet defined"),
        ([Relu("a", ())], r"'a' cannot join inputs of shapes \[\]"),
        ([Relu("a", ("input", "input"))], "cannot join"),
        (
            [convolution("a", "input", 2), Add("b", ("input", "a"))],
            "cannot join",
        ),
        (
            [convolution("a", "input", 2, stride=2), Concat("b", ("input", "a"))],
            "cannot join",
        ),
        ([convolution("a", "input", 1, kernel=9)], "too small"),
    ],
)
def test_a_graph_that_cannot_be_is_refused(layers, complaint):
    with pytest.raises(DseError, match=complaint):
        Architecture((8, 8, 1), tuple(layers))


def test_classes_are_the_last_layers_channels():
    layers = (convolution("a", "input", 7), GlobalAverage("b", ("a",)))
    assert Architecture((8, 8, 1), layers).classes == 7
