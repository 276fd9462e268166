"""Whole networks against PyTorch, where it is installed (the extra `benchmarks`)."""

import io
import os
import sys
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

import dse
from dse.arch.layers import Convolution, Dense
from dse.arch.norms import BatchNorm
from dse.data.pixels import square
from dse.families.alexnet import AlexNet
from dse.families.googlenet import GoogLeNet
from dse.families.nin import Nin
from dse.families.resnet import ResNet
from dse.families.squeezenet import SqueezeNet
from dse.families.vgg import Vgg
from dse.models.network import Network, initial_weights
from dse.ops import FAST_ON_CPU, REFERENCE
from dse.runs.recipe import Recipe
from dse.train.engine import Engine
from dse.train.optimiser import learning_rate
from dse.train.state import Batches, Normaliser, Replicate, replicate_keys

torch = pytest.importorskip("torch")
DATA = Path(os.environ.get("DSE_TEST_DATA", "nowhere"))
FOLDER = Path(dse.__file__).parents[1] / "experiments" / "benchmarks"
sys.path.append(str(FOLDER))


def with_weights(architecture, weights):
    """PyTorch's network, with these weights: its kernels are OIHW, its maps NCHW."""
    from torch_network import TorchNetwork

    network = TorchNetwork(architecture).eval()
    with torch.no_grad():
        for layer in network.architecture.layers:
            if isinstance(layer, BatchNorm):
                own = network.learnt[layer.name.replace("/", "_")]
                held = weights[layer.name]
                own.weight.copy_(torch.from_numpy(held["scale"]))
                own.bias.copy_(torch.from_numpy(held["shift"]))
                if "mean" in held:
                    own.running_mean.copy_(torch.from_numpy(held["mean"]))
                    own.running_var.copy_(torch.from_numpy(held["variance"]))
            if not isinstance(layer, Convolution | Dense):
                continue
            own = network.learnt[layer.name.replace("/", "_")]
            kernel = weights[layer.name]["kernel"]
            if isinstance(layer, Dense):
                shape = architecture.shapes[layer.inputs[0]]
                kernel = kernel.reshape(*shape, layer.units)
            moved = kernel.transpose(3, 2, 0, 1).reshape(own.weight.shape)
            own.weight.copy_(torch.from_numpy(np.ascontiguousarray(moved)))
            if layer.bias is not None:
                own.bias.copy_(torch.from_numpy(weights[layer.name]["bias"]))
    return network


def some_weights(architecture):
    """Initial weights, and random scales, shifts and running averages."""
    weights = initial_weights(architecture, jax.random.key(1))
    generator = np.random.default_rng(1)
    for layer, averages in architecture.statistics.items():
        channels = averages["mean"].shape
        weights[layer] = {
            "scale": generator.uniform(0.5, 1.5, channels).astype(np.float32),
            "shift": generator.normal(0, 0.2, channels).astype(np.float32),
            "mean": generator.normal(0, 0.2, channels).astype(np.float32),
            "variance": generator.uniform(0.5, 2, channels).astype(np.float32),
        }
    return weights


@pytest.mark.parametrize(
    ("point", "shape"),
    [
        (AlexNet(width=1 / 4), (227, 227, 3)),
        (AlexNet(width=1 / 4, towers="one"), (224, 224, 3)),
        (AlexNet(width=1 / 2), (28, 28, 3)),
        (Vgg(depth=11, width=1 / 4), (28, 28, 1)),
        (Vgg(width=1 / 16, head="average"), (130, 128, 3)),
        (Nin(width=1 / 4), (32, 32, 3)),
        (Nin(width=1 / 4, pool2="average", norm="batch"), (32, 29, 3)),
        (SqueezeNet(16, 16, bypass="complex"), (32, 32, 3)),
        (SqueezeNet(16, 16, norm="batch"), (32, 32, 3)),
        (Vgg(depth=11, width=1 / 8, norm="batch"), (32, 32, 3)),
        (ResNet(20), (29, 32, 3)),
        (ResNet(20, shortcut="C"), (28, 28, 1)),
        (ResNet(18, width=1 / 4), (224, 224, 3)),
        (ResNet(50, width=1 / 8, shortcut="A"), (161, 128, 3)),
        (GoogLeNet(width=1 / 4), (28, 28, 3)),
        (GoogLeNet(width=1 / 4, heads="auxiliary"), (224, 224, 3)),
        (GoogLeNet(width=1 / 8, norm="batch"), (128, 150, 3)),
    ],
    ids=str,
)
def test_scores_are_those_of_pytorch(point, shape):
    architecture = point.architecture(shape, 7)
    weights = some_weights(architecture)
    images = np.random.default_rng(0).normal(size=(2, *shape)).astype(np.float32)
    with torch.no_grad():
        expected = with_weights(architecture, weights)(
            torch.from_numpy(images.transpose(0, 3, 1, 2).copy())
        ).numpy()
    assert np.abs(expected).max() > 0
    for operations in (REFERENCE, FAST_ON_CPU):
        network = Network(architecture.predictor, weights, operations)
        scores = jax.jit(network.__call__)(images)
        limit = 1e-4 * np.abs(expected).max()
        np.testing.assert_allclose(scores, expected, rtol=0, atol=limit)


