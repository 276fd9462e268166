"""What a record says of itself: shape, parameters, work and identity."""

import json
import re

import jax
import numpy as np
import pytest

from dse.arch.build import Build
from dse.arch.cost import cost
from dse.arch.graph import Architecture
from dse.arch.layer import Parameter
from dse.arch.layers import (
    LAYERS,
    Add,
    AuxiliaryLoss,
    Concat,
    Convolution,
    Dense,
    Dropout,
    GlobalAverage,
    Relu,
    Subsample,
)
from dse.arch.norms import BatchNorm, LocalResponseNorm
from dse.arch.pools import AveragePool, MaxPool
from dse.errors import DseError
from dse.fields import UnstatedReal, UnstatedWhole
from dse.models.forward import FORWARD
from dse.models.network import initial_weights

ONE_OF_EACH = (
    Convolution("a", ("input",), 4, 3, 2, 1, "gaussian", 0.05),
    MaxPool("b", ("a",), 3, 2, "ceil"),
    AveragePool("c", ("a",), 3, 2, "same"),
    Relu("d", ("b",)),
    Concat("e", ("b", "d")),
    Add("f", ("b", "d")),
    Dropout("g", ("e",), 0.5),
    GlobalAverage("h", ("g",)),
    Dense("i", ("h",), 7, "xavier"),
    LocalResponseNorm("j", ("i",), 3, 2e-5, 0.75, 1.0),
    BatchNorm("k", ("i",), 4, scale=0.0),
    Subsample("l", ("a",), 9, 2),
    AuxiliaryLoss("m", ("k",), 0.3),
    Dense("n", ("l",), 7),
)


def test_every_kind_has_a_record_and_a_forward_function():
    assert set(LAYERS) == set(FORWARD) == {layer.kind for layer in ONE_OF_EACH}
    assert all(LAYERS[layer.kind] is type(layer) for layer in ONE_OF_EACH)


def test_every_kind_survives_json():
    architecture = Architecture((13, 12, 3), ONE_OF_EACH)
    again = Architecture.from_json(json.loads(json.dumps(architecture.to_json())))
    assert again == architecture
    assert again.id == architecture.id


def test_a_later_field_is_no_part_of_an_identity_at_its_default():
    plain = Convolution("a", ("input",), 4, 3, initializer="gaussian")
    assert "deviation" not in plain.to_json()
    assert plain.to_json() == {
        "kind": "convolution",
        "name": "a",
        "inputs": ("input",),
        "filters": 4,
        "kernel": 3,
        "stride": 1,
        "padding": 0,
        "initializer": "gaussian",
    }
    wider = Convolution("a", ("input",), 4, 3, initializer="gaussian", deviation=0.05)
    assert wider.to_json() == {**plain.to_json(), "deviation": 0.05}
    one, other = (Architecture((8, 8, 1), (layer,)) for layer in (plain, wider))
    assert one.id != other.id


def test_a_dense_layer_reads_all_that_is_there():
    layer = Dense("d", ("input",), 7, "gaussian", 0.05)
    assert layer.output_shape((5, 4, 3)) == (1, 1, 7)
    assert layer.parameters((5, 4, 3)) == {
        "kernel": Parameter((60, 7), "gaussian", 0.05),
        "bias": Parameter((7,)),
    }
    assert layer.macs((5, 4, 3)) == 420
    assert layer.filter_text == "dense (x7)"


def test_a_convolution_by_hand():
    layer = Convolution("c", ("input",), 6, 5, 2, 1)
    # (11 + 2 - 5) / 2 + 1 = 5 by (8 + 2 - 5) / 2 + 1 = 3.5 -> 3.
    assert layer.output_shape((11, 8, 3)) == (5, 3, 6)
    assert layer.parameters((11, 8, 3))["kernel"].shape == (5, 5, 3, 6)
    assert layer.parameters((11, 8, 3))["bias"] == Parameter((6,))
    assert layer.macs((11, 8, 3)) == 5 * 3 * 25 * 3 * 6
    assert layer.filter_text == "5x5/2 (x6)"


def test_layers_that_learn_nothing():
    for layer in ONE_OF_EACH:
        if not isinstance(layer, Convolution | Dense | BatchNorm):
            assert layer.parameters((4, 4, 2)) == {}
            assert layer.macs((4, 4, 2)) == 0
            assert layer.drawn_by("xavier") is layer


@pytest.mark.parametrize("layer", ONE_OF_EACH, ids=lambda layer: layer.kind)
def test_kernels_are_drawn_as_asked(layer):
    drawn = layer.drawn_by("he")
    if isinstance(layer, Convolution | Dense):
        assert drawn.initializer == "he"
        assert drawn.parameters((4, 4, 2))["kernel"].initializer == "he"
    assert (drawn.name, drawn.inputs) == (layer.name, layer.inputs)


