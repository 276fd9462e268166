"""Costs against the paper, against the module, and against an independent counter."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from dse.arch.cost import cost
from dse.arch.graph import Architecture, Concat, Convolution, Relu
from dse.families.closed_form import squeezenet_cost
from dse.families.describe import table_1
from dse.families.paper import (
    FIGURE_3A,
    FIGURE_3B,
    TABLE_1_PARAMS,
    TABLE_1_TOTAL,
    TABLE_3,
)
from dse.families.squeezenet import Metaparameters, squeezenet
from dse.models.network import Network, weight_shapes
from dse.ops import REFERENCE


def params(**metaparameters):
    return cost(squeezenet(Metaparameters(**metaparameters))).params


def test_table_1():
    rows = table_1(Metaparameters(), squeezenet(Metaparameters()))
    counted = {row.name: row.params for row in rows if row.params}
    assert counted == TABLE_1_PARAMS
    assert sum(counted.values()) == TABLE_1_TOTAL == 1_248_424
    outputs = {row.name: row.output for row in rows}
    assert outputs["fire4"] == (55, 55, 256)
    assert outputs["fire9"] == (13, 13, 512)


SR_ROWS = {
    0.125: 1_248_424,
    0.25: 1_967_080,
    0.375: 2_685_736,
    0.5: 3_404_392,
    0.625: 4_123_048,
    0.75: 4_841_704,
    0.875: 5_560_360,
    1.0: 6_279_016,
}
PCT_ROWS = {
    0.01: 1_478_248,
    0.125: 1_929_832,
    0.25: 2_421_352,
    0.375: 2_912_872,
    0.5: 3_404_392,
    0.625: 3_895_912,
    0.75: 4_387_432,
    0.875: 4_878_952,
    0.99: 5_330_536,
}


@pytest.mark.parametrize(("sr", "expected"), SR_ROWS.items())
def test_squeeze_ratios(sr, expected):
    assert params(sr=sr) == expected == 529_768 + round(5_749_248 * sr)


@pytest.mark.parametrize(("pct", "expected"), PCT_ROWS.items())
def test_shares_of_3x3(pct, expected):
    assert params(sr=0.5, pct_3x3=pct) == expected


def test_variants():
    assert params(bypass="simple") == 1_248_424
    assert params(bypass="complex") == 1_248_424 + 341_248 == 1_589_672
    assert params(version="1.1") == 1_235_496


def test_the_papers_size_labels_are_mebibytes():
    """Within one unit of the label's last digit; only complex bypass is not."""
    points = [({"sr": p.value}, p.size_mib) for p in FIGURE_3A]
    points += [({"sr": 0.5, "pct_3x3": p.value}, p.size_mib) for p in FIGURE_3B]
    points += [({"bypass": p.value}, p.size_mib) for p in TABLE_3]
    off = []
    for values, label in points:
        unit = 1 if label == int(label) and label > 9 else 0.1
        if abs(4 * params(**values) / 2**20 - label) > unit:
            off.append(values)
    assert off == [{"bypass": "complex"}]


def test_macs_of_the_released_networks():
    # facts, section 7: 1.723 and 0.775 GFLOP at two a MAC.
    assert 2 * cost(squeezenet(Metaparameters())).macs == pytest.approx(1.723e9, 1e-3)
    v11 = cost(squeezenet(Metaparameters(version="1.1")))
    assert 2 * v11.macs == pytest.approx(0.775e9, rel=1e-3)


