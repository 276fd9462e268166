"""What a record says of itself: shape, parameters, work and identity."""

import json

import pytest

from dse.arch.graph import Architecture
from dse.arch.layers import (
    LAYERS,
    Add,
    AveragePool,
    Concat,
    Convolution,
    Dense,
    Dropout,
    GlobalAverage,
    MaxPool,
    Parameter,
    Relu,
)
from dse.models.forward import FORWARD

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
        if not isinstance(layer, Convolution | Dense):
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