def test_a_grouped_convolution_and_one_without_biases():
    grouped = Convolution("a", ("input",), 6, 3, padding=1, groups=2, bias=0.1)
    learnt = grouped.parameters((5, 4, 8))
    assert learnt["kernel"].shape == (3, 3, 4, 6)
    assert learnt["bias"] == Parameter((6,), constant=0.1)
    assert grouped.macs((5, 4, 8)) == 5 * 4 * 9 * 4 * 6
    plain = Convolution("a", ("input",), 6, 3, bias=None)
    assert list(plain.parameters((5, 4, 8))) == ["kernel"]
    assert plain.to_json()["bias"] is None
    assert "groups" not in plain.to_json()
    # Fields that were added later leave identities as they were.
    assert Convolution("a", ("input",), 6, 3, groups=1, bias=0.0).to_json() == (
        Convolution("a", ("input",), 6, 3).to_json()
    )


@pytest.mark.parametrize(("channels", "filters"), [(8, 7), (7, 8), (1, 2)])
def test_groups_that_do_not_divide(channels, filters):
    layer = Convolution("a", ("input",), filters, 3, padding=1, groups=2)
    with pytest.raises(
        DseError,
        match=f"layer 'a' has 2 groups; expected a divisor of its {channels} input",
    ):
        Architecture((8, 8, channels), (layer,))


def test_biases_start_where_they_are_asked_to():
    layers = (
        Convolution("a", ("input",), 4, 3, bias=0.1),
        Convolution("b", ("a",), 4, 1, bias=None),
        Dense("c", ("b",), 3, bias=0.2),
    )
    weights = initial_weights(Architecture((5, 5, 2), layers), jax.random.key(0))
    np.testing.assert_array_equal(weights["a"]["bias"], np.full(4, np.float32(0.1)))
    np.testing.assert_array_equal(weights["c"]["bias"], np.full(3, np.float32(0.2)))
    assert list(weights["b"]) == ["kernel"]


def test_a_batch_norm_learns_two_numbers_a_channel_and_keeps_two():
    layer = BatchNorm("n", ("input",), 16, scale=0.0)
    assert layer.parameters((5, 4, 3)) == {
        "scale": Parameter((3,)),
        "shift": Parameter((3,)),
    }
    assert layer.statistics((5, 4, 3)) == {
        "mean": Parameter((3,)),
        "variance": Parameter((3,), constant=1.0),
    }
    assert (layer.output_shape((5, 4, 3)), layer.macs((5, 4, 3))) == ((5, 4, 3), 0)
    layers = (layer, BatchNorm("m", ("n",), 24), GlobalAverage("g", ("m",)))
    network = Architecture((5, 4, 3), layers)
    assert network.group == 48
    assert list(network.statistics) == ["n", "m"]
    assert cost(network).params == 12
    assert Architecture((5, 4, 3), (GlobalAverage("g", ("input",)),)).group == 1


@pytest.mark.parametrize("group", [1, 0, -4, 2.5, True])
def test_a_group_of_one_image_is_refused(group):
    with pytest.raises(DseError, match="expected 2 or more: of one image"):
        Architecture((4, 4, 3), (BatchNorm("n", ("input",), group),))


def test_a_subsampling_shortcut():
    layer = Subsample("s", ("input",), 8, 2)
    assert layer.output_shape((7, 4, 3)) == (4, 2, 8)
    with pytest.raises(DseError, match="pads 3 channels up to 2; expected at least"):
        Architecture((4, 4, 3), (Subsample("s", ("input",), 2),))


@pytest.mark.parametrize(
    ("size", "window", "stride", "margin", "rows", "padding"),
    [
        # torch.nn.MaxPool2d(3, 2, padding=1) of 112 rows, and of 7: 56, and 4.
        (112, 3, 2, 1, 56, (1, 0)),
        (7, 3, 2, 1, 4, (1, 1)),
        # He and Sun's 109 -> 36: the last row is left out.
        (109, 3, 3, 0, 36, (0, 0)),
        (5, 2, 2, 0, 2, (0, 0)),
    ],
)
def test_a_pool_that_rounds_down(size, window, stride, margin, rows, padding):
    pool = MaxPool("p", ("input",), window, stride, "floor", margin)
    assert pool.output_shape((size, size, 1)) == (rows, rows, 1)
    assert pool.padding(size) == padding
    assert pool.to_json().get("margin", 0) == margin