def random_points(count):
    """Points of every kind, from a fixed seed."""
    generator = np.random.default_rng(20161108)
    for _ in range(count):
        size = int(generator.choice([24, 28, 32, 57, 64, 127, 128, 131, 224, 227]))
        yield (
            Metaparameters(
                base_e=int(generator.integers(1, 200)),
                incr_e=int(generator.integers(0, 200)),
                freq=int(generator.integers(1, 10)),
                sr=float(generator.choice([generator.random(), 0, 0.125, 1])),
                pct_3x3=float(generator.choice([generator.random(), 0, 0.5, 1])),
                bypass=str(generator.choice(["none", "simple", "complex"])),
                version=str(generator.choice(["1.0", "1.1"])),
            ),
            (size, size + int(generator.integers(0, 3)), int(generator.choice([1, 3]))),
            int(generator.integers(2, 1001)),
        )


def abstract_weights(architecture):
    """Shapes in place of arrays, so that nothing is allocated."""
    return {
        name: {part: jax.ShapeDtypeStruct(s, "float32") for part, s in shapes.items()}
        for name, shapes in weight_shapes(architecture).items()
    }


def parameter_count(architecture):
    """Parameters that the module would hold."""
    network = nnx.eval_shape(
        lambda weights: Network(architecture, weights), abstract_weights(architecture)
    )
    shapes = jax.tree.leaves(nnx.state(network, nnx.Param))
    return sum(math.prod(leaf.shape) for leaf in shapes)


def test_closed_form_fold_and_module_agree_on_200_points():
    for point, shape, classes in random_points(200):
        architecture = squeezenet(point, shape, classes)
        folded = cost(architecture)
        closed = squeezenet_cost(
            point.base_e,
            point.incr_e,
            point.freq,
            point.sr,
            point.pct_3x3,
            point.bypass,
            point.version,
            point.pools,
            shape,
            classes,
        )
        assert folded.params == closed.params == parameter_count(architecture)
        assert folded.macs == closed.macs
        assert folded.activations == closed.activations
        assert folded.bytes_fp32 == closed.bytes_fp32 == 4 * folded.params


def test_closed_form_takes_arrays():
    sr = np.array([[0.125], [0.5]])
    pct = np.array([0.01, 0.5, 0.99])
    costs = squeezenet_cost(128, 128, 2, sr, pct)
    assert costs.params.shape == (2, 3)
    assert costs.params[0, 1] == 1_248_424
    assert costs.params[1].tolist() == [1_478_248, 3_404_392, 5_330_536]


def counted_macs(architecture):
    """MACs read off the traced program: dot products and convolutions."""
    images = jnp.zeros((1, *architecture.input_shape))

    def forward(images, weights):
        return Network(architecture, weights, REFERENCE)(images)

    total = 0
    traced = jax.make_jaxpr(forward)(images, abstract_weights(architecture))
    for equation in traced.jaxpr.eqns:
        if equation.primitive.name == "conv_general_dilated":
            kernel = equation.invars[1].aval.shape
            output = equation.outvars[0].aval.shape
            total += math.prod(kernel[:3]) * math.prod(output)
    return total


def test_macs_equal_an_independent_count():
    for point, shape, classes in random_points(12):
        architecture = squeezenet(point, shape, classes)
        assert cost(architecture).macs == counted_macs(architecture)


def test_peak_activations_by_hand():
    # input 4x4x1 = 16 elements; a: 32, relu in place; b: 16; c: concat of 32 + 16.
    layers = (
        Convolution("a", ("input",), 2, 1),
        Relu("relu", ("a",)),
        Convolution("b", ("relu",), 1, 1),
        Concat("c", ("relu", "b")),
    )
    architecture = Architecture((4, 4, 1), layers[:4])
    # a: 16 + 32 = 48; relu: 32; b: 32 + 16 = 48; c: 32 + 16 + 48 = 96.
    assert cost(architecture).peak_activations == 96
    assert cost(architecture).activations == 32 + 16
    # A ReLU whose input is read again later cannot write in place: 32 + 32, b as well.
    twice = (
        layers[0],
        layers[1],
        Concat("c", ("relu", "a")),
    )
    # c: a 32 + relu 32 + output 64 = 128.
    assert cost(Architecture((4, 4, 1), twice)).peak_activations == 128
