"""The cell space of NAS-Bench-201 (Dong and Yang 2020) as one family: its counts.

The file of its 15,625 architectures is data that does not come with the package:
DSE_TEST_DATA names the folder that has `nasbench201/cifar10.parquet`.
"""

import itertools
import os
import random
from dataclasses import dataclass
from pathlib import Path

import jax
import numpy as np
import pandas as pd
import pytest
from flax import nnx

from dse.arch.build import Build
from dse.arch.cost import cost
from dse.arch.family import Family
from dse.arch.layer import Layer
from dse.arch.layers import Relu
from dse.fields import choice
from dse.models.network import Network

TABLE = Path(os.environ.get("DSE_TEST_DATA", "no such")) / "nasbench201/cifar10.parquet"
OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
"""From node to node, in the order of op0 to op5."""


@dataclass(frozen=True)
class Zero(Layer):
    """An edge that passes nothing on."""

    kind = "zero"


@dataclass(frozen=True)
class Cells(Family, name="nasbench201"):
    """Three stages of five equal cells of four nodes, with an operation an edge."""

    op0: str = choice("skip_connect", OPERATIONS, "node 0 to 1")
    op1: str = choice("skip_connect", OPERATIONS, "node 0 to 2")
    op2: str = choice("skip_connect", OPERATIONS, "node 1 to 2")
    op3: str = choice("skip_connect", OPERATIONS, "node 0 to 3")
    op4: str = choice("skip_connect", OPERATIONS, "node 1 to 3")
    op5: str = choice("skip_connect", OPERATIONS, "node 2 to 3")

    side = 32

    def architecture(self, input_shape, classes):
        net = Build(input_shape, classes)
        net.conv("stem", 16, padding=1, norm=True, relu=False)
        for stage, filters in enumerate((16, 32, 64), start=1):
            if stage > 1:
                self._residual(net, f"reduce{stage}", filters)
            for place in range(1, 6):
                self._cell(net, f"cell{stage}_{place}", filters)
        net.batch_norm("last")
        net.relu()
        net.average("average")
        net.dense("scores", classes)
        return net.done()

    def _conv(self, net, name, source, filters, kernel, stride=1):
        """ReLU, convolution, batch norm."""
        net.add(Relu(f"{name}/relu", (source,)))
        around = kernel // 2
        conv = f"{name}/conv"
        return net.conv(conv, filters, kernel, stride, around, norm=True, relu=False)

    def _residual(self, net, name, filters):
        source = net.last
        first = self._conv(net, f"{name}a", source, filters, 3, 2)
        second = self._conv(net, f"{name}b", first, filters, 3)
        net.average_pool(f"{name}/pool", 2, 2, source=source)
        shortcut = net.conv(f"{name}/shortcut", filters, 1, relu=False, bias=None)
        net.sum(f"{name}/add", second, shortcut)

    def _cell(self, net, name, filters):
        nodes = {0: net.last}
        for end in (1, 2, 3):
            brought = [
                self._edge(
                    net, f"{name}_{start}{end}", operation, nodes[start], filters
                )
                for (start, to), operation in zip(
                    EDGES, self.values.values(), strict=True
                )
                if to == end
            ]
            joined = (
                net.sum(f"{name}_{end}", *brought) if len(brought) > 1 else brought[0]
            )
            nodes[end] = joined

    def _edge(self, net, name, operation, source, filters):
        match operation:
            case "none":
                return net.add(Zero(name, (source,)))
            case "skip_connect":
                return source
            case "avg_pool_3x3":
                return net.average_pool(name, 3, 1, "same", source=source)
            case _:
                kernel = 3 if operation == "nor_conv_3x3" else 1
                return self._conv(net, name, source, filters, kernel)


def counted(operations):
    point = Cells(*map(str, operations))
    return cost(point.architecture((32, 32, 3), 10)).params


def test_by_hand():
    """All edges skip: the skeleton alone."""
    skeleton = 27 * 16 + 32  # the stem
    for inputs, filters in ((16, 32), (32, 64)):
        convolutions = 9 * inputs * filters + 9 * filters * filters
        skeleton += convolutions + 4 * filters + inputs * filters
    skeleton += 2 * 64 + 64 * 10 + 10
    assert counted(["skip_connect"] * 6) == counted(["none"] * 6) == skeleton
    one = 5 * sum(f * f + 2 * f for f in (16, 32, 64))
    assert counted(["nor_conv_1x1", *["none"] * 5]) == skeleton + one


def test_the_module_has_as_many_parameters():
    network = Cells("nor_conv_3x3", "avg_pool_3x3", "nor_conv_1x1").architecture(
        (32, 32, 3), 10
    )
    weights = {
        name: {
            part: jax.ShapeDtypeStruct(parameter.shape, "float32")
            for part, parameter in (*learnt.items(), *averages(network, name))
        }
        for name, learnt in network.parameters.items()
    }
    module = nnx.eval_shape(lambda weights: Network(network, weights), weights)
    shapes = jax.tree.leaves(nnx.state(module, nnx.Param))
    assert sum(leaf.size for leaf in shapes) == cost(network).params


def averages(network, name):
    return network.statistics.get(name, {}).items()


@pytest.mark.skipif(not TABLE.is_file(), reason="DSE_TEST_DATA has no nasbench201")
def test_all_15_475_counts():
    """To the last digit that is printed; a count depends on what edges do alone."""
    table = pd.read_parquet(TABLE)
    agrees = table[table["count_agrees"]]
    assert len(agrees) == 15_475
    names = [f"op{i}" for i in range(6)]
    of_kind = {
        kinds: counted(kinds)
        for kinds in itertools.combinations_with_replacement(sorted(OPERATIONS), 6)
    }
    found = [
        of_kind[tuple(sorted(row))] for row in agrees[names].itertuples(index=False)
    ]
    np.testing.assert_array_equal(
        np.round(np.array(found) / 1e6, 6), agrees["params_million"].to_numpy()
    )
    # Of some, the network itself, edge by edge in its own order.
    for place in random.Random(0).sample(range(len(agrees)), 100):
        row = agrees.iloc[place]
        assert round(counted(row[names]) / 1e6, 6) == row["params_million"]
