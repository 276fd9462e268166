"""Costs against the paper, against the module, and against an independent counter."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from dse.arch.cost import cost
from dse.arch.describe import table_1
from dse.arch.graph import Architecture
from dse.arch.layers import Concat, Convolution, Dense, Relu
from dse.arch.pools import AveragePool, MaxPool
from dse.errors import DseError
from dse.families.nin import Nin
from dse.families.squeezenet import SqueezeNet
from dse.models.network import Network
from dse.ops import REFERENCE

IMAGENET = (227, 227, 3), 1000
FIGURES = ("figure 3(a)", "figure 3(b)", "table 3")


def params(**metaparameters):
    return cost(SqueezeNet(**metaparameters).architecture(*IMAGENET)).params


def test_table_1():
    rows = table_1(SqueezeNet(), SqueezeNet().architecture(*IMAGENET))
    counted = {row.name: row.params for row in rows if row.params}
    assert counted == SqueezeNet.published()["table 1"].parameters
    assert sum(counted.values()) == 1_248_424
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
    sources = SqueezeNet.published()
    printed = [p for name in FIGURES for p in sources[name].points]
    assert len(printed) == 5 + 9 + 3
    off = []
    for published in printed:
        label = published.size_mib
        unit = 1 if label == int(label) and label > 9 else 0.1
        size = cost(published.point.architecture(*IMAGENET)).bytes_fp32 / 2**20
        if abs(size - label) > unit:
            off.append(published.point)
    assert off == [SqueezeNet(bypass="complex")]


def test_macs_of_the_released_networks():
    # facts, section 7: 1.723 and 0.775 GFLOP at two a MAC.
    v10 = cost(SqueezeNet().architecture(*IMAGENET))
    assert 2 * v10.macs == pytest.approx(1.723e9, rel=1e-3)
    v11 = cost(SqueezeNet(version="1.1").architecture(*IMAGENET))
    assert 2 * v11.macs == pytest.approx(0.775e9, rel=1e-3)


def random_points(count):
    """Points of every kind, from a fixed seed."""
    generator = np.random.default_rng(20161108)
    for _ in range(count):
        size = int(generator.choice([24, 28, 32, 57, 64, 127, 128, 131, 224, 227]))
        yield (
            SqueezeNet(
                base_e=int(generator.integers(1, 200)),
                incr_e=int(generator.integers(0, 200)),
                freq=int(generator.integers(1, 10)),
                sr=float(generator.choice([generator.random(), 0, 0.125, 1])),
                pct_3x3=float(generator.choice([generator.random(), 0, 0.5, 1])),
                bypass=str(generator.choice(["none", "simple", "complex"])),
                version=str(generator.choice(["1.0", "1.1"])),
                pools=str(generator.choice(["version", "version", "1,2", "5,9"])),
                norm=str(generator.choice(["none", "batch"])),
            ),
            (size, size + int(generator.integers(0, 3)), int(generator.choice([1, 3]))),
            int(generator.integers(2, 1001)),
        )


def abstract_weights(architecture):
    """Shapes in place of arrays, so that nothing is allocated."""
    return {
        name: {
            part: jax.ShapeDtypeStruct(parameter.shape, "float32")
            for part, parameter in {
                **learnt,
                **architecture.statistics.get(name, {}),
            }.items()
        }
        for name, learnt in architecture.parameters.items()
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
        architecture = point.architecture(shape, classes)
        folded = cost(architecture)
        closed = SqueezeNet.costs(point.values, shape, classes)
        assert folded.params == closed.params == parameter_count(architecture)
        assert folded.macs == closed.macs
        assert folded.activations == closed.activations
        assert folded.bytes_fp32 == closed.bytes_fp32 == 4 * folded.params


def test_closed_form_takes_arrays():
    sr = np.array([[0.125], [0.5]])
    pct = np.array([0.01, 0.5, 0.99])
    costs = SqueezeNet.costs({"sr": sr, "pct_3x3": pct}, *IMAGENET)
    assert costs.params.shape == (2, 3)
    assert costs.params[0, 1] == 1_248_424
    assert costs.params[1].tolist() == [1_478_248, 3_404_392, 5_330_536]


@pytest.mark.parametrize(
    ("family", "values"),
    [
        (SqueezeNet, {"bypass": ["none", "simple", "complex"], "sr": 0.5}),
        (SqueezeNet, {"version": [["1.0"], ["1.1"]], "base_e": [8, 9, 10]}),
        (Nin, {"width": [0.25, 0.5], "head": [["average"], ["dense"]]}),
        (Nin, {}),
    ],
)
def test_costs_without_a_closed_form_are_those_of_each_network(family, values):
    shape, classes = (32, 32, 3), 10
    costs = family.costs(values, shape, classes)
    arrays = np.broadcast_arrays(*values.values()) if values else [np.zeros(())]
    assert costs.params.shape == costs.macs.shape == arrays[0].shape
    for index in np.ndindex(arrays[0].shape):
        of_one = {n: a[index].item() for n, a in zip(values, arrays, strict=False)}
        one = cost(family(**of_one).architecture(shape, classes))
        assert costs.params[index] == one.params
        assert costs.macs[index] == one.macs
        assert costs.activations[index] == one.activations


def test_closed_form_of_what_is_no_metaparameter():
    with pytest.raises(DseError, match="squeezenet has no 'squeeze'; expected some"):
        SqueezeNet.costs({"squeeze": 1}, *IMAGENET)


def counted_macs(architecture):
    """MACs read off the traced program: dot products and convolutions."""
    images = jnp.zeros((1, *architecture.input_shape))

    def forward(images, weights):
        return Network(architecture, weights, REFERENCE)(images)

    total = 0
    traced = jax.make_jaxpr(forward)(images, abstract_weights(architecture))
    for equation in traced.jaxpr.eqns:
        if equation.primitive.name in ("conv_general_dilated", "dot_general"):
            taps = math.prod(equation.invars[1].aval.shape[:-1])
            total += taps * math.prod(equation.outvars[0].aval.shape)
    return total


def test_macs_equal_an_independent_count():
    points = [
        *random_points(12),
        (Nin(), (32, 32, 3), 10),
        (Nin(head="dense", pool2="average"), (28, 31, 1), 7),
        (Nin(width=0.25, head="dense"), (131, 128, 3), 100),
    ]
    for point, shape, classes in points:
        architecture = point.architecture(shape, classes)
        assert cost(architecture).macs == counted_macs(architecture)
        assert cost(architecture).params == parameter_count(architecture)


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


def test_a_dense_layer_and_pools_by_hand():
    layers = (
        Convolution("a", ("input",), 2, 3, stride=2),
        AveragePool("p", ("a",), 3, 2, "ceil"),
        MaxPool("m", ("p",), 2, 1, "same"),
        Dense("d", ("m",), 10),
    )
    architecture = Architecture((9, 13, 3), layers)
    # a: (9 - 3) / 2 + 1 = 4 by (13 - 3) / 2 + 1 = 6; p: ceil(1 / 2) + 1 = 2 by
    # ceil(3 / 2) + 1 = 3; m keeps that; d reads 2 * 3 * 2 = 12.
    counted = [tuple(layer)[1:] for layer in cost(architecture).layers]
    assert counted == [
        ((4, 6, 2), 3 * 3 * 3 * 2 + 2, 4 * 6 * 3 * 3 * 3 * 2, 48),
        ((2, 3, 2), 0, 0, 0),
        ((2, 3, 2), 0, 0, 0),
        ((1, 1, 10), 12 * 10 + 10, 120, 10),
    ]
    assert cost(architecture).params == 56 + 130
    assert cost(architecture).macs == 1_296 + 120
    assert cost(architecture).activations == 58
    # The input's 351 and a's 48.
    assert cost(architecture).peak_activations == 399
    assert architecture.classes == 10