@pytest.mark.parametrize(("rounding", "margin"), [("ceil", 1), ("floor", 2)])
def test_a_margin_that_pools_do_not_take(rounding, margin):
    pool = MaxPool("p", ("input",), 3, 2, rounding, margin)
    with pytest.raises(DseError, match=f"margin of {margin} pixels; expected rounding"):
        Architecture((8, 8, 1), (pool,))


def _with_head(*more):
    return Architecture(
        (4, 4, 3),
        (
            Dense("a", ("input",), 6),
            Dense("head", ("a",), 5),
            AuxiliaryLoss("loss", ("head",), 0.3),
            Dense("b", ("a",), 5),
            *more,
        ),
    )


def test_a_head_trains_and_is_not_counted_in_what_predicts():
    network = _with_head()
    assert [layer.name for layer in network.predictor.layers] == ["a", "b"]
    assert network.predictor.predictor is network.predictor
    assert network.auxiliary == (AuxiliaryLoss("loss", ("head",), 0.3),)
    hidden, scores = 48 * 6 + 6, 6 * 5 + 5
    assert cost(network).params == hidden + scores
    assert cost(network, training=True).params == hidden + 2 * scores
    assert cost(network, training=True).macs - cost(network).macs == 30


@pytest.mark.parametrize(
    "more",
    [
        (Dense("c", ("b",), 7),),  # other classes
        (Dense("c", ("loss",), 5),),  # it is read
    ],
)
def test_an_auxiliary_loss_that_cannot_be_one(more):
    with pytest.raises(DseError, match="is an auxiliary loss of"):
        _with_head(*more)


def test_an_auxiliary_loss_leaves_something_that_predicts():
    with pytest.raises(DseError, match="'last' is an auxiliary loss and the last"):
        _with_head(AuxiliaryLoss("last", ("b",), 0.3))


CONSTANT = "expected a number from -1,000,000 to 1,000,000"
WHOLE = "expected a whole number from 1 to"


@pytest.mark.parametrize(
    ("kind", "arguments", "said"),
    [
        (Convolution, (8.0, 3), f"filters of layer 'x' is 8.0; {WHOLE} 16,777,216"),
        (Convolution, (0, 3), f"filters of layer 'x' is 0; {WHOLE} 16,777,216"),
        (Convolution, (-8, 3), f"filters of layer 'x' is -8; {WHOLE} 16,777,216"),
        (Convolution, (8, 0), f"kernel of layer 'x' is 0; {WHOLE} 65,536"),
        (Convolution, (8, 3, 0), f"stride of layer 'x' is 0; {WHOLE} 65,536"),
        (
            Convolution,
            (8, 3, 1, -1),
            "padding of layer 'x' is -1; expected a whole number from 0 to 65,536",
        ),
        (
            Convolution,
            (8, 3, 1, 1, "kaiming"),
            "initializer of layer 'x' is 'kaiming'; expected one of he, xavier, "
            "gaussian, he_fan_out",
        ),
        (
            Convolution,
            (8, 3, 1, 1, "he", -0.1),
            "deviation of layer 'x' is -0.1; expected a number from 0 to 1,000,000",
        ),
        (
            Convolution,
            (8, 3, 1, 1, np.array(["he"])),
            "initializer of layer 'x' is \"['he']\"; expected one of he, xavier, "
            "gaussian, he_fan_out",
        ),
        (
            Convolution,
            (8, 3, 1, 1, "he", 0.1, 0),
            f"groups of layer 'x' is 0; {WHOLE} 16,777,216",
        ),
        (
            Convolution,
            (8, 3, 1, 1, "he", 0.1, 1, "zero"),
            f"bias of layer 'x' is 'zero'; {CONSTANT}",
        ),
        (Dense, (10.5,), f"units of layer 'x' is 10.5; {WHOLE} 16,777,216"),
        (
            Dense,
            (10, "he", 0.1, None),
            f"bias of layer 'x' is None; {CONSTANT}",
        ),
        (MaxPool, (0, 2, "ceil"), f"window of layer 'x' is 0; {WHOLE} 65,536"),
        (MaxPool, (-3, 2, "ceil"), f"window of layer 'x' is -3; {WHOLE} 65,536"),
        (AveragePool, (2.5, 2, "same"), f"window of layer 'x' is 2.5; {WHOLE} 65,536"),
        (AveragePool, (3, 0, "same"), f"stride of layer 'x' is 0; {WHOLE} 65,536"),
        (
            MaxPool,
            (3, 2, "down"),
            "rounding of layer 'x' is 'down'; expected one of ceil, same, floor",
        ),
        (
            Dropout,
            (50,),
            "rate of layer 'x' is 50; expected a number from 0, under 1",
        ),
        (
            AuxiliaryLoss,
            (-3.0,),
            "weight of layer 'x' is -3.0; expected a number above 0, up to 1,000,000",
        ),
        (
            BatchNorm,
            (32, 1.5),
            "momentum of layer 'x' is 1.5; expected a number from 0, under 1",
        ),
        (
            BatchNorm,
            (32, 0.9, -1.0),
            "epsilon of layer 'x' is -1.0; expected a number above 0, up to 1",
        ),
        (LocalResponseNorm, (0,), f"size of layer 'x' is 0; {WHOLE} 16,777,216"),
        (
            LocalResponseNorm,
            (5, 1e-4, 0.75, 0.0),
            "k of layer 'x' is 0.0; expected a number above 0, up to 1,000,000",
        ),
        (Subsample, (8, 0), f"stride of layer 'x' is 0; {WHOLE} 65,536"),
    ],
)
def test_a_layer_checks_its_arguments(kind, arguments, said):
    layer = kind("x", ("input",), *arguments)
    with pytest.raises(DseError) as refused:
        layer.checked()
    assert str(refused.value) == said
    # So does the builder.
    with pytest.raises(DseError, match=re.escape(said)):
        Build((8, 8, 3), 10).add(layer)