def test_steps_of_sgd_are_those_of_pytorch():
    """Three steps of a batch of one group: weights and running averages agree."""
    architecture = ResNet(8, width=1 / 2).architecture((16, 16, 3), 4)
    recipe = Recipe(
        1, 0.1, batch_size=32, warmup_share=0.0, crop_padding=0, mirror=False
    )
    engine = Engine(architecture, replace(recipe, epochs=100), 1, 32, FAST_ON_CPU)
    keys = replicate_keys(0, 0, architecture.id)
    normaliser = Normaliser(jnp.full(3, 120.0), jnp.full(3, 60.0))
    replicate = Replicate(keys, normaliser, jnp.arange(32))
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (32, 16, 16, 3), dtype=np.uint8)
    labels = generator.integers(0, 4, 32).astype(np.int32)
    state = engine.initialise(keys.initialisation)
    network = with_weights(architecture, jax.tree.map(np.array, state.weights)).train()
    parameters = list(network.parameters())
    optimiser = torch.optim.SGD(
        parameters, lr=0.1, momentum=0.9, weight_decay=recipe.weight_decay
    )
    images = Batches(jnp.asarray(pixels), jnp.asarray(labels))
    step = jax.jit(engine.train_step)
    rate = learning_rate(engine.recipe, engine.steps)
    for number in range(3):
        state = step(state, images, jnp.arange(32)[None], replicate)
        optimiser.param_groups[0]["lr"] = float(rate(number))
        batch = torch.from_numpy((pixels.transpose(0, 3, 1, 2) - 120.0) / 60.0).float()
        scores = network(batch)
        loss = torch.nn.functional.cross_entropy(
            scores, torch.from_numpy(labels).long()
        )
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, recipe.clip_norm)
        optimiser.step()
    for layer in ("norm_conv1", "res2_1/norm_conv1", "res3_1/norm_conv2"):
        own, held = network.learnt[layer.replace("/", "_")], state.weights[layer]
        for ours, theirs in (
            (held["scale"], own.weight),
            (held["shift"], own.bias),
            (held["mean"], own.running_mean),
            (held["variance"], own.running_var),
        ):
            np.testing.assert_allclose(ours, theirs.detach(), rtol=2e-3, atol=2e-4)
    kernel = network.learnt["conv1"].weight.detach().numpy().transpose(2, 3, 1, 0)
    np.testing.assert_allclose(
        state.weights["conv1"]["kernel"], kernel, rtol=2e-3, atol=2e-4
    )


def read_slowly(content):
    """The published file as PyTorch has weights; nothing of the product reads it."""
    network = SqueezeNet().published_network()
    layers = [x for x in network.layers if isinstance(x, Convolution)]
    stored = np.frombuffer(content, "<u4", len(layers))
    at, weights = 4 * len(layers), {}
    for layer, count in zip(layers, stored, strict=True):
        inputs = network.shapes[layer.inputs[0]][-1]
        shape = (
            layer.filters,
            inputs,
            *network.parameters[layer.name]["kernel"].shape[:2],
        )
        codebook = np.frombuffer(content, "<f4", 256, at)
        bias = np.frombuffer(content, "<f4", layer.filters, at + 1024)
        at += 1024 + 4 * layer.filters
        codes = content[at : at + count]
        packed = content[at + count : at + count + (count + 1) // 2]
        at += count + (count + 1) // 2
        flat, place = np.zeros(np.prod(shape), np.float32), -1
        for number, code in enumerate(codes):
            half = packed[number // 2]
            place += (half >> 4 if number % 2 else half & 15) + 1
            flat[place] = codebook[code]
        weights[layer.name] = flat.reshape(shape), bias.copy()
    assert at == len(content)
    return weights


@pytest.mark.slow
@pytest.mark.skipif(
    not (DATA / "compressed_SqueezeNet.net").is_file(),
    reason="DSE_TEST_DATA has no published network",
)
def test_the_published_network_scores_as_in_pytorch(tmp_path):
    """Blue, green, red, less (104, 117, 123), through convolutions written here."""
    import torch.nn.functional as function

    file = DATA / "compressed_SqueezeNet.net"
    weights = {
        name: tuple(map(torch.from_numpy, pair))
        for name, pair in read_slowly(file.read_bytes()).items()
    }

    def convolved(x, name, **more):
        kernel, bias = weights[name]
        return torch.relu(function.conv2d(x, kernel, bias, **more))

    def pooled(x):
        return function.max_pool2d(x, 3, 2, ceil_mode=True)

    table = pq.read_table(DATA / "imagenet_samples" / "test-00000-of-00001.parquet")
    images = [
        square(Image.open(io.BytesIO(row["image"]["bytes"])).convert("RGB"), 256)
        for row in table.to_pylist()
    ]
    pixels = np.stack(images)
    seen = pixels[:, 14:241, 14:241]
    bgr = seen[..., ::-1].astype(np.float32) - np.float32([104, 117, 123])
    x = torch.from_numpy(np.ascontiguousarray(bgr.transpose(0, 3, 1, 2)))
    with torch.no_grad():
        x = pooled(convolved(x, "conv1", stride=2))
        for number in range(2, 10):
            squeezed = convolved(x, f"fire{number}/squeeze1x1")
            x = torch.cat(
                [
                    convolved(squeezed, f"fire{number}/expand1x1"),
                    convolved(squeezed, f"fire{number}/expand3x3", padding=1),
                ],
                1,
            )
            x = pooled(x) if number in (4, 8) else x
        # The released conv10 pads its 1x1 kernel, so its scores are of 15x15 places.
        theirs = convolved(x, "conv10", padding=1).mean((2, 3)).numpy()
    storage = f"sqlite:///{tmp_path}/dse.db"
    run = dse.import_published(file, None, storage).run
    network = dse.load_model(run, storage).network
    ours = np.asarray(
        network(jnp.asarray(seen, jnp.float32) - jnp.array([123, 117, 104.0]))
    )
    assert np.abs(ours - theirs).max() <= 1e-3 * np.abs(theirs).max()
    assert (ours.argmax(1) == theirs.argmax(1)).all()
