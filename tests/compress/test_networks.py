"""The files of runs as tensors: plain and compressed, and those of other networks."""

import numpy as np
import pytest

from dse.compress.container import write_network
from dse.compress.networks import network_shapes, of_arrays, read_any, to_arrays
from dse.errors import DseError
from dse.families.resnet import ResNet
from dse.families.squeezenet import SqueezeNet
from dse.models.network import initial_statistics, initial_weights
from dse.runs.weights import weights_file


def weights_of(architecture):
    import jax

    learnt = initial_weights(architecture, jax.random.key(0))
    averages = initial_statistics(architecture)
    channels = np.ones(architecture.input_shape[2], np.float32)
    return {
        **{x: {**learnt.get(x, {}), **averages.get(x, {})} for x in learnt | averages},
        "input": {"mean": channels, "deviation": channels},
    }


@pytest.mark.parametrize("point", [SqueezeNet(8, 8), ResNet()])
def test_plain_and_compressed_files_are_read(point):
    architecture = point.network((32, 32, 3), 10)
    weights, shapes = weights_of(architecture), network_shapes(architecture)
    for content in (weights_file(weights), write_network(of_arrays(weights))):
        read = to_arrays(read_any(content, shapes))
        assert read.keys() == weights.keys()
        for layer, arrays in weights.items():
            assert read[layer].keys() == arrays.keys()
            for name, array in arrays.items():
                np.testing.assert_array_equal(read[layer][name], array)


def test_files_of_another_network_and_other_bytes_are_refused():
    architecture = SqueezeNet(8, 8).network((32, 32, 3), 10)
    shapes = network_shapes(SqueezeNet(8, 8).network((32, 32, 3), 9))
    content = weights_file(weights_of(architecture))
    with pytest.raises(DseError, match="are not of its network"):
        read_any(content, shapes)
    for damaged in (b"", content[:100], b"x" * 100):
        with pytest.raises(DseError):
            read_any(damaged, shapes)