def test_a_stored_layer_is_taken_as_it_is():
    """Networks of before were trained with what is refused now."""
    layers = (BatchNorm("a", ("input",), 4, 1.0), Dense("b", ("a",), 5))
    stored = json.loads(json.dumps(Architecture((8, 8, 3), layers).to_json()))
    assert Architecture.from_json(stored).layers == layers


def test_a_number_that_nobody_stated_is_checked_too():
    layer = Convolution("x", ("input",), UnstatedReal(8.0), 3)
    with pytest.raises(
        DseError, match=r"filters of layer 'x' is 8.0; expected a whole"
    ):
        layer.checked()
    found = Convolution("x", ("input",), UnstatedWhole(8), 3).checked()
    assert type(found.filters) is int


@pytest.mark.parametrize("name", [None, 5, ""])
def test_a_layer_has_a_name(name):
    with pytest.raises(DseError, match=r"a layer is called .*; expected a name"):
        Relu(name, ("input",)).checked()


@pytest.mark.parametrize("inputs", [(["a", "b"],), "input", None, ("a", 3)])
def test_a_layer_reads_layers_by_name(inputs):
    with pytest.raises(DseError, match=r"'s' reads .*; expected names of layers"):
        Add("s", inputs).checked()


def test_a_number_of_numpys_is_pythons_in_a_layer():
    counted = Convolution(
        "a", ("input",), np.int64(4), np.int64(3), bias=np.float32(0.5)
    ).checked()
    plain = Convolution("a", ("input",), 4, 3, bias=0.5)
    assert json.dumps(counted.to_json()) == json.dumps(plain.to_json())
    norm = BatchNorm("b", ("a",), np.int64(4), np.float32(0.5)).checked()
    assert json.dumps(norm.to_json()) == json.dumps(
        BatchNorm("b", ("a",), 4, 0.5).to_json()
    )


def test_what_layers_join():
    square, flat = (4, 4, 2), (4, 5, 2)
    assert Concat("c", ("a", "b")).joins(square, (4, 4, 7))
    assert not Concat("c", ("a", "b")).joins(square, flat)
    assert Add("c", ("a", "b")).joins(square, square)
    assert not Add("c", ("a", "b")).joins(square, (4, 4, 7))
    assert Relu("c", ("a",)).joins(square)
    assert not Dense("c", ("a", "b"), 3).joins(square, square)


# Every window begins inside of the input: one outside would hold nothing.
@pytest.mark.parametrize(
    ("rounding", "window", "stride", "size", "windows", "padding"),
    [
        ("ceil", 3, 2, 7, 3, (0, 0)),
        ("ceil", 3, 2, 8, 4, (0, 1)),
        ("ceil", 3, 2, 2, 1, (0, 1)),
        ("ceil", 2, 2, 5, 3, (0, 1)),
        ("ceil", 1, 2, 5, 3, (0, 0)),
        ("ceil", 2, 3, 6, 2, (0, 0)),
        ("ceil", 1, 4, 6, 2, (0, 0)),
        ("same", 3, 2, 8, 4, (0, 1)),
        ("same", 3, 2, 7, 4, (1, 1)),
        ("same", 1, 3, 7, 3, (0, 0)),
        ("same", 2, 5, 7, 2, (0, 0)),
        ("same", 5, 1, 3, 3, (2, 2)),
    ],
)
def test_windows_of_pools(rounding, window, stride, size, windows, padding):
    for kind in (MaxPool, AveragePool):
        pool = kind("p", ("input",), window, stride, rounding)
        assert pool.output_shape((size, size, 5)) == (windows, windows, 5)
        assert pool.padding(size) == padding
